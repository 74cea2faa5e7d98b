"""Options that several commands share: how a config is read."""

from __future__ import annotations

import click


def _pairs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE")
    return dict(value.split("=", 1) for value in values)


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
