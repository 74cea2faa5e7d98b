"""Options that several commands share: how a config is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def _pairs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE")
    return dict(value.split("=", 1) for value in values)


class StorePath(click.ParamType):  # type: ignore[type-arg]
    """The path of a store, or a URL."""

    name = "path"

    def convert(self, value: Any, _parameter: click.Parameter | None, _context: click.Context | None) -> Path | str:
        from embedpipe.store import is_url

        return value if is_url(value) else Path(value)


overrides_option = click.option(
    "--overrides", metavar="JSON", help="""Change the config, for example '{"encoder.precision": "bfloat16"}'."""
)
ext_var_option = click.option(
    "--ext-var",
    "ext_vars",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Set a variable of the config; repeatable.",
)
include_package_option = click.option(
    "--include-package", "include_packages", metavar="PKG", multiple=True, help="Import a package of components; repeatable."
)
