"""JSON Lines: an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from embedpipe.corpus.files import check_path, counted, find_files, shown
from embedpipe.corpus.ids import Ids
from embedpipe.corpus.line_reader import LineReader
from embedpipe.corpus.raw_text import WordsBy, raw_sentence
from embedpipe.corpus.reading import Carried, read_files
from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.errors import CorpusError

_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}


@dataclass(frozen=True)
class Jsonl:
    """JSON Lines, an object a line, with the fields named here.

    Give ``words`` where words are known already, ``text`` where the tokenizer is to find them, and both where the words stand
    in the text in this order, to keep its spacing. With neither, the first object decides between a field ``text`` and a field
    ``words`` or ``tokens``.

    :param path: A file, a pattern (``data/*.jsonl``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param text: Field of the text, a string.
    :param words: Field of the words, a list of strings.
    :param id: Field of the sentence's id, a string or whole number; without it ids are made up.
    :param document: Field of the document's id; without it each object is a document of its own.
    :param labels: Fields of labels: a string, number or boolean for the sentence, or a list of them as long as the words.
    :param second: Field of a second text, which the encoder sees with the first as a pair: premise and hypothesis, question and
        answer. A string beside ``text``, a list of words beside ``words``, whose labels are then of the words of both.
    :param words_by: What decides where the words of a ``text`` are: the encoder's ``tokenizer``, every single one of the
        ``characters``, or ``white_space``.
    """

    path: str | tuple[str, ...]
    text: str | None = None
    words: str | None = None
    id: str | None = None
    document: str | None = None
    labels: tuple[str, ...] = ()
    second: str | None = None
    words_by: WordsBy = "tokenizer"

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.second is not None and self.text is not None and self.words is not None:
            raise ValueError("second: is a string beside text and a list beside words; name one of the two, not both")
        if self.words_by != "tokenizer" and self.words is not None:
            raise ValueError(f"words_by: {self.words_by!r}, but the words are known already (words); leave one of the two out")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in reading order."""
        return find_files(self.path)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield a sentence an object.

        :raises CorpusError: If a file cannot be read, a line is no JSON object with these fields, an id comes twice, or there
            is no object.
        """
        return read_files(self.files, log, self._read, expected="a JSON object")

    def _read(self, lines: LineReader, carried: Carried) -> Iterator[Sentence]:
        """Read one file."""
        fields = replace(self, **carried.fields)
        for line in lines:
            if not line.strip():
                lines.warn("blank-line", "a blank line, skipped")
                continue
            record = _Record(lines.file, lines.number, line)
            if fields.text is None and fields.words is None:
                carried.fields = _detect(record)
                fields = replace(self, **carried.fields)
            yield _sentence(fields, record, carried.ids)


class _Record:
    """One object, and how to complain about it."""

    def __init__(self, file: Path, line_number: int, line: str) -> None:
        self.file, self.line_number = file, line_number
        try:
            values = json.loads(line)
        except RecursionError:
            raise self.wrong("is nested too deeply") from None
        except ValueError as error:
            raise self.wrong(f"is not JSON ({error}): {shown(line)}. JSON Lines has one object a line") from None
        if not isinstance(values, dict):
            raise self.wrong(f"holds {_kind(values)} where a JSON object was expected: {shown(line)}")
        self.values: dict[str, Any] = values

    def wrong(self, message: str) -> CorpusError:
        """An error at this line."""
        return CorpusError(self.file, self.line_number, message)

    def field(self, role: str, name: str) -> Any:
        """A field that must be there."""
        if name not in self.values:
            raise self.wrong(f"the object has no field {name!r} ({role}); it has {', '.join(map(repr, self.values)) or 'none'}")
        return self.values[name]

    def string(self, role: str, name: str) -> str:
        """A field that must be a string."""
        value = self.field(role, name)
        if not isinstance(value, str):
            raise self.wrong(f"the field {name!r} ({role}) is {_kind(value)} where a string was expected")
        return value

    def name(self, role: str, name: str) -> str:
        """A field that must be a string or a whole number."""
        value = self.field(role, name)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self.wrong(f"the field {name!r} ({role}) is {_kind(value)} where a string or a whole number was expected")
        return str(value)

    def strings(self, role: str, name: str) -> list[str]:
        """A field that must be a list of strings."""
        value = self.field(role, name)
        if not isinstance(value, list):
            raise self.wrong(f"the field {name!r} ({role}) is {_kind(value)} where a list of strings was expected")
        for index, word in enumerate(value):
            if not isinstance(word, str):
                raise self.wrong(f"{name}[{index}] ({role}) is {_kind(word)} where a string was expected")
        return value

    def text_or_words(self, role: str, name: str, *, words: bool) -> str | list[str]:
        """A field that must be a list of strings where words are known, else a string."""
        return self.strings(role, name) if words else self.string(role, name)

    def label(self, name: str, num_words: int | None) -> str | tuple[str, ...]:
        """A label of the sentence or of its words."""
        value = self.field("labels", name)
        if not isinstance(value, list):
            return self._label(name, value)
        if num_words is None:
            raise self.wrong(f"the field {name!r} (labels) is a list, a label a word, but no field of words was named (words)")
        if len(value) != num_words:
            raise self.wrong(f"the field {name!r} (labels) has {counted(len(value), 'label')} for {counted(num_words, 'word')}")
        return tuple(self._label(f"{name}[{index}]", item) for index, item in enumerate(value))

    def _label(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise self.wrong(f"{name} (labels) is {_kind(value)} where a string, number or boolean was expected")
        return str(value)


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")


def _detect(record: _Record) -> Mapping[str, Any]:
    """Choose the fields that the first object has: settings of the reader."""
    found = [name for name in ("text", "words", "tokens") if name in record.values]
    if len(found) != 1:
        has = ", ".join(map(repr, record.values)) or "none"
        many = f"several of the fields text, words and tokens ({', '.join(found)})"
        problem = many if found else f"no field 'text', 'words' or 'tokens'; it has {has}"
        raise record.wrong(f"the object has {problem}. Name the fields to use: text, words, or both")
    return {"text": "text"} if found == ["text"] else {"words": found[0]}


def _sentence(fields: Jsonl, record: _Record, ids: Ids) -> Sentence:
    """Make a sentence of an object."""
    document = None if fields.document is None else record.name("document", fields.document)
    given = None if fields.id is None else record.name("id", fields.id)
    text = None if fields.text is None else record.string("text", fields.text)
    words = None if fields.words is None else record.strings("words", fields.words)
    second = None if fields.second is None else record.text_or_words("second", fields.second, words=words is not None)
    num_words = None if words is None else len(words) + len(second or ())
    labels = {name: record.label(name, num_words) for name in fields.labels}
    id, document = ids.take(document, given, record.file, record.line_number)
    if text is None:
        sentence = Sentence.from_words(id, document, words or (), labels=labels)
    elif words is None:
        sentence = raw_sentence(id, document, text, fields.words_by, labels=labels)
    else:
        sentence = Sentence.from_text(id, document, text, spans=_locate(words, text, record), labels=labels)
    if isinstance(second, str):
        return Sentence.pair(sentence, raw_sentence(id, document, second, fields.words_by), labels=labels)
    if second is not None:
        return Sentence.pair(sentence, Sentence.from_words(id, document, second), labels=labels)
    return sentence


def _locate(words: list[str], text: str, record: _Record) -> tuple[tuple[int, int], ...]:
    """Find the words in the text, one after another."""
    spans = []
    end = 0
    for index, word in enumerate(words):
        start = text.find(word, end)
        if start < 0:
            raise record.wrong(
                f"word {index + 1}, {shown(word)}, is not in the text after {shown(text[max(0, end - 20) : end])}"
            )
        end = start + len(word)
        spans.append((start, end))
    return tuple(spans)
