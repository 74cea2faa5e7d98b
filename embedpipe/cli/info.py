"""``embedpipe info``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedpipe.cli.layout import counted, fact, size_text, some, views_table
from embedpipe.cli.options import StorePath

if TYPE_CHECKING:
    from embedpipe.store import Store


_FAILURES_SHOWN = 5


@click.command("info")
@click.argument("store", type=StorePath())
@click.option("--flags", is_flag=True, help="Count the flags even if all shards must be fetched from a URL for it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def info_command(store: Path | str, flags: bool, as_json: bool) -> None:
    """Say what a store holds and where it came from.

    Of a store at a URL its own file is fetched; its shards only with --flags.
    """
    from embedpipe.store import open_store

    with open_store(store) as opened:
        facts = describe(opened, flags=flags or not opened.shards_to_fetch)
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False) if as_json else "\n".join(as_text(facts)))


def describe(store: Store, *, flags: bool = True) -> dict[str, Any]:
    """Everything that ``info`` prints, as JSON has it.

    :param flags: Whether to count the flags; else they are ``None``.
    """
    summary = store.summary(flags=flags)
    return {
        "path": store.source,
        "size_bytes": store.size_bytes,
        "num_shards": len(store.shards),
        "format_version": store.format_version,
        "counts": dict(summary.counts),
        "flags": None if summary.flags is None else dict(summary.flags),
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
    shards = f" in {facts['num_shards']:,} shards" if facts["num_shards"] else ""
    size = size_text(facts["size_bytes"]) + shards
    yield f"{facts['path']}: an embedpipe store, format {facts['format_version']}, {size}"
    yield ""
    yield from _facts(facts, provenance, counts)
    yield ""
    yield from views_table(facts["views"])


def _facts(facts: dict[str, Any], provenance: dict[str, Any], counts: dict[str, int]) -> Iterator[str]:
    encoder, run = provenance.get("encoder", {}), provenance.get("run", {})
    config = provenance.get("config", {})
    sizes = ", ".join(counted(counts[unit], unit) for unit in ("documents", "sentences", "words", "subwords"))
    yield fact("corpus", f"{_corpus_names(provenance)}: {sizes}")
    if encoder:
        model = encoder["model"] + (f" at {encoder['revision']}" if encoder.get("revision") else "")
        size = f"{encoder['num_layers']} layers of {encoder['hidden_size']}"
        yield fact("encoder", f"{model}: {encoder['architecture']}, {size}, {encoder['precision']} on {encoder['device_name']}")
    if config:
        window = provenance["window"]["content"]
        yield fact("context", f"{config['context']['type']}, " + (f"windows of {window} subwords" if window else "no limit"))
    for name, label in facts["labels"].items():
        yield fact("label", f"{name} ({label['unit']}): {some(label['values'])}")
    if facts["flags"] is None:
        yield fact("flag", f"not counted, as the shards are not here; --flags fetches them ({size_text(facts['size_bytes'])})")
    for flag, count in (facts["flags"] or {}).items():
        yield fact("flag", f"{flag}: {count:,}")
    for id, reason in list(provenance.get("failures", {}).items())[:_FAILURES_SHOWN]:
        yield fact("failed", f"{id}: {reason}")
    for warning in provenance.get("corpus_warnings", []):
        yield fact("warning", f"{warning['message']}: {warning['count']:,} times, first at {warning['places'][0]}")
    if grown_from := provenance.get("grown_from"):
        yield fact("grown", "from " + ", ".join(_earlier(each) for each in grown_from))
    if run:
        rate = f"{run['words_per_second']:,.0f} words/s"
        version = provenance["versions"]["embedpipe"]
        started = _time_text(run["started"])
        kept = f", {run['num_shards_kept']:,} shards kept from before" if run.get("num_shards_kept") else ""
        yield fact("made", f"{started}, in {run['seconds']:.1f} s ({rate}{kept}), by embedpipe {version}")
    if "fingerprint" in provenance:
        yield fact("fingerprint", provenance["fingerprint"][:16])


def _earlier(run: dict[str, Any]) -> str:
    """What a store was before it grew."""
    made = f" ({_time_text(run['run']['started'])})" if "run" in run else ""
    return counted(run["num_sentences"], "sentences") + made


def _time_text(time: str) -> str:
    return time.replace("T", " ").replace("+00:00", " UTC")


def _corpus_names(provenance: dict[str, Any]) -> str:
    files = [Path(name).name for name in provenance.get("inputs", {}).get("corpus", {})]
    return some(files, 2) or "unknown"


def _product(shape: Iterable[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
