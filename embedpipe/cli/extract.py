"""``embedpipe extract``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from embedpipe.cli.options import ext_var_option, include_package_option, overrides_option


@click.command("extract")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The store to write; default: store.path of the config.")
@overrides_option
@ext_var_option
@include_package_option
@click.option("--restart", is_flag=True, help="Start over, and replace what is there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless it fails.")
def extract_command(
    config: Path,
    output: Path | None,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    restart: bool,
    quiet: bool,
) -> None:
    """Run a corpus through an encoder and store its vectors."""
    from embedpipe.api import extract
    from embedpipe.cli.progress import ProgressLine

    with ProgressLine(quiet=quiet) as line, _saying_how_to_go_on():
        store = extract(
            config,
            output,
            overrides=overrides,
            ext_vars=ext_vars,
            include_packages=include_packages,
            restart=restart,
            on_progress=line.update,
        )
    if quiet:
        return
    run = store.provenance["run"]
    made = f"in {run['seconds']:.1f} s" if line.was_used else "was there already, from the same config, corpus and model"
    views = "1 view" if len(store.views) == 1 else f"{len(store.views)} views"
    click.echo(f"{store.path}: {len(store):,} sentences, {views}, {made}")
    for warning in store.provenance["corpus_warnings"]:
        places = ", ".join(warning["places"]) + (", ..." if warning["count"] > len(warning["places"]) else "")
        click.echo(f"  warning, {warning['count']:,} times: {warning['message']} ({places})")


@contextlib.contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    """Ctrl-C and SIGTERM come as exceptions that are no errors."""
    try:
        yield
    except Exception:
        raise
    except BaseException:
        click.echo("\nWhat is sealed is kept; the same command goes on from there.", err=True)
        raise
