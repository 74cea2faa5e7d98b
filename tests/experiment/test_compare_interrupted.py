"""A comparison that is interrupted goes on where it was, and finds the same."""

from __future__ import annotations

from collections import Counter

import pytest
from comparison_samples import Extraction, MadeUp, Nearest, comparison
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedpipe.errors import StoreError
from embedpipe.experiment.compare import compare

ASKED = comparison(choices=("last", "layer_4", "mix_all"), encoders={"one": MadeUp()})
FILES = ("results.json", "results.csv")


class InterruptedAt:
    """Stops at the given call, counted from 0."""

    def __init__(self, call: int | None = None) -> None:
        self.call, self.seen = call, []

    def __call__(self, stage: str, done: int, total: int, label: str) -> None:
        self.seen.append((stage, done, total, label))
        if self.call is not None and len(self.seen) > self.call:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of an uninterrupted comparison, the calls, and what was trained."""
    Nearest.trained.clear()
    folder, watched = tmp_path_factory.mktemp("whole"), InterruptedAt()
    compare(ASKED, folder, extract=Extraction(), on_progress=watched)
    return {name: (folder / name).read_bytes() for name in FILES}, watched.seen, Counter(Nearest.trained)


def test_progress_counts_up_to_all_in_every_stage(whole):
    _, seen, trained = whole
    stages = list(dict.fromkeys(stage for stage, *_ in seen))
    assert stages == ["extract", "train", "evaluate"]
    for stage in stages:
        steps = [(done, total) for name, done, total, _ in seen if name == stage]
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert (steps[0][0], steps[-1][0]) == (0, steps[-1][1])
    assert max(total for stage, _, total, _ in seen if stage == "train") == trained.total()


def test_every_epoch_is_reported(whole):
    labels = [label for stage, _, _, label in whole[1] if stage == "train"]
    assert "one/sentence first last nearest, seed 1, epoch 2" in labels


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whenever_it_is_interrupted_it_goes_on_and_nothing_is_trained_twice(whole, tmp_path_factory, data):
    files, seen, trained = whole
    folder, extraction = tmp_path_factory.mktemp("interrupted"), Extraction()
    Nearest.trained.clear()
    for _ in range(data.draw(st.integers(1, 3), "interruptions")):
        call = data.draw(st.integers(0, len(seen) - 1), "call")
        try:
            compare(ASKED, folder, extract=extraction, on_progress=InterruptedAt(call))
        except KeyboardInterrupt:
            assert not (folder / "results.json").exists()
        else:
            break  # too little was left to do
    compare(ASKED, folder, extract=extraction)
    assert {name: (folder / name).read_bytes() for name in FILES} == files
    assert Counter(Nearest.trained) == trained
    assert extraction.num_made == 1
    assert not [file for file in (folder / "runs").iterdir() if file.suffix != ".json"]


def test_two_comparisons_do_not_work_in_one_folder(tmp_path):
    def start_another(*progress):
        compare(ASKED, tmp_path, extract=Extraction())

    with pytest.raises(StoreError, match=r"process \d+ on .* is at work there\. Wait for it"):
        compare(ASKED, tmp_path, extract=Extraction(), on_progress=start_another)
    compare(ASKED, tmp_path, extract=Extraction())


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write the comparison into .*file: Not a directory"):
        compare(ASKED, tmp_path / "file", extract=Extraction())


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path):
    asked = comparison(choices=("last",), seeds=(0,))
    with pytest.raises(KeyboardInterrupt):
        compare(asked, tmp_path, extract=Extraction(), on_progress=InterruptedAt(3))  # the first epoch
    assert [file.suffix for file in (tmp_path / "runs").iterdir()] == [".partial"]
    Nearest.trained.clear()
    compare(asked, tmp_path, extract=Extraction())
    assert not Nearest.trained
    assert [file.suffix for file in (tmp_path / "runs").iterdir()] == [".json"]
