"""``embedpipe extract``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedpipe.cli.going_on import saying_how_to_go_on
from embedpipe.cli.options import StorePath, ext_var_option, include_package_option, overrides_option

if TYPE_CHECKING:
    from embedpipe.store import Store


@click.command("extract")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=StorePath(), help="The store to write, a path or URL; default: store.path of the config.")
@overrides_option
@ext_var_option
@include_package_option
@click.option("--restart", is_flag=True, help="Start over, and replace what is there.")
@click.option("--append", is_flag=True, help="Add what is new at the end of the corpus to the store that is there.")
@click.option("--engine", type=click.Choice(["local", "ray"]), help="Where it runs; default: engine.type, or local.")
@click.option("--workers", type=click.IntRange(min=1), help="How many make shards; default: engine.workers, or 1.")
@click.option("--address", help="Of a Ray cluster: auto, or HOST:PORT; default: a Ray that is started here for the run.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless it fails.")
def extract_command(
    config: Path,
    output: Path | str | None,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    restart: bool,
    append: bool,
    engine: str | None,
    workers: int | None,
    address: str | None,
    quiet: bool,
) -> None:
    """Run a corpus through an encoder and store its vectors.

    A run that was interrupted is gone on with by the same command. A finished store is left as it is, unless its corpus was
    added to and --append is given: then only the new sentences are embedded, and the store serves its readers meanwhile.
    """
    if restart and append:
        raise click.UsageError("--restart and --append exclude each other: a store is either replaced or added to.")
    from embedpipe.api import extract
    from embedpipe.cli.progress import ProgressLine

    command = "the same command, with --append," if append else "the same command"
    with ProgressLine(quiet=quiet) as line, saying_how_to_go_on("What is sealed is kept", command):
        store = extract(
            config,
            output,
            overrides=overrides,
            ext_vars=ext_vars,
            include_packages=include_packages,
            restart=restart,
            append=append,
            engine=engine,
            workers=workers,
            address=address,
            on_progress=line.update,
        )
    with store:
        if not quiet:
            _say(store, was_made=line.was_used, append=append)


def _say(store: Store, *, was_made: bool, append: bool) -> None:
    """A line on the store, and what was irregular in the corpus."""
    provenance = store.provenance
    there_already = "was there already, from the same config, corpus and model"
    made = f"in {provenance['run']['seconds']:.1f} s" if was_made else there_already
    views = "1 view" if len(store.views) == 1 else f"{len(store.views)} views"
    click.echo(f"{store.source}: {len(store):,} sentences{_added(store, append and was_made)}, {views}, {made}")
    for warning in provenance["corpus_warnings"]:
        places = ", ".join(warning["places"]) + (", ..." if warning["count"] > len(warning["places"]) else "")
        click.echo(f"  warning, {warning['count']:,} times: {warning['message']} ({places})")


def _added(store: Store, append: bool) -> str:
    """How many sentences were added in this run; it may not have come to that."""
    grown_from = store.provenance.get("grown_from") if append else None
    return f" ({len(store) - grown_from[-1]['num_sentences']:,} of them new)" if grown_from else ""
