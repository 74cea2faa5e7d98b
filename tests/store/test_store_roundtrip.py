from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import VIEWS, Sample, fixed_sample, make_sample, samples

from embedpipe.dataflow import SentenceFlag, WordFlag
from embedpipe.errors import FeaturesError, StoreError
from embedpipe.store import Store, StoredSentence, id_index, made, open_store, shard_files


@pytest.fixture(scope="module")
def sample() -> Sample:
    return fixed_sample()


@pytest.fixture(scope="module", params=[1000, 5], ids=["one file", "shards"])
def path(sample: Sample, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    path = tmp_path_factory.mktemp("store") / "features.h5"
    return sample.write(path, size=request.param, provenance={"config": {"a": [1, "é"]}})


def assert_same(store: Store, sample: Sample) -> None:
    """Everything in the store is what was given to the writer."""
    names = set().union(*(sentence.labels for sentence in sample.sentences))
    units = {name: type(s.labels[name]) for s in sample.sentences for name in s.labels}
    assert len(store) == len(sample.sentences)
    assert list(store.ids) == [sentence.id for sentence in sample.sentences]
    assert set(store.label_names) == names
    assert dict(store.views) == VIEWS and list(store.views) == list(VIEWS)
    for index, (source, stored) in enumerate(zip(sample.sentences, store, strict=True)):
        words, subwords = sample.ranges("word", index, index + 1), sample.ranges("subword", index, index + 1)
        missing = {name: (None,) * len(source.words) if units[name] is tuple else None for name in names}
        assert stored == StoredSentence(
            index=index,
            id=source.id,
            document=source.document,
            text=source.text,
            spans=source.spans,
            labels={**missing, **source.labels},
            flags=SentenceFlag(int(sample.sentence_flags[index])),
            word_flags=tuple(WordFlag(flag) for flag in sample.word_flags[words].tolist()),
            subword_ids=tuple(sample.subword_ids[subwords].tolist()),
            word_subwords=tuple(map(tuple, sample.word_subwords[words].tolist())),
            space_after=source.space_after,
        )
        assert stored.words == source.words and stored.num_subwords == sample.num_subwords[index]
        assert store[index] == store[index - len(store)] == store[source.id] == stored
        assert store.index_of(source.id) == store.ids.index(source.id) == index
        for name, info in VIEWS.items():
            expected = sample.rows[name][sample.ranges(info.unit, index, index + 1)]
            expected = expected[0] if info.unit == "sentence" else expected
            vectors = store.vectors(name, source.id)
            assert vectors.dtype == info.dtype
            np.testing.assert_array_equal(vectors, expected)


@given(samples(), st.integers(1, 10), st.booleans())
@settings(max_examples=35, deadline=None)
def test_what_is_written_is_read_whatever_the_shards(sample: Sample, size: int, single_file: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with open_store(sample.write(Path(folder, "s.h5"), size=size, single_file=single_file)) as store:
            assert_same(store, sample)
            assert not len(store) or np.array_equal(store.indices(list(store.ids)[::-1]), np.arange(len(store))[::-1])


@given(samples())
@settings(max_examples=8, deadline=None)
def test_ids_are_found_although_all_their_hashes_are_equal(sample: Sample) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for module in (id_index, made):
            patch.setattr(module, "hash_ids", lambda ids: np.zeros(len(ids), "<u8"))
        with open_store(sample.write(Path(folder, "s.h5"), size=2)) as store:
            assert_same(store, sample)
            assert "not there at all" not in store


def test_store_that_was_compressed_by_another_tool_reads_the_same(sample: Sample, path: Path, tmp_path: Path) -> None:
    """Of a sharded store that is one whole file, as the virtual datasets are read and written out."""
    repacked = tmp_path / "repacked.h5"

    def copy_compressed(name: str, entry: h5py.Group | h5py.Dataset) -> None:
        if name == "shards":
            return
        if isinstance(entry, h5py.Dataset):
            new = target.create_dataset(name, data=entry[...], compression="gzip" if entry.size else None)
        else:
            new = target.require_group(name)
        new.attrs.update(entry.attrs)

    with h5py.File(path) as source, h5py.File(repacked, "w") as target:
        source.visititems(copy_compressed)
        target.attrs.update(source.attrs)
    with open_store(repacked) as store:
        assert_same(store, sample)


def test_store_without_sentences_can_be_read(tmp_path: Path) -> None:
    with open_store(fixed_sample(0).write(tmp_path / "s.h5")) as store:
        assert list(store) == [] and list(store.ids) == [] and store[:] == []
        assert store.matrix("last").shape == (0, 5) and np.asarray(store.matrix("half/all")).shape == (0, 2, 3)
        assert len(store.words_frame()) == len(store.sentences_frame()) == 0
        with pytest.raises(FeaturesError, match="has no sentence 'x'"):
            store["x"]


def test_provenance_and_summary_are_read_back(path: Path) -> None:
    with open_store(path) as store:
        assert store.provenance == {"config": {"a": [1, "é"]}}
        assert store.format_version == 1 and store.path == path
        assert "12 sentences" in repr(store) and "last" in repr(store)
        assert "'doc-0/0'" in repr(store.ids)


def test_rows_are_given_for_a_view_and_for_a_unit(sample: Sample, path: Path) -> None:
    with open_store(path) as store:
        for index in range(len(store)):
            assert store.rows("last", index) == store.rows("word", store[index]) == sample.ranges("word", index, index + 1)
            assert store.rows("pieces", index) == store.rows("subword", index) == sample.ranges("subword", index, index + 1)
            assert store.rows("cls", index) == store.rows("sentence", index) == slice(index, index + 1)


@pytest.mark.parametrize(
    "key", [slice(None), slice(2, 7), slice(7, 2), slice(None, None, -2), slice(-3, 99), slice(5, None, 3)]
)
def test_slices_of_sentences_and_ids_are_those_of_a_list(path: Path, key: slice) -> None:
    with open_store(path) as store:
        assert store[key] == list(store)[key]
        assert store.ids[key] == list(store.ids)[key]


def test_sentence_of_another_store_is_looked_up_by_its_id(path: Path, tmp_path: Path) -> None:
    with (
        open_store(path) as store,
        open_store(make_sample(list(fixed_sample().sentences[3:5])).write(tmp_path / "other.h5")) as other,
    ):
        assert store.index_of(other[1]) == 4
        np.testing.assert_array_equal(store.vectors("last", other[1]), store.vectors("last", 4))
        assert store[4] in store and other[1] not in store and "doc-0/0" in store and 3 not in store


def test_unknown_names_are_answered_with_what_there_is(path: Path) -> None:
    with open_store(path) as store:
        with pytest.raises(FeaturesError, match=r"has no view 'lost'\. Did you mean 'last'\? It has: last, half/all"):
            store.vectors("lost", 0)
        with pytest.raises(FeaturesError, match="has no view 'words'"):
            store.rows("words", 0)
        with pytest.raises(FeaturesError, match=r"has no sentence 'doc-9'\. It has 12 ids, such as 'doc-0/0'"):
            store["doc-9"]
        with pytest.raises(FeaturesError, match="2 of the 3 ids asked for are not there"):
            store.indices(["a", "doc-0/0", "b"])
        for number in (12, -13):
            with pytest.raises(IndexError, match="12 sentences"):
                store[number]


def test_closed_store_says_that_it_is_closed(path: Path) -> None:
    store = open_store(path)
    matrix, ids, sentence = store.matrix("last"), store.ids, store[2]
    store.close()
    for read in (lambda: store[0], lambda: matrix[0], lambda: ids[0], lambda: store["doc-0/0"], store.words_frame):
        with pytest.raises(StoreError, match="has been closed"):
            read()
    assert sentence.id == "doc-0/2" and len(store) == 12
    store.close()


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_store_that_is_let_go_of_is_gone_without_a_search_for_garbage(path: Path, is_closed: bool) -> None:
    gc.disable()  # h5py looks through all that it has ever opened and that is not gone, each time that a file is closed
    try:
        store = open_store(path)
        assert store["doc-0/0"] == store[0] and len(store.matrix("last")[:]) and store.ids[1] == "doc-0/1"
        entries = weakref.ref(store.file._entries)
        if is_closed:
            store.close()
        del store
        assert entries() is None
    finally:
        gc.enable()


def test_store_travels_to_other_processes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with open_store(path.name) as store:
        pickled = pickle.dumps((store, store.matrix("last"), store[4]))
        monkeypatch.chdir("/")
        other, matrix, sentence = pickle.loads(pickled)
        assert other[:] == store[:] and sentence == store[4]
        np.testing.assert_array_equal(matrix, store.matrix("last"))
        twin = copy.copy(store)
        assert twin is not store and twin[4] == store[4]
        for opened in (other, twin, matrix._store):
            opened.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_store_opened_before_a_fork_is_read_after_it(path: Path) -> None:
    with open_store(path) as store:
        expected = store.vectors("last", 4)
        queue = multiprocessing.get_context("fork").SimpleQueue()
        child = multiprocessing.get_context("fork").Process(target=lambda: queue.put(store.vectors("last", "doc-1/1")))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        np.testing.assert_array_equal(queue.get(), expected)


def test_file_that_is_open_in_h5py_can_be_opened_as_a_store(path: Path) -> None:
    for locking in (None, False):
        with h5py.File(path, "r", locking=locking), open_store(path) as store:
            assert len(store) == 12
    with open_store(path) as store, h5py.File(path) as file:
        np.testing.assert_array_equal(file["views/last"][:], store.matrix("last"))


def test_shards_are_opened_when_they_are_needed_and_only_the_latest_stay_open(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sample.write(tmp_path / "s.h5", size=2)
    opened: list[int] = []
    original = shard_files.ShardFiles._open

    def note(self: shard_files.ShardFiles, index: int) -> object:
        opened.append(index)
        return original(self, index)

    monkeypatch.setattr(shard_files.ShardFiles, "_open", note)
    monkeypatch.setattr(shard_files, "MAX_OPEN_FILES", 3)
    with open_store(path) as store:
        assert (len(store), store.num_words, store.ids[11], store.index_of("doc-3/0")) == (12, 21, "doc-3/2", 9)
        assert opened == []
        num_open = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
        for index in (9, 9, 2, 9):
            store.vectors("last", index)
        assert opened == [4, 1]
        np.testing.assert_array_equal(store.matrix("last"), sample.rows["last"])
        assert_same(store, sample)
        if num_open:
            assert len(list(Path("/proc/self/fd").iterdir())) <= num_open + 3


def test_many_threads_read_a_sharded_store_at_once(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_files, "MAX_OPEN_FILES", 2)
    with open_store(sample.write(tmp_path / "s.h5", size=1)) as store, ThreadPoolExecutor(8) as pool:
        expected = [store.vectors("cls", index) for index in range(12)]
        for index, vectors in zip([*range(12)] * 40, pool.map(lambda i: store.vectors("cls", i % 12), range(480)), strict=True):
            np.testing.assert_array_equal(vectors, expected[index])
