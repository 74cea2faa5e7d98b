"""Files of vectors in every format: what is read is what is in them, and what is wrong with one is told with its line."""

from __future__ import annotations

import gzip
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from static_files import VECTORS, WORDS, binary_of, fasttext_of, fasttext_table, load, text_of, vectors_of, write

from embedpipe.encoders import Static
from embedpipe.encoders.static.cache import load_table
from embedpipe.errors import EncoderError

FORMATS = {
    "glove": ("glove", lambda words, rows: text_of(words, rows, header=False)),
    "word2vec": ("word2vec_text", lambda words, rows: text_of(words, rows, header=True)),
    "fasttext.vec": ("word2vec_text", lambda words, rows: text_of(words, rows, header=True, end=" ")),
    "windows": ("word2vec_text", lambda words, rows: text_of(words, rows, header=True, end="\r")),
    "binary": ("word2vec_binary", binary_of),
    "gensim.bin": ("word2vec_binary", lambda words, rows: binary_of(words, rows, newline=b"")),
}

words = st.text(st.characters(exclude_categories=["Cs", "Z"], exclude_characters="\n\r\t\v\f \x00"), min_size=1, max_size=12)
"""Without white space, which only some of GloVe's have."""


@pytest.mark.parametrize("name", FORMATS)
def test_vectors_are_those_of_the_file_bit_by_bit_and_the_format_is_told_by_its_content(name, tmp_path):
    format, made = FORMATS[name]
    encoder = load(write(tmp_path / "vectors.any", made(WORDS, VECTORS)))
    assert encoder.description["architecture"] == f"static vectors ({format})"
    assert np.array_equal(vectors_of(encoder, WORDS), VECTORS)
    assert [encoder.vocabulary.units(word).ids for word in WORDS] == [(row,) for row in range(len(WORDS))]


@pytest.mark.parametrize("name", FORMATS)
def test_a_compressed_file_gives_the_same_whatever_its_name(name, tmp_path):
    content = gzip.compress(FORMATS[name][1](WORDS, VECTORS), mtime=0)
    assert np.array_equal(vectors_of(load(write(tmp_path / "v.bin", content)), WORDS), VECTORS)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(sorted(FORMATS)))
def test_any_words_and_vectors_come_back(tmp_path_factory, data, name):
    chosen = data.draw(st.lists(words, min_size=1, max_size=8, unique=True))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = data.draw(hnp.arrays(np.float32, (len(chosen), data.draw(st.integers(2, 6))), elements=finite))
    path = write(tmp_path_factory.mktemp("any") / "v", FORMATS[name][1](chosen, rows))
    table = load_table(path, FORMATS[name][0])
    assert [table.find(word.encode()) for word in chosen] == list(range(len(chosen)))
    assert table.take(np.arange(len(chosen))).tobytes() == rows.tobytes()
    assert np.allclose(table.mean, rows.astype(np.float64).mean(axis=0), rtol=1e-5, atol=1e-30)


def test_words_of_glove_may_have_spaces(tmp_path):
    spaced = ["the", ". . .", "at name@domain.com", "\u00a0", "x\u0085y"]
    encoder = load(write(tmp_path / "glove.840B", text_of(spaced, VECTORS[:5], header=False)))
    assert np.array_equal(vectors_of(encoder, spaced), VECTORS[:5])


def test_the_first_one_of_equal_words_counts_and_the_others_are_counted(tmp_path):
    encoder = load(write(tmp_path / "v", text_of(["a", "b", "a", "a"], VECTORS[:4], header=True)))
    assert np.array_equal(vectors_of(encoder, ["a", "b"]), VECTORS[:2])
    assert encoder.vocabulary.description["num_duplicates"] == 2


def test_words_that_are_not_utf8_keep_their_place_and_are_counted(tmp_path):
    content = text_of(["a", "XX", "b"], VECTORS[:3], header=True).replace(b"XX", b"\xff\xfe")
    encoder = load(write(tmp_path / "v", content))
    assert encoder.vocabulary.description["num_not_utf8"] == 1
    assert encoder.vocabulary.units("b").ids == (2,)


def test_blank_lines_at_the_end_are_nothing(tmp_path):
    encoder = load(write(tmp_path / "v", text_of(WORDS, VECTORS, header=True) + b"\n \n"))
    assert np.array_equal(vectors_of(encoder, WORDS), VECTORS)


