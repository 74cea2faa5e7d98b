"""Extract real data sets and compare every row count with one made without embedpipe.

    python benchmarks/real_data.py DATA [--output FOLDER] [--only NAME ...] [--views embeddings last sum_last_four]

DATA is a folder with open data sets as their authors publish them: ner/btc, ner/wnut17, ner/wikigold, ner/uner_zh_gsdsimp,
pos/ud_en_ewt, pos/ud_zh_gsdsimp, pos/ud_tr_framenet, cls/sms_spam, cls/banking77, text/gutenberg. Those that are not there are
left out. The stores stay in FOLDER, so that `python benchmarks/probe.py FOLDER/btc.train.h5 FOLDER/btc.test.h5` can go on from
there.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import embedpipe

Count = tuple[int, int | None]
"""Sentences, and words where the file says what a word is."""


@dataclass(frozen=True)
class DataSet:
    """A file, the config's corpus for it, and an independent count of its rows."""

    path: str
    corpus: dict[str, Any]
    count: Callable[[Path], Count]


def lines_of(path: Path) -> list[str]:
    lines = path.read_bytes().decode("utf-8-sig").split("\n")
    return lines if lines[-1] else lines[:-1]


def count_columns(path: Path) -> Count:
    """Runs of lines that are not blank, without comments and document lines."""
    text = "\n" + path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n") + "\n\n"
    blocks = re.split(r"\n[ \t\r]*(?:\n[ \t\r]*)*\n", text)
    rows = [[row for row in block.split("\n") if row.strip() and not is_comment(row)] for block in blocks]
    rows = [block for block in rows if block and not block[0].startswith("-DOCSTART-")]
    return len(rows), sum(map(len, rows))


def is_comment(row: str) -> bool:
    return row.startswith("# ") and "=" in row and "\t" not in row


def count_conllu(path: Path) -> Count:
    text = path.read_text(encoding="utf-8")
    return len(re.findall(r"^1\t", text, re.MULTILINE)), len(re.findall(r"^\d+\t", text, re.MULTILINE))


def count_lines(path: Path) -> Count:
    return len(lines_of(path)), None


def count_records(path: Path) -> Count:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1, None


def data_sets() -> dict[str, DataSet]:
    columns: dict[str, Any] = {"type": "conll2003"}
    uner = columns | {"labels": {"ner": 2}}
    named = {f"btc.{part}": DataSet(f"ner/btc/btc.{part}", columns, count_columns) for part in ("train", "dev", "test")}
    wnut = {"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"}
    named |= {f"wnut17.{part}": DataSet(f"ner/wnut17/{file}", columns, count_columns) for part, file in wnut.items()}
    named["wikigold"] = DataSet("ner/wikigold/wikigold.conll.txt", columns, count_columns)
    for part in ("train", "dev", "test"):
        named[f"uner_zh.{part}"] = DataSet(f"ner/uner_zh_gsdsimp/zh_gsdsimp-ud-{part}.iob2", uner, count_columns)
    for part in ("dev", "test"):
        named[f"ewt.{part}"] = DataSet(f"pos/ud_en_ewt/en_ewt-ud-{part}.conllu", {"type": "conllu"}, count_conllu)
    named["ud_zh.test"] = DataSet("pos/ud_zh_gsdsimp/zh_gsdsimp-ud-test.conllu", {"type": "conllu"}, count_conllu)
    for part in ("train", "dev", "test"):
        named[f"ud_tr.{part}"] = DataSet(f"pos/ud_tr_framenet/tr_framenet-ud-{part}.conllu", {"type": "conllu"}, count_conllu)
    sms = {"type": "tsv", "header": False, "text": 1, "labels": {"spam": 0}}
    named["sms_spam"] = DataSet("cls/sms_spam/SMSSpamCollection", sms, count_lines)
    banking = {"type": "csv", "text": "text", "labels": ["category"]}
    for part in ("train", "test"):
        named[f"banking77.{part}"] = DataSet(f"cls/banking77/{part}.csv", banking, count_records)
    named["moby_dick"] = DataSet("text/gutenberg/2701-moby-dick.txt", {"type": "lines"}, count_lines)
    return named


def compare(name: str, data: DataSet, folder: Path, output: Path, views: list[str]) -> tuple[str, bool]:
    path = folder / data.path
    config = {
        "corpus": data.corpus | {"path": str(path)},
        "encoder": {"type": "transformer", "model": "minilm"},
        "views": {view: {"layers": view} for view in views},
        "store": {"dtype": "float16"},
    }
    store = embedpipe.extract(config, output / f"{name}.h5")
    counts, run = store.summary().counts, store.provenance["run"]
    sentences, words = data.count(path)
    agrees = counts["sentences"] == sentences and words in (None, counts["words"])
    agrees &= all(store.matrix(view).shape[0] == counts["words"] for view in views)
    warnings = sum(warning["count"] for warning in store.provenance["corpus_warnings"])
    expected = "-" if words is None else f"{words:,}"
    line = f"{name:<16}{counts['sentences']:>9,}{sentences:>9,}{counts['words']:>10,}{expected:>10}{warnings:>9,}"
    return f"{line}{run['seconds']:>8.1f}{run['words_per_second']:>9,.0f}  {'equal' if agrees else 'DIFFERENT'}", agrees


def compare_all(arguments: argparse.Namespace) -> Iterator[bool]:
    print(f"{'':<16}{'sentences':>9}{'counted':>9}{'words':>10}{'counted':>10}{'warnings':>9}{'s':>8}{'words/s':>9}")
    for name, data in data_sets().items():
        if (not arguments.only or name in arguments.only) and (arguments.data / data.path).is_file():
            line, agrees = compare(name, data, arguments.data, arguments.output, arguments.views)
            print(line, flush=True)
            yield agrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("demo/real_data"))
    parser.add_argument("--only", nargs="*", help="names of data sets, as the table shows them")
    parser.add_argument("--views", nargs="*", default=["embeddings", "last", "sum_last_four"])
    agreements = list(compare_all(parser.parse_args()))
    if not agreements:
        sys.exit("none of the data sets is there")
    sys.exit(0 if all(agreements) else 1)


if __name__ == "__main__":
    main()
