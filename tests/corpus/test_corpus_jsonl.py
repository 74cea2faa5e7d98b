"""JSON Lines: fields, labels, exact spacing."""

import json

import pytest
from corpus_contract import fault, read, write

from embedpipe.corpus import Jsonl
from embedpipe.dataflow import ReadLog, SentenceFlag


@pytest.fixture
def jsonl(tmp_path):
    def make(*records, **fields):
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        return Jsonl(write(tmp_path / "a.jsonl", "".join(line + "\n" for line in lines)), **fields)

    return make


@pytest.mark.parametrize("field", ["words", "tokens"])
def test_the_first_object_decides_between_text_and_words(jsonl, field):
    assert read(jsonl({"text": "a b"}))[0].spans is None
    assert read(jsonl({field: ["a", "b"], "x": 1}))[0].words == ("a", "b")


def test_text_and_words_together_keep_the_spacing(jsonl):
    (sentence,) = read(jsonl({"text": " Don't  go.", "w": ["Do", "n't", "go", "."]}, text="text", words="w"))
    assert sentence.text == " Don't  go."
    assert sentence.spans == ((1, 3), (3, 6), (8, 10), (10, 11))


def test_labels_are_of_the_sentence_or_of_its_words(jsonl):
    record = {"words": ["a", "b"], "ner": ["O", 3], "y": 1, "z": True, "f": 0.5, "s": "x"}
    assert read(jsonl(record, labels=("ner", "y", "z", "f", "s")))[0].labels == {
        "ner": ("O", "3"),
        "y": "1",
        "z": "true",
        "f": "0.5",
        "s": "x",
    }


def test_ids_and_documents_are_kept_verbatim(jsonl):
    corpus = jsonl({"text": "a", "i": "x/y z", "d": 7}, {"text": "b", "i": 12, "d": ""}, id="i", document="d")
    assert [(s.id, s.document) for s in read(corpus)] == [("x/y z", "7"), ("12", "")]


def test_sentences_are_counted_in_their_documents_even_where_these_alternate(jsonl):
    corpus = jsonl(*({"text": "a", "d": d} for d in "xyx"), document="d")
    assert [s.id for s in read(corpus)] == ["x/1", "y/1", "x/2"]


def test_each_object_is_a_document_where_none_is_named(jsonl):
    assert [s.id for s in read(jsonl({"text": "a"}, {"text": "b"}))] == ["doc-1/1", "doc-2/1"]


def test_empty_sentences_keep_their_row(jsonl):
    assert [s.text for s in read(jsonl({"text": "a"}, {"text": ""}, {"text": "b"}))] == ["a", "", "b"]
    empty = read(jsonl({"words": []}))[0]
    assert (empty.words, empty.flags) == ((), SentenceFlag.EMPTY)
    assert read(jsonl({"text": " ", "words": []}, text="text", words="words"))[0].flags == SentenceFlag.EMPTY


@pytest.mark.parametrize("fields", [{"text": "t"}, {"words": "w"}, {"text": "t", "words": "w"}])
def test_lone_surrogates_are_replaced_and_flagged(jsonl, fields):
    (sentence,) = read(jsonl('{"t": "a \\ud800b c", "w": ["a", "\\ud800b", "c"]}', **fields))
    assert sentence.text == "a \ufffdb c"
    assert sentence.flags == SentenceFlag.REPLACED_CHARACTERS
    if sentence.spans is not None:
        assert sentence.words == ("a", "\ufffdb", "c")


def test_blank_lines_are_skipped_with_a_warning(jsonl):
    log = ReadLog()
    corpus = jsonl({"text": "a"}, "", {"text": "b"}, " ")
    assert [s.text for s in corpus.sentences(log)] == ["a", "b"]
    assert log.warnings["blank-line"].places == [f"{corpus.path}:2", f"{corpus.path}:4"]


def test_an_id_given_twice_names_both_lines(jsonl):
    corpus = jsonl({"text": "a", "id": 1}, {"text": "b", "id": "1"}, id="id")
    assert fault(corpus) == f"{corpus.path}:2: the id '1' is used twice, first at {corpus.path}:1; ids must be unique"


def test_the_same_file_twice_repeats_its_ids(jsonl):
    path = jsonl({"text": "a", "id": 1}).path
    assert "used twice" in fault(Jsonl((path, path), id="id"))


def test_what_the_first_object_decides_holds_for_all_files(tmp_path):
    paths = (write(tmp_path / "a", '{"text": "a b"}\n'), write(tmp_path / "b", '{"text": "c d", "words": ["x"]}\n'))
    assert [s.text for s in read(Jsonl(paths))] == ["a b", "c d"]
