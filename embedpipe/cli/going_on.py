"""What is said when work is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click


@contextlib.contextmanager
def saying_how_to_go_on(kept: str, command: str = "the same command") -> Iterator[None]:
    """Ctrl-C and SIGTERM come as exceptions that are no errors.

    :param kept: What of the work is kept.
    :param command: What goes on from there.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException:
        click.echo(f"\n{kept}; {command} goes on from there.", err=True)
        raise
