"""``embedpipe components``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import click

from embedpipe.cli.options import include_package_option

if TYPE_CHECKING:
    from embedpipe.config import ComponentInfo


@click.command("components")
@click.argument("name", required=False)
@include_package_option
def components_command(name: str | None, include_packages: tuple[str, ...]) -> None:
    """List every registered type, or describe NAME."""
    from embedpipe.config import components, load_plugins

    load_plugins(include_packages)
    found = components(name)
    lines = _overview(found) if name is None else (line for info in found for line in _details(info))
    click.echo("\n".join(lines))


def _overview(infos: list[ComponentInfo]) -> Iterator[str]:
    width = max(len(info.name) for info in infos)
    for role, of_role in groupby(infos, key=lambda info: info.role):
        yield click.style(role, bold=True)
        for info in of_role:
            yield from _wrapped(info.summary, first=f"  {info.name:<{width}}  ", rest=" " * (width + 4))
        yield ""
    yield "embedpipe components NAME lists the fields of one."


def _details(info: ComponentInfo) -> Iterator[str]:
    yield click.style(f"{info.role}: {info.name}", bold=True)
    yield from _wrapped(info.summary, first="  ", rest="  ")
    for field in info.fields:
        default = "required" if field.required else f"default {json.dumps(field.default)}"
        yield ""
        yield f"  {click.style(field.name, bold=True)}: {field.type}, {default}"
        yield from _wrapped(field.description, first="      ", rest="      ")
    yield ""


def _wrapped(text: str, *, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text.replace("``", ""), width=100, initial_indent=first, subsequent_indent=rest)
