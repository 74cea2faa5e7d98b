"""``embedpipe train``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedpipe.cli.going_on import saying_how_to_go_on
from embedpipe.cli.options import ext_var_option, include_package_option, overrides_option

if TYPE_CHECKING:
    from embedpipe.downstream.heads import Epoch


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write.")
@overrides_option
@ext_var_option
@include_package_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless it fails.")
def train_command(
    config: Path,
    output: Path,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    quiet: bool,
) -> None:
    """Train a tagger on the vectors of a store, and save it."""
    from embedpipe.api import train

    def show(epoch: Epoch) -> None:
        click.echo(
            f"  epoch {epoch.number:>3}  loss {epoch.loss:8.4f}  dev {epoch.score:.4f}  best {epoch.best_score:.4f}", err=True
        )

    shown = show if sys.stderr.isatty() and not quiet else None
    with saying_how_to_go_on("Finished epochs are kept"):
        tagger, scores = train(
            config,
            output,
            overrides=overrides,
            ext_vars=ext_vars,
            include_packages=include_packages,
            on_epoch=shown,
        )
    if quiet:
        return
    best = max(tagger.epochs, key=lambda epoch: epoch.score) if tagger.epochs else None
    chosen = f", the best of {len(tagger.epochs)} epochs is the {best.number}. with {best.score:.4f} on dev" if best else ""
    click.echo(f"{output}: a tagger for {len(tagger.tags)} tags{chosen}")
    if scores is not None:
        click.echo("  test: " + ", ".join(f"{name} {score:.4f}" for name, score in scores.items()))
    if tagger.mix is not None:
        weights = ", ".join(
            f"{layer}: {weight:.3f}" for layer, weight in zip(tagger.mix.layers, tagger.mix.weights, strict=True)
        )
        click.echo(f"  the mix it has learned, by layer: {weights}; gamma {tagger.mix.gamma:.3f}")
        click.echo(f"  as a view of a config: layers: {json.dumps(tagger.mix.as_config())}")
