"""``embedpipe export``."""

from __future__ import annotations

import h5py
import numpy as np
import pytest


@pytest.fixture
def store(run, workplace):
    views = {"last": {"layers": "last"}, "all": {"layers": "all"}, "mean": {"layers": "last", "unit": "sentence"}}
    path = workplace.folder / "features.h5"
    assert run("extract", workplace.config(views=views), "-o", path, "-q").status == 0
    return path


def test_views_come_out_in_a_file_of_numpy(run, store):
    target = store.with_name("out.npz")
    result = run("export", store, "--format", "npz", "-o", target)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"{target}: all views of {store}, ")
    with np.load(target) as found:
        assert found["words"].tolist() == ["the", "quick", "fox", "a", "dog"]
        assert found["all"].shape == (5, 5, 32)


def test_views_come_out_as_allennlp_wrote_them(run, store):
    for view, shape in (("all", (5, 3, 32)), ("last", (3, 32))):
        target = store.with_name(f"{view}.hdf5")
        result = run("export", store, "--format", "allennlp-elmo", "--view", view, "-o", target, "--quiet")
        assert (result.status, result.out, result.err) == (0, "", "")
        with h5py.File(target) as file:
            assert file["0"].shape == shape


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--format", "npz"], 2, "Missing option '-o'"),
        (["-o", "out"], 2, "Missing option '--format'"),
        (["--format", "csv", "-o", "out"], 2, "'csv' is not one of"),
        (["--format", "npz", "-o", "out", "--view", "lst"], 1, "has no view 'lst'. Did you mean 'last'?"),
        (["--format", "npz", "-o", "no/out"], 1, "the folder 'no' does not exist"),
        (["--format", "npz", "-o", "features.h5"], 1, "something is there already"),
        (["--format", "allennlp-elmo", "-o", "out"], 1, "choose it with --view"),
        (["--format", "allennlp-elmo", "-o", "out", "--view", "mean"], 1, "Views of words here: "),
    ],
)
def test_mistakes_are_told_with_their_status_and_leave_nothing(arguments, status, expected, run, store, monkeypatch):
    monkeypatch.chdir(store.parent)
    before = sorted(path.name for path in store.parent.iterdir())
    result = run("export", store, *arguments)
    assert result.status == status
    assert expected in result.err
    assert sorted(path.name for path in store.parent.iterdir()) == before


@pytest.mark.parametrize("content", [None, b"no store"])
def test_what_is_no_store_is_told(content, run, tmp_path):
    path = tmp_path / "s.h5"
    if content is not None:
        path.write_bytes(content)
    result = run("export", path, "--format", "npz", "-o", tmp_path / "out.npz")
    assert result.status == 1
    assert "Error: " in result.err and str(path) in result.err
    assert "Traceback" not in result.err
