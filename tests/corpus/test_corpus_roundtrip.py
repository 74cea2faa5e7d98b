"""Whatever is written in a format is read back the same."""

import csv
import io
import json
import tempfile
from pathlib import Path

from corpus_contract import read, write
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.corpus import Conll2003, Conllu, Csv, Jsonl, Tsv, Words

quick = settings(max_examples=60, deadline=None)

EMPTY_COLUMNS = "\t_" * 8

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
any_words = st.lists(st.lists(any_text.filter(bool), min_size=1, max_size=5), min_size=1, max_size=5)
one_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1, max_size=12)
line_words = st.lists(st.lists(one_line, min_size=1, max_size=5), min_size=1, max_size=5)


def read_back(kind, content, **fields):
    with tempfile.TemporaryDirectory() as folder:
        return read(kind(write(Path(folder) / "a", content), **fields))


@quick
@given(line_words)
def test_tabbed_words_of_any_characters_come_back(corpus):
    # A byte order mark in front makes a word that starts with U+FEFF safe, as it would for any writer.
    content = "\ufeff" + "\n".join("".join(f"{word}\tO\n" for word in sentence) for sentence in corpus)
    assert [list(s.words) for s in read_back(Conll2003, content)] == corpus


@quick
@given(line_words)
def test_conllu_words_of_any_characters_come_back(corpus):
    blocks = ["".join(f"{n}\t{word}{EMPTY_COLUMNS}\n" for n, word in enumerate(words, 1)) for words in corpus]
    assert [list(s.words) for s in read_back(Conllu, "\n".join(blocks))] == corpus


@quick
@given(any_words, st.booleans())
def test_json_words_of_any_characters_come_back(corpus, ascii_only):
    content = "".join(json.dumps({"words": words}, ensure_ascii=ascii_only) + "\n" for words in corpus)
    assert [list(s.words) for s in read_back(Jsonl, content)] == corpus


@quick
@given(any_words, st.lists(st.sampled_from(["", " ", "  "]), min_size=30, max_size=30))
def test_json_words_in_their_text_keep_its_spacing(corpus, gaps):
    texts = ["".join(word + gap for word, gap in zip(words, gaps, strict=False)) for words in corpus]
    content = "".join(json.dumps({"t": text, "w": words}) + "\n" for text, words in zip(texts, corpus, strict=True))
    sentences = read_back(Jsonl, content, text="t", words="w")
    assert [s.text for s in sentences] == texts
    assert [list(s.words) for s in sentences] == corpus


@quick
@given(st.lists(st.tuples(any_text, any_text), min_size=1, max_size=6), st.sampled_from([",", ";", "\t"]))
def test_csv_fields_of_any_characters_come_back(rows, delimiter):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("text", "y"), *rows])
    sentences = read_back(Csv, written.getvalue(), labels=("y",), delimiter=delimiter)
    assert [(s.text, s.labels["y"]) for s in sentences] == rows


@quick
@given(st.lists(st.tuples(one_line, one_line), min_size=1, max_size=6))
def test_tsv_fields_of_any_characters_come_back(rows):
    content = "\ufefftext\ty\n" + "".join(f"{text}\t{y}\n" for text, y in rows)
    assert [(s.text, s.labels["y"]) for s in read_back(Tsv, content, labels=("y",))] == rows


@quick
@given(st.lists(st.lists(st.text("ab\u200b\x85\x1c\0é中", min_size=1, max_size=4), max_size=5), min_size=1, max_size=5))
def test_words_on_a_line_come_back(corpus):
    content = "".join(" ".join(words) + "\n" for words in corpus)
    assert [list(s.words) for s in read_back(Words, content)] == corpus
