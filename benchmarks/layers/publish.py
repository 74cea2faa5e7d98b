"""Put results of ``embedpipe compare`` among the committed ones, and write their tables into README.md.

    python benchmarks/layers/publish.py DIR NAME    # DIR/results.json becomes results/NAME.json, without anybody's sentences
    python benchmarks/layers/publish.py             # the tables only

NAME is DATA-ENCODER, for instance ``btc-minilm``, or DATA-ENCODER-WHAT for another question about the same data.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BEGIN, END = "<!-- written by publish.py: begin -->\n", "<!-- written by publish.py: end -->\n"


def publish(folder: Path, name: str) -> None:
    """Copy results; the data's own sentences, whose licences are their own, stay behind."""
    results = json.loads((folder / "results.json").read_text())
    results |= {"disagreements": [], "maps": []}
    (RESULTS / f"{name}.json").write_text(_written(results) + "\n")
    shutil.copy(folder / "results.csv", RESULTS / f"{name}.csv")


def _written(value: Any, line: str = "\n") -> str:
    """JSON with a line for each run, choice, row of a table: an item a line in lists of objects or lists, a field a line in
    what holds such a list, and everything else on one line.
    """
    if not _has_lines(value):
        return json.dumps(value, ensure_ascii=False)
    inner = line + " "
    if isinstance(value, dict):
        fields = (f"{json.dumps(key, ensure_ascii=False)}: {_written(item, inner)}" for key, item in value.items())
        return "{" + inner + f",{inner}".join(fields) + line + "}"
    return "[" + inner + f",{inner}".join(_written(item, inner) for item in value) + line + "]"


def _has_lines(value: Any) -> bool:
    """Whether a list of objects or lists is anywhere in it."""
    if isinstance(value, dict):
        return any(map(_has_lines, value.values()))
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def tables() -> str:
    """Markdown: a table for each question, choices down, encoders and poolings across."""
    questions: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(RESULTS.glob("*.json")):
        data, _, *what = file.stem.split("-")
        questions.setdefault("-".join([data, *what]), []).append(json.loads(file.read_text()))
    return "\n".join(line for question in questions.values() for line in _table(question))


def _table(all_results: list[dict[str, Any]]) -> Iterator[str]:
    metric = all_results[0]["metric"]
    columns = {column: None for results in all_results for row in results["rows"] for column in [_column(row)]}
    cells = {(_column(row), row["choice"]): row for results in all_results for row in results["rows"]}
    choices = dict.fromkeys(row["choice"] for results in all_results for row in results["rows"])
    yield f"### {all_results[0]['title']}\n"
    name = "Entity F1" if metric == "f1" else "Accuracy"
    yield f"{name} on the test sentences, mean ± standard deviation over seeds; bold: the"
    yield "best of its column, or not told apart from it (paired bootstrap over sentences, p >= 0.05).\n"
    yield "| | " + " | ".join(_heads(list(columns))) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for choice in sorted(choices, key=_layer_number):
        yield f"| {choice} | " + " | ".join(_cell(cells.get((column, choice))) for column in columns) + " |"
    yield ""
    yield from _notes(all_results)


def _column(row: dict[str, Any]) -> tuple[str, str, str]:
    """Encoder, pooling and head; a fine-tuned encoder stands with its frozen self."""
    return row["encoder"], row["pooling"], row["head"]


def _layer_number(choice: str) -> int:
    """Single layers come last, in their order; the others stay in theirs."""
    return int(choice.removeprefix("layer_")) + 1 if choice.startswith("layer_") else 0


def _heads(columns: list[tuple[str, str, str]]) -> Iterator[str]:
    """Of encoder, pooling and head what is not the same everywhere."""
    differs = [len(set(parts)) > 1 for parts in zip(*columns, strict=True)]
    for column in columns:
        yield " ".join(part for part, shown in zip(column, differs, strict=True) if shown) or column[0]


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    text = f"{100 * row['mean']:.1f}" + (f" ± {100 * row['sd']:.1f}" if row["num_seeds"] > 1 else "")
    return f"**{text}**" if row["best"] else text


def _notes(all_results: Iterable[dict[str, Any]]) -> Iterator[str]:
    for note in dict.fromkeys(note for results in all_results for note in results["notes"]):
        yield f"- {note}"
    yield ""


def main(arguments: list[str]) -> None:
    """Publish, then write the tables."""
    if arguments:
        folder, name = arguments
        publish(Path(folder), name)
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    readme.write_text(before + BEGIN + "\n" + tables() + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main(sys.argv[1:])
