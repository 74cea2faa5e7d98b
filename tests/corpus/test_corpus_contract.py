"""Every reader keeps the contract."""

import dataclasses
import json
from collections.abc import Iterator
from typing import ClassVar, get_type_hints

import pytest
from corpus_contract import CorpusContract

from embedpipe.corpus import Conll2003, Conllu, Csv, Jsonl, Lines, Tsv, Words


class TestLines(CorpusContract):
    def reader(self, path):
        return Lines(path)

    def record(self, words):
        return " ".join(words) + "\n"


class TestWords(TestLines):
    def reader(self, path):
        return Words(path)


class TestConll2003(CorpusContract):
    def reader(self, path):
        return Conll2003(path)

    def record(self, words):
        return "".join(f"{word}\tO\n" for word in words) + "\n"


class TestConll2003WithSpaces(TestConll2003):
    def record(self, words):
        return "".join(f"{word} NN O O\n" for word in words) + "\n"


class TestConllu(CorpusContract):
    def reader(self, path):
        return Conllu(path)

    def record(self, words):
        return "".join(f"{index}\t{word}" + "\t_" * 8 + "\n" for index, word in enumerate(words, 1)) + "\n"


class TestJsonlWords(CorpusContract):
    def reader(self, path):
        return Jsonl(path, words="tokens")

    def record(self, words):
        return json.dumps({"tokens": words}, ensure_ascii=False) + "\n"


class TestJsonlText(CorpusContract):
    def reader(self, path):
        return Jsonl(path)

    def record(self, words):
        return json.dumps({"text": " ".join(words)}, ensure_ascii=False) + "\n"


class TestCsv(CorpusContract):
    header: ClassVar[str] = "label,text\n"

    def reader(self, path):
        return Csv(path, labels=("label",))

    def record(self, words):
        return f'x,"{" ".join(words)}"\n'


class TestTsvWithoutHeader(CorpusContract):
    def reader(self, path):
        return Tsv(path, header=False, text=1, labels={"label": 0})

    def record(self, words):
        return f"x\t{' '.join(words)}\n"


READERS = [Lines, Words, Conll2003, Conllu, Jsonl, Csv, Tsv]


@pytest.mark.parametrize("reader", READERS)
def test_every_field_is_documented_and_its_type_known_at_run_time(reader):
    hints = get_type_hints(reader)
    for field in dataclasses.fields(reader):
        assert any(f":param {field.name}: " in (cls.__doc__ or "") for cls in reader.__mro__)
        assert field.name in hints
    assert get_type_hints(reader.sentences)["return"].__origin__ is Iterator


@pytest.mark.parametrize("reader", READERS)
def test_readers_are_frozen_and_need_only_a_path(reader):
    with pytest.raises(dataclasses.FrozenInstanceError):
        reader("a").path = "b"
