"""``embedpipe info``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from embedpipe.store import Store


@click.command("info")
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def info_command(store: Path, as_json: bool) -> None:
    """Say what a store holds and where it came from."""
    from embedpipe.store import open_store

    with open_store(store) as opened:
        facts = describe(opened)
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False) if as_json else "\n".join(as_text(facts)))


def describe(store: Store) -> dict[str, Any]:
    """Everything that ``info`` prints, as JSON has it."""
    summary = store.summary()
    return {
        "path": str(store.path),
        "size_bytes": store.path.stat().st_size,
        "format_version": store.format_version,
        "counts": dict(summary.counts),
        "flags": dict(summary.flags),
        "labels": {name: {"unit": label.unit, "values": list(label.values)} for name, label in summary.labels.items()},
        "views": {name: _view(store, name) for name in store.views},
        "provenance": dict(store.provenance),
    }


def _view(store: Store, name: str) -> dict[str, Any]:
    info = store.views[name]
    matrix = store.matrix(name)
    return {
        "unit": info.unit,
        "rows": matrix.shape[0],
        "row_shape": list(info.row_shape),
        "dtype": info.dtype,
        "size_bytes": int(matrix.dtype.itemsize) * _product(matrix.shape),
        "layers": list(info.layers),
        "combination": info.combination,
        "pooling": info.pooling,
    }


def as_text(facts: dict[str, Any]) -> Iterator[str]:
    """The lines for a person."""
    provenance, counts = facts["provenance"], facts["counts"]
    yield f"{facts['path']}: an embedpipe store, format {facts['format_version']}, {_bytes(facts['size_bytes'])}"
    yield ""
    yield from _facts(facts, provenance, counts)
    yield ""
    header = ("view", "unit", "rows", "vector", "dtype", "size", "layers", "pooling")
    rows = [
        (
            name,
            view["unit"],
            f"{view['rows']:,}",
            " x ".join(map(str, view["row_shape"])),
            view["dtype"],
            _bytes(view["size_bytes"]),
            _ranges(view["layers"]),
            view["pooling"] or "-",
        )
        for name, view in facts["views"].items()
    ]
    yield from _table([header, *rows], right={2, 3, 5})


def _facts(facts: dict[str, Any], provenance: dict[str, Any], counts: dict[str, int]) -> Iterator[str]:
    encoder, run = provenance.get("encoder", {}), provenance.get("run", {})
    config = provenance.get("config", {})
    sizes = ", ".join(_counted(counts[unit], unit) for unit in ("documents", "sentences", "words", "subwords"))
    yield f"  {'corpus':<12}{_corpus_names(provenance)}: {sizes}"
    if encoder:
        model = encoder["model"] + (f" at {encoder['revision']}" if encoder.get("revision") else "")
        size = f"{encoder['num_layers']} layers of {encoder['hidden_size']}"
        yield f"  {'encoder':<12}{model}: {encoder['architecture']}, {size}, {encoder['precision']} on {encoder['device_name']}"
    if config:
        window = provenance["window"]["content"]
        yield f"  {'context':<12}{config['context']['type']}, " + (f"windows of {window} subwords" if window else "no limit")
    for name, label in facts["labels"].items():
        yield f"  {'label':<12}{name} ({label['unit']}): {_some(label['values'])}"
    for flag, count in facts["flags"].items():
        yield f"  {'flag':<12}{flag}: {count:,}"
    for warning in provenance.get("corpus_warnings", []):
        yield f"  {'warning':<12}{warning['message']}: {warning['count']:,} times, first at {warning['places'][0]}"
    if run:
        rate = f"{run['words_per_second']:,.0f} words/s"
        version = provenance["versions"]["embedpipe"]
        started = run["started"].replace("T", " ").replace("+00:00", " UTC")
        yield f"  {'made':<12}{started}, in {run['seconds']:.1f} s ({rate}), by embedpipe {version}"
    if "fingerprint" in provenance:
        yield f"  {'fingerprint':<12}{provenance['fingerprint'][:16]}"


def _counted(count: int, plural: str) -> str:
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def _corpus_names(provenance: dict[str, Any]) -> str:
    files = [Path(name).name for name in provenance.get("inputs", {}).get("corpus", {})]
    return _some(files, 2) or "unknown"


def _some(values: Sequence[str], count: int = 9) -> str:
    rest = f", ... ({len(values)} in all)" if len(values) > count else ""
    return ", ".join(values[:count]) + rest


def _ranges(layers: Sequence[int]) -> str:
    """``3-6`` for layers that follow each other, ``0, 6`` for others."""
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[0] + len(layers))):
        return f"{layers[0]}-{layers[-1]}"
    return ", ".join(map(str, layers))


def _table(rows: Sequence[Sequence[str]], right: set[int]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield ("  " + "  ".join(cells)).rstrip()


def _bytes(size: int) -> str:
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _product(shape: Iterable[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
