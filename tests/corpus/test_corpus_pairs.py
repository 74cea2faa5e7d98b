"""Two texts a row, and what a word is in raw text."""

import json

import pytest
from corpus_contract import read
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.corpus import Csv, Jsonl, Lines, Tsv
from embedpipe.corpus.raw_text import character_spans, white_space_spans
from embedpipe.dataflow import Sentence, SentenceFlag
from embedpipe.errors import CorpusError

ROWS = [("A man sleeps.", "He  is awake.", "no"), ("", "b", "yes"), ("a", "", "yes"), ("x, y", 'the "dog"', "no")]


@pytest.fixture
def file(tmp_path):
    def write(text, name="pairs.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_table_with_a_second_column_gives_pairs(file):
    table = "premise\thypothesis\tlabel\n" + "".join("\t".join(row) + "\n" for row in ROWS)
    sentences = read(Tsv(file(table), text="premise", second="hypothesis", labels=("label",)))
    assert [(*s.texts, s.labels["label"]) for s in sentences] == ROWS
    assert [s.second_start for s in sentences] == [14, 1, 2, 5]
    assert [s.id for s in sentences] == ["doc-1/1", "doc-2/1", "doc-3/1", "doc-4/1"]
    assert all(s.spans is None and s.words == () for s in sentences)
    quoted = 'a,b\n"x, y","the ""dog"""\n'
    (sentence,) = read(Csv(file(quoted), text="a", second="b"))
    assert sentence.texts == ("x, y", 'the "dog"')
    (sentence,) = read(Csv(file("p,q\n"), text=0, second=1, header=False))
    assert sentence.texts == ("p", "q")


def test_json_lines_with_a_second_field_give_pairs_of_texts_or_of_words(file):
    lines = "".join(json.dumps({"text": a, "other": b, "label": c}) + "\n" for a, b, c in ROWS)
    sentences = read(Jsonl(file(lines), second="other", labels=("label",)))
    assert [(*s.texts, s.labels["label"]) for s in sentences] == ROWS
    words = {"tokens": ["don't", ""], "other": ["", "go", "."], "tags": ["a", "b", "c", "d", "e"], "same": 1}
    (sentence,) = read(Jsonl(file(json.dumps(words)), second="other", labels=("tags", "same")))
    assert sentence.words == ("don't", "", "", "go", ".")
    assert sentence.texts == ("don't ", " go .")
    assert (sentence.second_from, sentence.labels) == (2, {"tags": ("a", "b", "c", "d", "e"), "same": "1"})


def test_a_pair_is_empty_only_if_both_texts_have_no_words(file):
    def flags(first, second):
        return read(Jsonl(file(json.dumps({"words": first, "b": second})), words="words", second="b"))[0].flags

    assert (flags([], ["a"]), flags(["a"], []), flags([], [])) == (0, 0, SentenceFlag.EMPTY)
    assert flags(["a"], ["\ud800"]) == SentenceFlag.REPLACED_CHARACTERS


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (lambda path: Csv(path, second="c"), "text,b\nx,y\n", r":1: the header has no column 'c' \(second\): 'text', 'b'"),
        (lambda path: Jsonl(path, second="b"), '{"text": "a"}', r":1: the object has no field 'b' \(second\); it has 'text'"),
        (
            lambda path: Jsonl(path, second="b"),
            '{"text": "a", "b": null}',
            r"'b' \(second\) is null where a string was expected",
        ),
        (
            lambda path: Jsonl(path, second="b"),
            '{"tokens": [], "b": "x"}',
            r"'b' \(second\) is a string where a list of strings",
        ),
        (
            lambda path: Jsonl(path, words="w", second="b", labels=("l",)),
            '{"w": ["a"], "b": ["c"], "l": ["x"]}',
            r"'l' \(labels\) has 1 label for 2 words",
        ),
    ],
)
def test_a_second_text_that_is_not_there_is_an_error_with_its_place(reader, text, message, file):
    with pytest.raises(CorpusError, match=message):
        read(reader(file(text)))


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match=r"^second: is a string beside text and a list beside words"):
        Jsonl("a", text="t", words="w", second="s")
    with pytest.raises(ValueError, match=r"^words_by: 'characters', but the words are known already"):
        Jsonl("a", words="w", words_by="characters")
    with pytest.raises(ValueError, match=r"^second: does not go with word_index"):
        Csv("a", second="s", word_index="i", word_labels=("l",))
    with pytest.raises(ValueError, match=r"^words_by: does not go with word_index"):
        Csv("a", words_by="characters", word_index="i", word_labels=("l",))
    with pytest.raises(ValueError, match=r"^second: got 'b', but without a header"):
        Csv("a", text=0, second="b", header=False)


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_the_words_of_a_pair_are_those_of_its_texts_and_the_border_is_between_them(first, second):
    pair = Sentence.pair(Sentence.from_words("1", "d", first), Sentence.from_words("2", "d", second))
    assert pair.words == (*first, *second)
    assert pair.second_from == len(first)
    assert pair.texts == (" ".join(first), " ".join(second))
    assert (pair.id, bool(pair.flags & SentenceFlag.EMPTY)) == ("1", not first and not second)


CHINESE = "我 爱北京。I love 2024"


def test_words_of_raw_text_can_be_characters_or_what_white_space_separates(file):
    characters = read(Lines(file(CHINESE), words_by="characters"))
    assert characters[0].words == tuple(CHINESE.replace(" ", ""))
    assert read(Lines(file(CHINESE), words_by="white_space"))[0].words == ("我", "爱北京。I", "love", "2024")
    assert read(Lines(file(CHINESE)))[0].spans is None
    assert read(Lines(file(" \n"), words_by="characters"))[0].flags == SentenceFlag.EMPTY
    (row,) = read(Tsv(file("北京\t我爱\n"), text=0, second=1, header=False, words_by="characters"))
    assert (row.words, row.second_from) == (("北", "京", "我", "爱"), 2)
    (row,) = read(Jsonl(file('{"text": "北 京", "b": "x y"}'), second="b", words_by="white_space"))
    assert (row.words, row.second_from) == (("北", "京", "x", "y"), 2)


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("e\u0301a", ["e\u0301", "a"]),  # an accent
        ("\u0301a", ["\u0301", "a"]),  # one with nothing to stand on
        ("हिन्दी", ["हि", "न्", "दी"]),
        ("می\u200cخ", ["م", "ی\u200c", "خ"]),
        ("क्\u200dष", ["क्\u200dष"]),
        ("👨‍👩‍👧👍🏽", ["👨‍👩‍👧", "👍🏽"]),
        ("🇩🇪🇫🇷🇫", ["🇩🇪", "🇫🇷", "🇫"]),
        ("❤️1️⃣", ["❤️", "1️⃣"]),
        ("\u1112\u1161\u11abㅎ", ["\u1112\u1161\u11ab", "ㅎ"]),  # 한, decomposed
        ("が か\u3099", ["が", "か\u3099"]),
    ],
)
def test_a_character_is_one_as_a_person_counts_them(text, characters):
    assert [text[start:end] for start, end in character_spans(text)] == characters


@given(st.text())
def test_characters_cover_all_that_is_not_white_space_once_and_in_order(text):
    covered = [index for start, end in character_spans(text) for index in range(start, end)]
    assert covered == [index for start, end in white_space_spans(text) for index in range(start, end)]
