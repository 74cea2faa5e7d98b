"""Stores written into files of other formats, and read there."""

from __future__ import annotations

import json
import sys

import h5py
import numpy as np
import pytest
from store_samples import VIEWS, fixed_sample, make_sample

from embedpipe.dataflow import Sentence
from embedpipe.errors import FeaturesError, StoreError
from embedpipe.store import EXPORT_FORMATS, export_store, open_store


@pytest.fixture(scope="module", params=[5, 1000], ids=["shards", "one file"])
def sample(request, tmp_path_factory):
    sample = fixed_sample(23)
    return sample, sample.write(tmp_path_factory.mktemp("store") / "s.h5", size=request.param)


def test_npz_has_every_row_of_every_view_with_the_words_that_they_are_of(sample, tmp_path):
    sample, path = sample
    done = []
    export_store(path, tmp_path / "s.npz", "npz", on_progress=lambda rows, total: done.append((rows, total)))
    with np.load(tmp_path / "s.npz", allow_pickle=False) as found:
        for name, rows in sample.rows.items():
            assert (found[name].dtype, found[name].tobytes()) == (rows.dtype, rows.tobytes())
            assert found[name].shape == rows.shape
        assert found["ids"].tolist() == [sentence.id for sentence in sample.sentences]
        assert found["words"].tolist() == [word for sentence in sample.sentences for word in sentence.words]
        assert found["word_offsets"].tolist() == sample.word_offsets.tolist()
        assert found["subword_offsets"].tolist() == sample.subword_offsets.tolist()
        assert found["word_subwords"].tolist() == sample.word_subwords.tolist()
        assert found["label_ner"].tolist() == [tag for sentence in sample.sentences for tag in sentence.labels["ner"]]
        assert found["label_genre"].tolist() == [sentence.labels.get("genre", "") for sentence in sample.sentences]
    total = sum(map(len, sample.rows.values()))
    assert done[-1] == (total, total)


def test_npz_of_chosen_views_has_no_others_and_equal_stores_give_equal_files(sample, tmp_path):
    _, path = sample
    for name in ("a.npz", "b.npz"):
        export_store(path, tmp_path / name, "npz", views=["cls"])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as found:
        assert set(found) == {"ids", "words", "word_offsets", "label_ner", "label_genre", "cls"}


def test_an_empty_store_is_exported_too(tmp_path):
    path = make_sample([Sentence.from_words("s", "d", [])]).write(tmp_path / "s.h5")
    export_store(path, tmp_path / "s.npz", "npz")
    export_store(path, tmp_path / "s.hdf5", "allennlp-elmo", views=["last"])
    with np.load(tmp_path / "s.npz") as found, h5py.File(tmp_path / "s.hdf5") as file:
        assert found["last"].shape == (0, 5)
        assert found["words"].tolist() == []
        assert file["0"].shape == (0, 5)


def test_allennlp_elmo_has_a_dataset_a_sentence_layers_first_and_an_index(sample, tmp_path):
    sample, path = sample
    for view, layers_first in (("last", False), ("half/all", True)):
        target = tmp_path / view.replace("/", "-")
        export_store(path, target, "allennlp-elmo", views=[view])
        with h5py.File(target) as file, open_store(path) as store:
            assert len(file) == len(store) + 1
            index = json.loads(file["sentence_to_index"][0])
            for sentence in store:
                vectors = store.vectors(view, sentence)
                expected = vectors.transpose(1, 0, 2) if layers_first else vectors
                found = file[str(sentence.index)]
                assert (found.dtype, found.shape) == (np.float32, expected.shape)
                assert np.array_equal(found[...], expected)
                assert int(index[" ".join(sentence.words)]) >= sentence.index


