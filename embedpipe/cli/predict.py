"""``embedpipe predict``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from embedpipe.cli.options import overrides_option

if TYPE_CHECKING:
    from embedpipe.dataflow import Corpus, Sentence

_READERS = {".txt": "lines", ".jsonl": "jsonl", ".conllu": "conllu", ".csv": "csv"}
"""Corpus type by the name's ending; anything else is read as columns."""


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("input", type=str)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; default: standard output."
)
@click.option(
    "--input-type",
    metavar="TYPE",
    help="Corpus type of the input; default: by its ending, .txt lines, .jsonl, .conllu, else conll2003.",
)
@overrides_option
@click.option("--format", "format", type=click.Choice(["conll", "jsonl"]), default="conll", show_default=True)
def predict_command(
    model: Path, input: str, output: Path | None, input_type: str | None, overrides: str | None, format: str
) -> None:
    """Tag a corpus with a trained tagger.

    INPUT is a file of text or of words; --overrides sets fields of its reader, for example '{"corpus.word_column": 1}'.
    Labels that it has are not looked at.
    """
    from embedpipe.api import corpus_of
    from embedpipe.dataflow import ReadLog
    from embedpipe.downstream import NerTagger

    tagger = NerTagger.load(model)
    type_name = input_type or _READERS.get(Path(input.removesuffix(".gz")).suffix, "conll2003")
    corpus: Corpus = corpus_of(type_name, input, overrides)
    write = {"conll": _conll, "jsonl": _jsonl}[format]
    with _target(output) as file:
        for sentence, tags in tagger.predict_sentences(corpus.sentences(ReadLog())):
            file.write(write(sentence, tags))


def _conll(sentence: Sentence, tags: list[str]) -> str:
    """A word and its tag a line, a blank line behind the sentence. A word cannot be empty or hold a tab or line end there."""
    return "".join(f"{_in_a_column(word)}\t{tag}\n" for word, tag in zip(sentence.words, tags, strict=True)) + "\n"


def _in_a_column(word: str) -> str:
    return " ".join(word.split()) or "_"


def _jsonl(sentence: Sentence, tags: list[str]) -> str:
    from embedpipe.downstream.metrics import entities

    words, spans = sentence.words, sentence.spans or ()
    found = [
        {
            "start": spans[start][0],
            "end": spans[stop - 1][1],
            "type": type,
            "text": sentence.text[spans[start][0] : spans[stop - 1][1]],
        }
        for start, stop, type in sorted(entities(tags))
    ]
    record = {
        "id": sentence.id,
        "document": sentence.document,
        "text": sentence.text,
        "words": list(words),
        "tags": tags,
        "entities": found,
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that comes to its path when it is whole."""
    if output is None:
        yield sys.stdout
        return
    partial = output.with_name(f"{output.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