def test_a_list_of_frequencies_is_not_taken_for_vectors_unless_it_is_said_to_be(tmp_path):
    path = write(tmp_path / "v", b"the 120\nof 80\n")
    with pytest.raises(EncoderError, match="is not a file of word vectors: it begins with 'the 120'"):
        load(path)
    assert vectors_of(load(path, format="glove"), ["of"]).tolist() == [[80.0]]


GOOD = text_of(["a", "b", "c"], VECTORS[:3], header=True)
LINES = GOOD.split(b"\n")
BINARY = binary_of(WORDS, VECTORS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "v: the file is empty"),
        (b"\n\n", "v: the file is empty"),
        (b"\n".join([*LINES[:2], b"b 0.1 0.2", *LINES[3:]]), "v:3: a word and 2 numbers; expected 5, with one space between"),
        (b"\n".join([*LINES[:2], LINES[2] + b" 7", *LINES[3:]]), "v:3: a word and 6 numbers; expected 5"),
        (b"\n".join([*LINES[:2], b"b 1 2 x 4 5", *LINES[3:]]), "v:3: 'x' is not a number"),
        (b"\n".join([*LINES[:2], b"b 1 2 nan 4 5", *LINES[3:]]), "v:3: 'nan' is not a number"),
        (b"\n".join([*LINES[:2], b"b 1 2 1e99 4 5", *LINES[3:]]), "v:3: '1e99' is not a number, or none that float32 holds"),
        (b"\n".join([*LINES[:2], b"b 1 2  4 5", *LINES[3:]]), "v:3: '' is not a number"),
        (b"\n".join([*LINES[:2], b"", *LINES[2:]]), "v:3: is blank, but more follows"),
        (b"\n".join([*LINES[:3], b""]), "v: has 2 words, but its first line says 3"),
        (GOOD + LINES[1], "v: has 4 words, but its first line says 3"),
        (b"0 5\n", "v: has no words"),
        (BINARY[:-30], r"v: the file ends within word 7 of 8"),
        (BINARY[:30], r"v: the file ends within word 2 of 8"),
        (BINARY + b"more", r"v: has more than the 8 words"),
        (binary_of(WORDS, np.where(VECTORS > 1, np.nan, VECTORS)), r"v: vector \d+ holds what is not a number"),
        (b"a 0.1 0.2\nb 0.3 0.4 0.5\n", "v:2: a word and 3 numbers; expected 2"),
        (gzip.compress(GOOD, mtime=0)[:-20], "v: the compressed file is damaged or cut off"),
        (gzip.compress(GOOD, mtime=0)[:40] + b"\0" * 30, "v: the compressed file is damaged or cut off"),
        (b"PK\x03\x04 and so on", "v: is not a file of word vectors.*It is a zip archive; unpack it"),
        (pickle.dumps({"a": 1}), "v: is not a file of word vectors.*It is a pickle .*save_word2vec_format"),
        (b"<!DOCTYPE html>\n<p>404</p>", "v: is not a file of word vectors.*It is a web page"),
        (b"Call me Ishmael.\nSome years ago", "v: is not a file of word vectors: it begins with 'Call me Ishmael.'"),
        (fasttext_of(WORDS, fasttext_table())[:400], "v: the file ends within"),
        (fasttext_of(WORDS, fasttext_table(), quantized=True), "v: is compressed by quantization"),
        (fasttext_of(WORDS, fasttext_table(), version=13), "v: is a model of fastText's file version 13"),
        (fasttext_of(WORDS, fasttext_table(), num_buckets=49), "v: has a table of 58 rows of 4; expected 57 of 4"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(content, message, tmp_path):
    path = write(tmp_path / "v", content)
    with pytest.raises(EncoderError, match=re.compile(message, re.DOTALL)) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["v"]


def test_a_format_that_the_file_has_not_is_refused(tmp_path):
    path = write(tmp_path / "v", text_of(WORDS, VECTORS, header=False))
    with pytest.raises(EncoderError, match="a file of format word2vec_text begins with a line of two numbers"):
        load(path, format="word2vec_text")
    with pytest.raises(EncoderError, match="is no model of fastText: it begins with 'the "):
        load(path, format="fasttext_binary")
    assert load(path, format="glove").hidden_size == 5


def test_a_file_that_is_not_there_or_a_folder_is_told_before_anything_is_read(tmp_path):
    with pytest.raises(EncoderError, match=r"encoder.path: the file .*none.txt' does not exist"):
        Static(str(tmp_path / "none.txt")).find()
    with pytest.raises(EncoderError, match=r"encoder.path: .* is a folder"):
        Static(str(tmp_path)).find()
