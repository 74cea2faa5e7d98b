"""The shapes that CoNLL-2003 is passed on in are one data set: the comparison of the paper finds the same on each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import embedpipe
from embedpipe.experiment.results import Results

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "compare_conll2003.jsonnet"
FILES = {"train": "eng.train", "dev": "eng.testa", "test": "eng.testb"}
NUM_DOCUMENTS = {"train": 8, "dev": 3, "test": 4}
NAMES = {
    "PER": ("Ada Byron", "Max", "Lucy Ann Quick"),
    "LOC": ("Berlin", "Tokyo", "Spring River"),
    "ORG": ("U.S.A. Bank", "Fox"),
    "MISC": ("Café",),
}
WORDS = ("the", "dog", "waited", "near", "over", "quietly", "for", "hours")

Words: TypeAlias = list[tuple[str, str]]
"""A sentence: each word and its BIO tag."""
Documents: TypeAlias = list[list[Words]]


def documents(part: str) -> Documents:
    """Every second document is one sentence; neighbours of one type are in all of them."""
    draw = random.Random(part)
    return [[sentence(draw) for _ in range(1 if number % 2 else 3)] for number in range(NUM_DOCUMENTS[part])]


def sentence(draw: random.Random) -> Words:
    words: Words = [("Berlin", "B-LOC"), ("Tokyo", "B-LOC"), (draw.choice(WORDS), "O")]
    for _ in range(draw.randint(1, 3)):
        type = draw.choice(list(NAMES))
        first, *rest = draw.choice(NAMES[type]).split()
        words += [(first, f"B-{type}"), *((word, f"I-{type}") for word in rest), (draw.choice(WORDS), "O")]
    return words


def iob1(tags: list[str]) -> list[str]:
    """``B-`` only where an entity follows on one of its own type."""
    pairs = pairwise(["O", *tags])
    return [tag if tag[0] != "B" or before[1:] == tag[1:] else f"I{tag[1:]}" for before, tag in pairs]


def rows(words: Words) -> Iterator[tuple[str, str, str]]:
    """Word, BIO tag and IOB1 tag."""
    return ((word, tag, old) for (word, tag), old in zip(words, iob1([tag for _, tag in words]), strict=True))


def as_published(given: Documents) -> str:
    return "".join(
        "-DOCSTART- -X- O O\n\n"
        + "".join("".join(f"{word} NN I-NP {old}\n" for word, _, old in rows(words)) + "\n" for words in document)
        for document in given
    )


def without_the_first_start(given: Documents) -> str:
    """``-X- -X- O``, only between documents, and no blank line behind it."""
    return "-X- -X- O\n".join(
        "".join("".join(f"{word} NN I-NP {old}\n" for word, _, old in rows(words)) + "\n" for words in document)
        for document in given
    )


def two_columns(given: Documents) -> str:
    return "".join(
        "-DOCSTART-\tO\n\n" + "".join("".join(f"{word}\t{tag}\n" for word, tag, _ in rows(words)) + "\n" for words in document)
        for document in given
    )


def with_index(given: Documents) -> str:
    return "".join(
        "0\t-DOCSTART-\t-X-\tO\tO\n\n"
        + "".join(
            "".join(f"{number}\t{word}\tNN\tI-NP\t{old}\n" for number, (word, _, old) in enumerate(rows(words))) + "\n"
            for words in document
        )
        for document in given
    )


SHAPES: dict[str, Callable[[Documents], str]] = {
    write.__name__: write for write in (as_published, without_the_first_start, two_columns, with_index)
}


@pytest.fixture(scope="module")
def find(tmp_path_factory, tiny_model) -> Callable[[str], tuple[Results, Path]]:
    """Of a shape, the results and the folder with the stores, once they are asked for."""
    overrides = {
        "encoders.bert": {"model": str(tiny_model("bert")), "device": "cpu"},
        "choices": ["mix_all"],
        "heads.bilstm": {"hidden_size": 8, "num_layers": 1, "training": {"epochs": 1}},
        "heads.linear": {"training": {"epochs": 4, "batch_sentences": 2, "learning_rate": 0.02}},
        "seeds": [0],
        "fine_tune": {"epochs": 1, "learning_rate": 0.01},
    }

    @cache
    def found(name: str) -> tuple[Results, Path]:
        folder = tmp_path_factory.mktemp(name)
        for part, file in FILES.items():
            (folder / file).write_text(SHAPES[name](documents(part)))
        return compare(folder, overrides), folder / "out"

    return found


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    """Of a module, so that the tests of one shape run in one process, and what they need is made in that one only."""
    return request.param


def compare(folder: Path, overrides: dict[str, Any]) -> Results:
    return embedpipe.compare(CONFIG, folder / "out", overrides=overrides, ext_vars={"data": str(folder)})


def test_the_shapes_are_different_files():
    texts = {write(documents("train")) for write in SHAPES.values()}
    assert len(texts) == 4
    first = rows(documents("train")[0][0])
    assert [(tag, old) for _, tag, old in first][:3] == [("B-LOC", "I-LOC"), ("B-LOC", "B-LOC"), ("O", "O")]


def test_words_and_tags_are_those_that_were_written(find, shape):
    for part in FILES:
        sentences = [words for document in documents(part) for words in document]
        with embedpipe.open_store(find(shape)[1] / "features" / f"bert.sentence.{part}.h5") as store:
            assert [list(zip(stored.words, stored.labels["ner"], strict=True)) for stored in store] == sentences


def test_documents_begin_where_the_file_says(find, shape):
    for part in FILES:
        numbers = [number for number, document in enumerate(documents(part), 1) for _ in document]
        with embedpipe.open_store(find(shape)[1] / "features" / f"bert.document.{part}.h5") as store:
            assert [stored.document for stored in store] == [f"doc-{number}" for number in numbers]


def test_the_context_of_a_sentence_is_its_document_and_nothing_beyond(find, shape):
    alone, within = (
        embedpipe.open_store(find(shape)[1] / "features" / f"bert.{context}.test.h5") for context in ("sentence", "document")
    )
    sizes = [len(document) for document in documents("test") for _ in document]
    with alone, within:
        same = [
            np.allclose(alone.vectors("first", id)[:, -1], within.vectors("first", id)[:, -1], atol=1e-3) for id in alone.ids
        ]
    assert same == [size == 1 for size in sizes]


@pytest.mark.parametrize("shape", list(SHAPES)[1:], indirect=True)
def test_every_shape_has_the_same_rows(find, shape):
    published, results = find("as_published")[0], find(shape)[0]
    assert results.rows == published.rows
    assert results.confusions == published.confusions
    assert results.paired == published.paired
    assert [replace(split, features={}) for split in results.splits] == [
        replace(split, features={}) for split in published.splits
    ]
    for run, same in zip(results.runs, published.runs, strict=True):
        assert replace(run, key="") == replace(same, key="")


def test_the_comparison_has_learned_something_in_each_context(find):
    results = find("as_published")[0]
    assert {(row.context, row.head) for row in results.rows} == {
        (context, head) for context in ("document", "sentence") for head in ("bilstm", "linear", "fine_tuned")
    }
    assert all(row.mean > 0.3 for row in results.rows if row.head == "linear")
    of_sentences, of_documents = (
        [row.mean for row in results.rows if row.context == context] for context in ("sentence", "document")
    )
    assert of_sentences != of_documents
    assert [(split.num_documents, split.num_entities) for split in results.splits] == [
        (NUM_DOCUMENTS[part], sum(tag[0] == "B" for document in documents(part) for words in document for _, tag in words))
        for part in FILES
    ]
