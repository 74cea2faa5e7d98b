"""``embedpipe compare``."""

from __future__ import annotations

from pathlib import Path

import click

from embedpipe.cli.going_on import saying_how_to_go_on
from embedpipe.cli.options import ext_var_option, include_package_option, overrides_option


@click.command("compare")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write.")
@overrides_option
@ext_var_option
@include_package_option
@click.option(
    "--workers",
    default=1,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Train so many models at once, each in a process with its share of the cores, or OMP_NUM_THREADS threads.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless it fails.")
def compare_command(
    config: Path,
    output: Path,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    workers: int,
    quiet: bool,
) -> None:
    """Find out which vectors are best for a task: extract once, train on every choice, test, report."""
    from embedpipe.api import compare
    from embedpipe.cli.steps import StepLine
    from embedpipe.report import table

    with StepLine(quiet=quiet) as line, saying_how_to_go_on("Features and finished runs are kept"):
        results = compare(
            config,
            output,
            overrides=overrides,
            ext_vars=ext_vars,
            include_packages=include_packages,
            workers=workers,
            on_step=line.step,
            on_progress=line.within,
        )
    if quiet:
        return
    click.echo(table(results))
    click.echo(f"\n{output / 'report.html'}: the whole of it; {output / 'results.json'}: every run")
