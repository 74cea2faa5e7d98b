"""``embedpipe predict``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from embedpipe.cli.options import overrides_option

if TYPE_CHECKING:
    from embedpipe.dataflow import Corpus, Sentence
    from embedpipe.downstream import NerTagger

_READERS = {".txt": "lines", ".jsonl": "jsonl", ".conllu": "conllu", ".csv": "csv"}
"""Corpus type by the name's ending; anything else is read as columns."""

_FIELDS_OF_A_PAIR = ("text", "words", "second", "words_by", "header", "delimiter", "quoting")


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("input", type=str)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; default: standard output."
)
@click.option(
    "--input-type",
    metavar="TYPE",
    help="Corpus type of the input; default: by its ending, .txt lines, .jsonl, .conllu, .csv, else conll2003.",
)
@overrides_option
@click.option("--format", "format", type=click.Choice(["conll", "jsonl"]), default="conll", show_default=True)
def predict_command(
    model: Path, input: str, output: Path | None, input_type: str | None, overrides: str | None, format: str
) -> None:
    """Tag a corpus with a trained tagger.

    INPUT is a file of text or of words; --overrides sets fields of its reader, for example '{"corpus.word_column": 1}'.
    Labels that it has are not looked at. A tagger of pairs of texts reads them (.jsonl, .csv, .tsv) from the fields that they
    had in the corpus of its training, if that was of the same type.
    """
    from embedpipe.api import corpus_of
    from embedpipe.dataflow import ReadLog
    from embedpipe.downstream import NerTagger

    tagger = NerTagger.load(model)
    type_name = input_type or _type_of(input, tagger)
    corpus: Corpus = corpus_of(type_name, input, overrides, fields=_fields_of_pairs(tagger, type_name))
    if tagger.takes_pairs and getattr(corpus, "second", None) is None:
        note = (
            "was trained on pairs of texts, and reads single ones here; --overrides '{\"corpus.second\": ...}' names the second"
        )
        click.echo(f"{model}: {note}", err=True)
    of_sentences = tagger.unit == "sentence"
    write = {"conll": _line if of_sentences else _conll, "jsonl": _sentence_json if of_sentences else _jsonl}[format]
    with _target(output) as file:
        for sentence, tags in tagger.predict_sentences(corpus.sentences(ReadLog())):
            file.write(write(sentence, tags))


def _type_of(input: str, tagger: NerTagger) -> str:
    ending = Path(input.removesuffix(".gz")).suffix
    return "tsv" if ending == ".tsv" and tagger.takes_pairs else _READERS.get(ending, "conll2003")


def _fields_of_pairs(tagger: NerTagger, type_name: str) -> dict[str, Any]:
    """Where the reader of the training corpus found the two texts."""
    corpus = (tagger.trained.config or {}).get("corpus", {})
    if not tagger.takes_pairs or corpus.get("type") != type_name:
        return {}
    return {name: corpus[name] for name in _FIELDS_OF_A_PAIR if corpus.get(name) is not None}


def _line(sentence: Sentence, tags: list[str]) -> str:
    """A text, or both texts of a pair, and the tag, between tabs."""
    return "\t".join([*map(_in_a_column, sentence.texts), *tags]) + "\n"


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
    return _as_line(_sentence_record(sentence) | {"words": list(words), "tags": tags, "entities": found})


def _sentence_json(sentence: Sentence, tags: list[str]) -> str:
    (tag,) = tags
    return _as_line(_sentence_record(sentence) | {"tag": tag})


def _sentence_record(sentence: Sentence) -> dict[str, Any]:
    """What it is of; ``second_start`` is, of a pair, the character of ``text`` where the second text starts."""
    record = {"id": sentence.id, "document": sentence.document, "text": sentence.text}
    return record if sentence.second_start is None else record | {"second_start": sentence.second_start}


def _as_line(record: dict[str, Any]) -> str:
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
