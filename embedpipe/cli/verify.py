"""``embedpipe verify``."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedpipe.cli.layout import counted, size_text
from embedpipe.cli.options import StorePath, ext_var_option, include_package_option, overrides_option
from embedpipe.errors import StoreError

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.against import Comparison
    from embedpipe.store.finding import Finding


@click.command("verify")
@click.argument("store", type=StorePath())
@click.option("--against", metavar="CONFIG", type=click.Path(path_type=Path), help="Compare with what this config would make.")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="With --against: sentences to embed again.",
)
@overrides_option
@ext_var_option
@include_package_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def verify_command(
    store: Path | str,
    against: Path | None,
    sample: int,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that a store is whole and says of itself what is true.

    Everything in it is read: checksums, counts, offsets, labels, ids, vectors. With --against CONFIG the corpus is read as
    well, and its words are compared with the store's; then some sentences are embedded again. Exit status 1 if something is
    wrong; each finding says how to repair it.
    """
    config = None
    if against is not None:
        from embedpipe.config import load_config

        config = load_config(against, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    if isinstance(store, str):
        store = _fetched(store)
    started = time.perf_counter()
    with _bytes_line() as on_progress:
        from embedpipe.store.verify import verify

        findings = list(verify(store, on_progress=on_progress))
    facts = describe(store, findings) | {"seconds": round(time.perf_counter() - started, 3)}
    if not as_json:
        click.echo("\n".join(as_text(facts, findings)))
    if config is not None and facts["is_readable"]:
        others, comparison = _compare(store, config, sample)
        findings += others
        facts["against"] = {"config": str(against), **dataclasses.asdict(comparison)}
        if not as_json:
            click.echo("\n".join(against_as_text(facts, others)))
    if as_json:
        facts |= {"is_well": not findings, "findings": [dataclasses.asdict(finding) for finding in findings]}
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    if findings:
        sys.exit(1)


def _fetched(url: str) -> Path:
    """The copy of a remote store, with all of its shards."""
    from embedpipe.store import open_store

    with open_store(url) as store:
        store.file.check_shards()
        return store.path


def describe(path: Path, findings: Sequence[Finding]) -> dict[str, Any]:
    """How much was checked, as JSON has it."""
    from embedpipe.store import open_store
    from embedpipe.store.lock import find_writer
    from embedpipe.store.manifest import shards_folder

    writer = find_writer(shards_folder(Path(os.path.realpath(path))))
    facts: dict[str, Any] = {"path": str(path), "writer": writer, "is_readable": False}
    with contextlib.suppress(StoreError), open_store(path) as store:
        facts |= {"is_readable": True, "sentences": len(store), "views": len(store.views), "shards": len(store.shards)}
        facts["size_bytes"] = store.size_bytes
    return facts


def as_text(facts: dict[str, Any], findings: Sequence[Finding]) -> Iterator[str]:
    """The lines for a person: one where all is well and nobody is writing."""
    if facts["writer"] and facts["is_readable"]:
        yield f"{facts['path']}: {facts['writer']} is writing; what it has not committed yet is not checked"
    if findings:
        yield f"{facts['path']}: {counted(len(findings), 'findings')}"
        yield from _lines(findings)
        return
    files = counted(facts["shards"], "shards") if facts["shards"] else "1 file"
    what = f"{counted(facts['sentences'], 'sentences')}, {counted(facts['views'], 'views')}, {files}"
    yield f"{facts['path']}: {what}: all is well, {size_text(facts['size_bytes'])} read in {facts['seconds']:.1f} s"


def against_as_text(facts: dict[str, Any], findings: Sequence[Finding]) -> Iterator[str]:
    """The lines of the comparison with a config."""
    against = facts["against"]
    again = f"{counted(against['num_embedded'], 'sentences')} embedded again"
    if against["differences"]:
        again += f", the largest difference {max(against['differences'].values()):.1e}"
    if findings:
        yield f"{facts['path']} against {against['config']}: {counted(len(findings), 'findings')} ({again})"
        yield from _lines(findings)
        return
    yield f"{against['config']}: the same {counted(against['num_sentences'], 'sentences')}, model and settings; {again}"


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Findings that are repaired in the same way stand together."""
    for hint, group in groupby(findings, key=lambda finding: finding.hint):
        yield from (f"  {finding}" for finding in group)
        yield f"    to repair: {hint}"


def _compare(store: Path, config: LoadedConfig, sample: int) -> tuple[list[Finding], Comparison]:
    from embedpipe.cli.progress import ProgressLine
    from embedpipe.engines.against import Comparison, compare

    comparison = Comparison()
    with ProgressLine(quiet=False, done="compared") as line:
        return list(compare(store, config, sample=sample, comparison=comparison, on_progress=line.update)), comparison


@contextlib.contextmanager
def _bytes_line() -> Iterator[Callable[[int, int], None]]:
    """A line on the terminal that says how much is read; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, dynamic_ncols=True, leave=False) as bar:

        def update(done: int, size: int) -> None:
            bar.total = max(size, done)
            bar.update(done - bar.n)

        yield update
