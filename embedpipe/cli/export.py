"""``embedpipe export``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import click

from embedpipe.cli.layout import size_text
from embedpipe.cli.options import StorePath

_FORMATS = ("npz", "parquet", "allennlp-elmo")


@click.command("export")
@click.argument("store", type=StorePath())
@click.option("--format", type=click.Choice(_FORMATS), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--view", "views", metavar="NAME", multiple=True, help="Export this view; repeatable. Default: all.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless it fails.")
def export_command(store: Path | str, format: str, output: Path, views: tuple[str, ...], quiet: bool) -> None:
    """Write views of a store into a file that other programs read.

    npz is for numpy; parquet, with a row a word, for tables of all kinds (needs pyarrow); allennlp-elmo is what the command
    "allennlp elmo" of AllenNLP wrote: a view of all layers, stacked, gives a file as of --all, any other view of words one
    as of --top and --average.
    """
    from embedpipe.store import export_store
    from embedpipe.store.export import ExportFormat

    with _rows_line(quiet=quiet) as on_progress:
        export_store(store, output, cast("ExportFormat", format), views=views, on_progress=on_progress)
    if not quiet:
        click.echo(f"{output}: {', '.join(views) or 'all views'} of {store}, {size_text(output.stat().st_size)}")


@contextlib.contextmanager
def _rows_line(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A line on the terminal that says how much is written; nothing where there is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(unit=" rows", unit_scale=True, dynamic_ncols=True, leave=False) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
