"""Pairs of texts in a store: where the second one starts goes through shards, masters, growth and verification."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import Sample, any_text, fixed_sample, make_sample

from embedpipe.dataflow import Sentence
from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store import export_store, open_store
from embedpipe.store.verify import verify

PLACE = "sentences/second_start"
TEXTS = [
    (["Wo", "ist", "東京"], ["In", "Japan", "."]),
    (["a"], None),
    ([], ["b", ""]),
    (["", "x"], []),
    (["🙂"], ["y", "🙂"]),
    ([], None),
    (["z"], ["z"]),
]
FIRST = [None if second is None else len(" ".join(first)) + 1 for first, second in TEXTS]


def pair_of(id: str, document: str, first: list[str], second: list[str] | None) -> Sentence:
    sentence = Sentence.from_words(id, document, first)
    if second is None:
        return sentence
    labels: dict[str, Any] = {"tag": tuple("t" for _ in (*first, *second)), "relation": "neutral"}
    return Sentence.pair(sentence, Sentence.from_words(id, document, second), labels=labels)


def sample_of(texts: Any = TEXTS) -> Sample:
    return make_sample([pair_of(str(n), f"d{n // 2}", *both) for n, both in enumerate(texts)])


def findings(path: Path) -> list[str]:
    """What verify finds but for what the samples make at random, and the provenance."""
    return [str(finding) for finding in verify(path) if finding.what.split(":")[0] not in ("provenance", "flags", "vectors")]


def second_starts(path: Path) -> list[int | None]:
    with open_store(path) as store:
        return [sentence.second_start for sentence in store]


@given(
    texts=st.lists(st.tuples(st.lists(any_text, max_size=3), st.none() | st.lists(any_text, max_size=3)), max_size=7),
    size=st.integers(1, 8),
    single=st.booleans(),
)
@settings(deadline=None, max_examples=10)
def test_pairs_come_back_as_they_were_given(
    texts: Any, size: int, single: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sample = sample_of(texts)
    path = sample.write(tmp_path_factory.mktemp("pairs") / "s.h5", size=size, single_file=single)
    with open_store(path) as store:
        for given_, stored in zip(sample.sentences, store, strict=True):
            assert stored.second_start == given_.second_start
            assert (stored.texts, stored.second_from, stored.words) == (given_.texts, given_.second_from, given_.words)
    with h5py.File(path) as file:
        expected = [-1 if sentence.second_start is None else sentence.second_start for sentence in sample.sentences]
        assert (PLACE in file) == any(start >= 0 for start in expected)
        assert PLACE not in file or file[PLACE][:].tolist() == expected
    assert findings(path) == []


@pytest.mark.parametrize("size", [2, 100])
def test_a_store_without_pairs_knows_nothing_of_them(tmp_path: Path, size: int) -> None:
    path = fixed_sample().write(tmp_path / "s.h5", size=size)
    for file_path in (path, *tmp_path.glob("s.h5.shards/*.h5")):
        with h5py.File(file_path) as file:
            assert PLACE not in file
    with open_store(path) as store:
        assert {(s.second_start, s.second_from, s.texts == (s.text,)) for s in store} == {(None, None, True)}
        assert "text" not in store.words_frame() and "second" not in store.sentences_frame()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_frames_say_which_text_a_word_is_of(tmp_path: Path, size: int) -> None:
    with open_store(sample_of().write(tmp_path / "s.h5", size=size)) as store:
        words, sentences = store.words_frame(), store.sentences_frame()
    sides = [side for first, second in TEXTS for side in [1] * len(first) + [2] * len(second or ())]
    assert words["text"].tolist() == sides
    assert sentences["text"].tolist() == [" ".join(first) for first, _ in TEXTS]
    assert [None if second is None else " ".join(second) for _, second in TEXTS] == [
        second if isinstance(second, str) else None for second in sentences["second"]
    ]


@pytest.mark.parametrize("stops", [(2, 7), (1, 2, 7)])
def test_a_grown_store_has_the_pairs_that_one_made_at_once_has(tmp_path: Path, stops: tuple[int, ...]) -> None:
    path = sample_of().grow(tmp_path / "s.h5", stops)
    assert second_starts(path) == FIRST
    assert findings(path) == []


def test_the_shard_that_a_single_file_becomes_is_the_one_that_a_run_of_shards_makes(tmp_path: Path) -> None:
    for name, single in (("apart", False), ("again", True)):
        sample_of().grow(tmp_path / f"{name}.h5", (3, 7), single_file=single)
    shards = [(tmp_path / f"{name}.h5.shards" / "000000.h5").read_bytes() for name in ("apart", "again")]
    assert shards[0] == shards[1]


@pytest.mark.parametrize("size", [2, 1000], ids=["shards", "one file"])
def test_npz_says_which_text_of_a_pair_each_word_is_of(tmp_path: Path, size: int) -> None:
    path = sample_of().write(tmp_path / "s.h5", size=size)
    export_store(path, tmp_path / "s.npz", "npz")
    with np.load(tmp_path / "s.npz") as found, open_store(path) as store:
        assert found["text"].tolist() == store.words_frame()["text"].tolist()
        assert found["second_from"].tolist() == [3, -1, 0, 2, 1, -1, 1]
        for (first, second), start, stop, at in zip(
            TEXTS, found["word_offsets"], found["word_offsets"][1:], found["second_from"], strict=False
        ):
            assert found["words"][start:stop].tolist() == [*first, *(second or [])]
            assert at == (-1 if second is None else len(first))


@pytest.mark.parametrize("size", [2, 1000], ids=["shards", "one file"])
def test_parquet_has_both_texts_of_a_pair_as_the_frames_have(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("embedpipe.store.export_parquet.SENTENCES_A_READ", 2)  # some portions are without pairs
    path = sample_of().write(tmp_path / "s.h5", size=size)
    for view in ("cls", "last", "pieces"):
        export_store(path, tmp_path / f"{view}.parquet", "parquet", views=[view])
    sentences, words, subwords = (
        parquet.read_table(tmp_path / f"{view}.parquet").to_pydict() for view in ("cls", "last", "pieces")
    )
    assert sentences["text"] == [" ".join(first) for first, _ in TEXTS]
    assert sentences["second"] == [None if second is None else " ".join(second) for _, second in TEXTS]
    with open_store(path) as store:
        assert words["text"] == store.words_frame()["text"].tolist()
        of_subwords = [(s, word) for s in store for word in s.word_of_subwords]
        assert subwords["word_index"] == [word for _, word in of_subwords]
        assert subwords["word"] == [s.words[word] for s, word in of_subwords]
        assert subwords["text"] == [s.text_of_words[word] for s, word in of_subwords] == store.subwords_frame()["text"].tolist()
        assert [s.text_of_words for s in store] == [(1,) * len(first) + (2,) * len(second or ()) for first, second in TEXTS]


def test_an_export_of_single_texts_has_nothing_of_pairs(tmp_path: Path) -> None:
    path = fixed_sample(5).write(tmp_path / "s.h5")
    export_store(path, tmp_path / "s.npz", "npz", views=["last"])
    with np.load(tmp_path / "s.npz") as found, open_store(path) as store:
        assert set(found) == {"ids", "words", "word_offsets", "label_ner", "label_genre", "last"}
        assert not store.has_pairs
    parquet = pytest.importorskip("pyarrow.parquet")
    for view, has_text in (("last", False), ("pieces", False), ("cls", True)):
        export_store(path, tmp_path / view, "parquet", views=[view])
        columns = parquet.read_table(tmp_path / view).column_names
        assert ("text" in columns, "second" in columns) == (has_text, False)


def test_a_label_with_the_name_of_the_column_of_second_texts_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    words = [Sentence.from_words("s", "d", ["a"]), Sentence.from_words("s", "d", ["b"])]
    path = make_sample([Sentence.pair(*words, labels={"second": "x"})]).write(tmp_path / "s.h5")
    with pytest.raises(StoreError, match="two columns would be called 'second'"):
        export_store(path, tmp_path / "s.parquet", "parquet", views=["cls"])
    path = make_sample([Sentence.from_words("s", "d", ["a"], labels={"second": "x"})]).write(tmp_path / "t.h5")
    export_store(path, tmp_path / "t.parquet", "parquet", views=["cls"])


def edit(path: Path, row: int, value: int) -> None:
    with h5py.File(path, "r+") as file:
        file[PLACE][row] = value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "its second text starts at character 0 of a text of 20"),
        (21, "its second text starts at character 21 of a text of 20"),
        (-2, "its second text starts at character -2 of a text of 20"),
        (4, "word 1 is at characters 3 to 6, and the second text starts at 4, behind a space"),
    ],
)
def test_a_border_that_cannot_be_is_found(tmp_path: Path, value: int, message: str) -> None:
    path = sample_of().write(tmp_path / "s.h5")
    edit(path, 0, value)
    assert any(f"pairs: {message}" in finding for finding in findings(path))
    assert any(f"{PLACE} is not what was written" in finding for finding in findings(path))


def test_a_master_that_says_something_else_than_its_shards_is_found(tmp_path: Path) -> None:
    path = sample_of().write(tmp_path / "s.h5", size=3)
    edit(path, 4, 3)
    assert any(f"its {PLACE} differ from those of the shard" in finding for finding in findings(path))


def test_a_border_that_has_been_removed_is_missed(tmp_path: Path) -> None:
    for size, message in ((100, f"{PLACE} was written, and is not there"), (3, f"its {PLACE} differ from those of the shard")):
        path = sample_of().write(tmp_path / f"{size}.h5", size=size)
        with h5py.File(path, "r+") as file:
            del file[PLACE]
        assert any(message in finding for finding in findings(path))


@pytest.mark.parametrize("damage", ["external", "soft", "short", "float", "virtual"])
def test_a_border_that_leads_elsewhere_or_has_another_form_is_refused(tmp_path: Path, damage: str) -> None:
    path = sample_of().write(tmp_path / "s.h5")
    shutil.copy(path, tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file[PLACE]
        if damage == "external":
            file[PLACE] = h5py.ExternalLink("other.h5", PLACE)
        elif damage == "soft":
            file[PLACE] = h5py.SoftLink("/sentences/flags")
        elif damage == "virtual":
            layout = h5py.VirtualLayout((len(TEXTS),), "<i4")
            layout[:] = h5py.VirtualSource("other.h5", PLACE, (len(TEXTS),))
            file.create_virtual_dataset(PLACE, layout)
        else:
            file[PLACE] = np.zeros(3, "<i4") if damage == "short" else np.zeros(len(TEXTS), "<f4")
    with pytest.raises(DamagedStoreError, match=r"second_start"):
        open_store(path)


def test_a_start_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    sentence = Sentence("s", "d", "a b", ((0, 1), (2, 3)), second_start=2**31)
    with pytest.raises(StoreError, match="starts of second texts"):
        make_sample([sentence]).write(tmp_path / "s.h5")
    assert not (tmp_path / "s.h5").exists()


@given(byte=st.integers(0, 4 * len(TEXTS) - 1), flip=st.integers(1, 255), size=st.sampled_from([3, 100]))
@settings(deadline=None, max_examples=12)
def test_no_flipped_byte_of_the_borders_gets_past_the_errors(byte: int, flip: int, size: int, sound: dict[int, Path]) -> None:
    path = sound[size]
    with h5py.File(path) as file:
        offset = file[PLACE].id.get_offset() + byte
    content = path.read_bytes()
    path.write_bytes(content[:offset] + bytes([content[offset] ^ flip]) + content[offset + 1 :])
    try:
        assert findings(path) != []
        with open_store(path) as store:
            for sentence in store:
                assert len(sentence.texts) in (1, 2) and len(sentence.words) == sentence.num_words
            assert len(store.words_frame()) == store.num_words and len(store.sentences_frame()) == len(TEXTS)
    finally:
        path.write_bytes(content)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A master and a single file."""
    return {size: sample_of().write(tmp_path_factory.mktemp("sound") / "s.h5", size=size) for size in (3, 100)}