@pytest.mark.parametrize("views", [[], ["cls"], ["last", "half/all"], ["pieces"]])
def test_allennlp_elmo_is_for_one_view_of_words(views, sample, tmp_path):
    with pytest.raises(StoreError, match=r"one view of words; choose it with --view. Views of words here: last, half/all"):
        export_store(sample[1], tmp_path / "e.hdf5", "allennlp-elmo", views=views)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_nothing_is_ever_replaced_and_nothing_half_written_is_left(format, sample, tmp_path, monkeypatch):
    target = tmp_path / "out"
    target.write_text("mine")
    with pytest.raises(StoreError, match="something is there already, and nothing is replaced"):
        export_store(sample[1], target, format, views=["last"])
    assert target.read_text() == "mine"
    with pytest.raises(StoreError, match=r"the folder .* does not exist"):
        export_store(sample[1], tmp_path / "none" / "out", format, views=["last"])
    with pytest.raises(FeaturesError, match=r"has no view 'lst'. Did you mean 'last'"):
        export_store(sample[1], tmp_path / "new", format, views=["lst"])

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("embedpipe.store.matrix.ViewMatrix.read", fail)
    if format != "parquet":
        with pytest.raises(StoreError, match=r"exporting .* to .*: it cannot be written: No space left on device"):
            export_store(sample[1], tmp_path / "new", format, views=["last"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_came_meanwhile_is_not_replaced(sample, tmp_path):
    target = tmp_path / "out.npz"
    with pytest.raises(StoreError, match="something is there already"):
        export_store(sample[1], target, "npz", on_progress=lambda done, total: target.write_text("mine"))
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_a_format_that_is_not_one_is_told(sample, tmp_path):
    with pytest.raises(StoreError, match="'csv' is not a format to export to; choose one of npz, parquet, allennlp-elmo"):
        export_store(sample[1], tmp_path / "out", "csv")


def test_a_view_with_the_name_of_another_array_of_npz_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(VIEWS, "ids", VIEWS["last"])
    path = fixed_sample(3).write(tmp_path / "s.h5")
    with pytest.raises(StoreError, match="the view 'ids' has the name of another array of the file; leave it out: --view last"):
        export_store(path, tmp_path / "s.npz", "npz")
    export_store(path, tmp_path / "s.npz", "npz", views=["last"])


def test_words_that_would_fill_the_memory_of_an_npz_are_told(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("embedpipe.store.export_npz._MOST_TEXT_BYTES", 100)
    with pytest.raises(StoreError, match=r"'ids' would take .* GiB as an array of numpy; export to parquet instead"):
        export_store(sample[1], tmp_path / "s.npz", "npz")


def test_parquet_without_pyarrow_says_what_to_install(sample, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StoreError, match=r"parquet needs pyarrow; run: pip install 'embedpipe\[parquet\]'"):
        export_store(sample[1], tmp_path / "s.parquet", "parquet", views=["last"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("views", [["last", "half/all"], ["pieces"], ["cls", ".."]])
def test_parquet_has_a_row_a_unit_with_its_text_labels_and_vectors(views, sample, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    sample, path = sample
    export_store(path, tmp_path / "s.parquet", "parquet", views=views)
    table = parquet.read_table(tmp_path / "s.parquet")
    for view in views:
        expected = sample.rows[view]
        assert np.array_equal(np.array(table[view].to_pylist(), dtype=expected.dtype), expected)
    unit = VIEWS[views[0]].unit
    sentences = sample.sentences
    if unit == "word":
        assert table["word"].to_pylist() == [word for sentence in sentences for word in sentence.words]
        assert table["word_index"].to_pylist() == [n for sentence in sentences for n in range(len(sentence.words))]
        assert table["ner"].to_pylist() == [tag for sentence in sentences for tag in sentence.labels["ner"]]
        assert table["flags"].to_pylist() == sample.word_flags.tolist()
        assert table["sentence_id"].to_pylist() == [sentence.id for sentence in sentences for _ in sentence.words]
    elif unit == "sentence":
        assert table["text"].to_pylist() == [sentence.text for sentence in sentences]
        assert table["genre"].to_pylist() == [sentence.labels.get("genre") for sentence in sentences]
        assert table["flags"].to_pylist() == sample.sentence_flags.tolist()
    else:
        assert table["subword_id"].to_pylist() == sample.subword_ids.tolist()


def test_parquet_is_for_views_of_one_unit(sample, tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(StoreError, match=r"rows of one unit; choose views of one with --view. Views here: last \(word\)"):
        export_store(sample[1], tmp_path / "s.parquet", "parquet")
    assert not list(tmp_path.iterdir())


def test_ids_with_lone_surrogates_go_into_npz(tmp_path):
    path = make_sample([Sentence.from_words("\ud800", "d", ["a"])]).write(tmp_path / "s.h5")
    export_store(path, tmp_path / "s.npz", "npz", views=["last"])
    with np.load(tmp_path / "s.npz") as found:
        assert found["ids"].tolist() == ["\ud800"]


def test_parquet_says_that_it_cannot_hold_ids_with_lone_surrogates(tmp_path):
    pytest.importorskip("pyarrow")
    path = make_sample([Sentence.from_words("\ud800", "d", ["a"])]).write(tmp_path / "s.h5")
    with pytest.raises(StoreError, match="in the column 'sentence_id' has a lone surrogate"):
        export_store(path, tmp_path / "s.parquet", "parquet", views=["last"])
