"""What a user gets for a mistake: one message, an exit status, never a traceback, and nothing left behind."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

Case = tuple[Callable[..., list[object]], int, str]


def corpus_of(type: str, content: str | bytes, **settings):
    def make(workplace):
        return ["extract", workplace.config(corpus={"type": type, "path": str(workplace.corpus(content)), **settings})]

    return make


def config_of(**changes):
    return lambda workplace: ["extract", workplace.config(**changes)]


def text_of(text: str):
    return lambda workplace: ["extract", workplace.text_config(text)]


def overrides_of(text: str):
    return lambda workplace: ["extract", workplace.config(), "--overrides", text]


def encoder_of(**changes):
    return lambda workplace: [
        "extract",
        workplace.config(encoder={"type": "transformer", "model": str(workplace.model), **changes}),
    ]


def store_of(damage: Callable[[Path], None]):
    def make(workplace):
        import embedpipe

        path = workplace.folder / "features.h5"
        embedpipe.extract(workplace.config()).close()
        damage(path)
        return ["info", path]

    return make


def output_of(prepare: Callable[[Path], Path]):
    return lambda workplace: ["extract", workplace.config(), "-o", prepare(workplace.folder)]


def broken_model(damage: Callable[[Path], None]):
    def make(workplace):
        folder = shutil.copytree(workplace.model, workplace.folder / "model")
        damage(folder)
        return ["extract", workplace.config(encoder={"type": "transformer", "model": str(folder), "device": "cpu"})]

    return make


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def newer_format(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        name = next(name for name in file.attrs if "version" in name and np.issubdtype(type(file.attrs[name]), np.integer))
        file.attrs[name] = 99


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


CONFIGS: dict[str, Case] = {
    "no such config": (lambda w: ["extract", w.folder / "no.jsonnet"], 2, r"(?s)no\.jsonnet.*there is no such file"),
    "config is a folder": (lambda w: ["extract", w.folder], 2, r"(folder|directory)"),
    "syntax error": (text_of("{ corpus: "), 2, r"config\.jsonnet.*1:"),
    "not an object": (text_of("[1, 2]"), 2, "object"),
    "empty config": (text_of("{}"), 2, r"(?s)corpus.*encoder.*views"),
    "variable not given": (text_of("{ corpus: std.extVar('x') }"), 2, "--ext-var x="),
    "import of nothing": (text_of("import 'no.libsonnet'"), 2, r"no\.libsonnet"),
    "unknown key": (config_of(vews={}), 2, "Did you mean 'views'"),
    "unknown type": (config_of(corpus={"type": "conll2013", "path": "x"}), 2, "Did you mean 'conll2003'"),
    "type that names code": (config_of(encoder={"type": "os.system"}), 2, r"encoder.*'os\.system'"),
    "unknown combination": (config_of(views={"x": {"layers": "sum_last4"}}), 2, "Did you mean 'sum_last_four'"),
    "no views": (config_of(views={}), 2, "views"),
    "pooling of another unit": (config_of(views={"x": {"layers": "last", "pooling": "cls"}}), 2, r"views\.x\.pooling: 'cls'"),
    "unknown pooling": (config_of(views={"x": {"layers": "last", "pooling": "men"}}), 2, "Did you mean 'mean'"),
    "number as text": (config_of(batching={"budget_subwords": "512"}), 2, r"batching\.budget_subwords"),
    "zero budget": (config_of(batching={"budget_subwords": 0}), 2, r"budget_subwords: got 0; must be greater than 0"),
    "unknown dtype": (config_of(store={"path": "x.h5", "dtype": "float8"}), 2, r"store\.dtype"),
    "no store path": (config_of(store=None), 2, r"store\.path"),
    "weights that do not match layers": (
        config_of(views={"x": {"layers": {"type": "weighted_sum", "layers": [1, 2], "weights": [1]}}}), 2, "weights: 1 numbers for 2 layers",
    ),
    "a layer that is not there": (config_of(views={"x": {"layers": {"type": "layer", "index": 9}}}), 2, r"views\.x\.layers: layer 9 does not"),
    "two mistakes at once": (
        config_of(batching={"budget_subwords": -1}, views={"x": {"layers": "lst"}}), 2, r"(?s)has 2 mistakes.*views\.x\.layers.*budget|has 2 mistakes.*budget.*views\.x\.layers",
    ),
    "overrides that are not JSON": (overrides_of("{"), 2, "overrides"),
    "override of no field": (overrides_of('{"encoder.modle": "x"}'), 2, "Did you mean 'model'"),
    "unknown component": (lambda w: ["components", "scalarmix"], 2, "scalar_mix"),
    "no such plug-in": (lambda w: ["extract", w.config(), "--include-package", "no_such_package"], 2, "no_such_package"),
    "window longer than the encoder": (config_of(context={"type": "sentence", "window": 5000}), 1, "the encoder takes at most"),
}  # fmt: skip

CORPORA: dict[str, Case] = {
    "no such corpus": (config_of(corpus={"type": "words", "path": "no/such.txt"}), 1, r"no/such\.txt"),
    "no such sample": (config_of(corpus={"type": "words", "path": "sample:no.txt"}), 1, r"sample\.txt"),
    "empty corpus": (corpus_of("words", ""), 1, r"corpus\.txt.*no sentences"),
    "not UTF-8": (corpus_of("lines", "a\ncaf\xe9\n".encode("latin-1")), 1, r"corpus\.txt:2: .*UTF-8"),
    "gzip cut off": (corpus_of("lines", gzip.compress(b"a\n" * 9999)[:-9]), 1, r"corpus\.txt.*gzip"),
    "too few columns": (corpus_of("conll2003", "the DT O\ndog O\n"), 1, r"corpus\.txt:2: "),
    "label column not there": (corpus_of("conll2003", "the O\n", labels={"ner": 5}), 1, r"corpus\.txt:1: "),
    "CoNLL-U with nine columns": (corpus_of("conllu", "1\ta\t_\t_\t_\t_\t_\t_\t_\n\n"), 1, r"corpus\.txt:1: "),
    "CoNLL-U out of order": (corpus_of("conllu", ("2\ta" + "\t_" * 8 + "\n\n")), 1, r"corpus\.txt:1: "),
    "unknown CoNLL-U label": (corpus_of("conllu", "", labels=["uposs"]), 2, "upos"),
    "JSON cut off": (corpus_of("jsonl", '{"text": "a"}\n{"text": "b\n'), 1, r"corpus\.txt:2: "),
    "JSON without the field": (corpus_of("jsonl", '{"text": "a"}\n{"txt": "b"}\n', text="text"), 1, r"corpus\.txt:2: "),
    "labels of another length": (
        corpus_of("jsonl", '{"words": ["a"], "ner": ["O", "O"]}\n', labels=["ner"]),
        1,
        r"corpus\.txt:1: ",
    ),
    "id twice": (
        corpus_of("jsonl", '{"text": "a", "id": "x"}\n{"text": "b", "id": "x"}\n', id="id"),
        1,
        r"corpus\.txt:2: .*'x'",
    ),
    "no such CSV column": (corpus_of("csv", "text,topic\na,b\n", labels=["topics"]), 1, "topic"),
    "CSV row too short": (corpus_of("csv", "text,topic\na,b\nc\n", labels=["topic"]), 1, r"corpus\.txt:3: "),
}

MODELS: dict[str, Case] = {
    "no such folder": (encoder_of(model="./no/such/model"), 1, r"encoder\.model: the folder .*does not exist"),
    "no such hub model": (encoder_of(model="nobody/nothing"), 1, "the hub cannot be reached"),
    "unknown precision": (encoder_of(precision="float64"), 2, r"encoder\.precision"),
    "float16 on the CPU": (encoder_of(precision="float16", device="cpu"), 1, r"encoder\.precision: float16 is not for the CPU"),
    "no such device": (encoder_of(device="cuda:77"), 1, r"encoder\.device: 'cuda:77' was asked for"),
    "weights cut off": (broken_model(lambda f: cut_in_half(f / "model.safetensors")), 1, "damaged weights"),
    "no tokenizer": (broken_model(lambda f: (f / "tokenizer.json").unlink()), 1, r"there is none; expected tokenizer\.json"),
    "no config.json": (broken_model(lambda f: (f / "config.json").unlink()), 1, r"holds no config\.json"),
}

STORES: dict[str, Case] = {
    "no such store": (lambda w: ["info", w.folder / "no.h5"], 1, r"no\.h5"),
    "a folder": (lambda w: ["info", w.folder], 1, "(folder|directory)"),
    "an empty file": (lambda w: ["info", written(w.folder, "x.h5", b"")], 1, "(?i)NotAStoreError.*empty"),
    "a text file": (lambda w: ["info", written(w.folder, "x.h5", b"hello")], 1, "NotAStoreError"),
    "a store cut off": (store_of(cut_in_half), 1, "DamagedStoreError"),
    "a newer format": (store_of(newer_format), 1, "FormatVersionError.*99"),
}

DISKS: dict[str, Case] = {
    "output is a folder": (output_of(lambda f: f), 1, "StoreError.*(folder|directory)"),
    "output is another file": (
        output_of(lambda f: written(f, "notes.txt", b"mine")),
        1,
        r"StoreError.*notes\.txt.*only an embedpipe store is ever replaced",
    ),
    "folder is a file": (output_of(lambda f: written(f, "file", b"") / "features.h5"), 1, "StoreError.*file"),
    "a disk that is full": (output_of(lambda f: Path("/dev/full")), 1, "StoreError"),
}

CASES = {f"{kind}: {name}": case for kind, cases in {
    "config": CONFIGS, "corpus": CORPORA, "model": MODELS, "store": STORES, "disk": DISKS,
}.items() for name, case in cases.items()}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_one_message_and_leaves_nothing(case, run, workplace):
    make, status, message = CASES[case]
    arguments = make(workplace)
    before = {path: path.stat().st_mtime_ns for path in workplace.folder.rglob("*") if path.is_file()}
    result = run(*arguments)
    assert result.status == status, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    assert result.err.split(": ", 1)[0].endswith("Error")
    assert re.search(message, result.err), result.err
    assert {path: path.stat().st_mtime_ns for path in workplace.folder.rglob("*") if path.is_file()} == before


def test_there_are_at_least_40_cases():
    assert len(CASES) >= 40
