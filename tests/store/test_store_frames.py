from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from store_samples import fixed_sample, make_sample

from embedpipe.dataflow import Sentence
from embedpipe.store import open_store


def test_words_frame_has_one_line_a_row_of_word_views(tmp_path: Path) -> None:
    sample = fixed_sample()
    with open_store(sample.write(tmp_path / "s.h5")) as store:
        frame = store.words_frame()
        assert list(frame) == ["sentence_id", "document", "row", "word_index", "word", "ner", "flags"]
        expected = [
            (s.id, s.document, k, w, n) for s in store for k, (w, n) in enumerate(zip(s.words, s.labels["ner"], strict=True))
        ]
        columns = ["sentence_id", "document", "word_index", "word", "ner"]
        assert list(frame[columns].itertuples(index=False, name=None)) == expected
        assert frame["row"].tolist() == list(range(len(store.matrix("last"))))
        assert frame["flags"].tolist() == sample.word_flags.tolist()
        assert all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in ("sentence_id", "document", "ner"))


def test_subwords_frame_has_one_line_a_row_of_subword_views_with_their_words(tmp_path: Path) -> None:
    sample = fixed_sample()
    with open_store(sample.write(tmp_path / "s.h5", size=5)) as store:
        frame = store.subwords_frame()
        of_word = ["word_index", "word", "ner", "flags"]
        assert list(frame) == ["sentence_id", "document", "row", "subword_index", "subword_id", *of_word]
        expected = [(s.id, s.document, k, id) for s in store for k, id in enumerate(s.subword_ids)]
        own = ["sentence_id", "document", "subword_index", "subword_id"]
        assert list(frame[own].itertuples(index=False, name=None)) == expected
        assert frame["row"].tolist() == list(range(len(store.matrix("pieces"))))
        words = [(s, word) for s in store for word in s.word_of_subwords]
        assert frame["word_index"].tolist() == [word for _, word in words]
        assert frame["word"].tolist() == [s.words[word] for s, word in words]
        assert frame["ner"].tolist() == [s.labels["ner"][word] for s, word in words]
        assert frame["flags"].tolist() == [int(s.word_flags[word]) for s, word in words]


def test_a_subword_is_of_the_first_word_that_has_it_or_of_none(tmp_path: Path) -> None:
    sample = make_sample([Sentence.from_words("s", "d", ["a"]), Sentence.from_words("t", "d", ["b", "c", "d"])])
    shared = replace(
        sample,
        num_subwords=np.array([2, 5]),
        subword_ids=np.arange(7),
        word_subwords=np.array([[1, 2], [1, 3], [2, 4], [4, 4]]),
        rows={**sample.rows, "pieces": np.zeros((7, 2), np.float32)},
    )
    with open_store(shared.write(tmp_path / "s.h5")) as store:
        assert [sentence.word_of_subwords for sentence in store] == [(None, 0), (None, 0, 0, 1, None)]
        frame = store.subwords_frame()
        assert frame["word_index"].dropna().tolist() == [0, 0, 0, 1]
        for column in ("word_index", "word", "flags"):
            assert frame[column].isna().tolist() == [True, False, True, False, False, False, True]
        assert frame["word"].dropna().tolist() == ["a", "b", "b", "c"]


def test_sentences_frame_has_one_line_a_row_of_sentence_views(tmp_path: Path) -> None:
    with open_store(fixed_sample().write(tmp_path / "s.h5")) as store:
        frame = store.sentences_frame()
        assert list(frame) == ["sentence_id", "document", "row", "text", "num_words", "num_subwords", "genre", "flags"]
        for line, sentence in zip(frame.to_dict("records"), store, strict=True):
            assert (line["sentence_id"], line["document"], line["text"]) == (sentence.id, sentence.document, sentence.text)
            assert (line["row"], line["num_words"], line["num_subwords"]) == (
                sentence.index,
                sentence.num_words,
                sentence.num_subwords,
            )
            assert line["genre"] == sentence.labels["genre"] or (pd.isna(line["genre"]) and sentence.labels["genre"] is None)


def test_label_named_like_a_column_gets_a_column_of_its_own(tmp_path: Path) -> None:
    labels = {"word": ("A",), "flags": ("B",), "label_word": ("C",)}
    sample = make_sample([Sentence.from_words("s", "d", ["x"], labels=labels)])
    with open_store(sample.write(tmp_path / "s.h5")) as store:
        frame = store.words_frame()
        assert frame.loc[0, ["word", "label_word", "label_flags", "label_label_word"]].tolist() == ["x", "A", "B", "C"]


def test_a_label_named_like_a_column_of_another_frame_has_one_name_in_all(tmp_path: Path) -> None:
    labels = {"subword_id": ("A",), "subword_index": ("B",)}
    sample = make_sample([Sentence.from_words("s", "d", ["x"], labels=labels)])
    shared = replace(sample, num_subwords=np.array([1]), subword_ids=np.array([7]), word_subwords=np.array([[0, 1]]))
    shared = replace(shared, rows={**sample.rows, "pieces": np.zeros((1, 2), np.float32)})
    with open_store(shared.write(tmp_path / "s.h5")) as store:
        words, subwords = store.words_frame(), store.subwords_frame()
        assert subwords.columns.is_unique
        for frame in (words, subwords):
            assert frame.loc[0, ["label_subword_id", "label_subword_index"]].tolist() == ["A", "B"]
        assert subwords.loc[0, "subword_id"] == 7


def test_document_that_comes_back_is_one_category(tmp_path: Path) -> None:
    sample = make_sample([Sentence.from_words(str(k), d, ["x"]) for k, d in enumerate("aabba")])
    with open_store(sample.write(tmp_path / "s.h5", size=2)) as store:
        assert store.sentences_frame()["document"].cat.categories.tolist() == ["a", "b"]
        assert store.words_frame()["document"].tolist() == list("aabba")


def test_frame_rows_select_the_vectors_of_a_query(tmp_path: Path) -> None:
    sample = fixed_sample()
    with open_store(sample.write(tmp_path / "s.h5")) as store:
        frame = store.words_frame()
        rows = frame.loc[frame["ner"] == "B-LOC", "row"]
        assert 0 < len(rows) < len(frame)
        np.testing.assert_array_equal(store.matrix("last")[rows], sample.rows["last"][rows.to_numpy()])


def test_ids_with_lone_surrogates_go_into_frames(tmp_path: Path) -> None:
    sample = make_sample([Sentence.from_words("\ud800", "d", ["x"])])
    with open_store(sample.write(tmp_path / "s.h5")) as store:
        assert store.sentences_frame()["sentence_id"].tolist() == ["\ud800"]
