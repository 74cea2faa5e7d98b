"""``embedpipe``: the group of commands, exit statuses, and errors without tracebacks.

Exit status: 0 done, 1 failed, 2 bad usage or config, 130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from embedpipe import __version__
from embedpipe.cli.compare import compare_command
from embedpipe.cli.components import components_command
from embedpipe.cli.export import export_command
from embedpipe.cli.extract import extract_command
from embedpipe.cli.info import info_command
from embedpipe.cli.plan import plan_command
from embedpipe.cli.predict import predict_command
from embedpipe.cli.train import train_command
from embedpipe.cli.verify import verify_command
from embedpipe.errors import ConfigError, EmbedpipeError
from embedpipe.garbage import search_rarely


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="embedpipe")
def commands() -> None:
    """Frozen-model features, every layer, aligned to your words, in one HDF5 store."""


commands.add_command(plan_command)
commands.add_command(extract_command)
commands.add_command(info_command)
commands.add_command(verify_command)
commands.add_command(export_command)
commands.add_command(compare_command)
commands.add_command(train_command)
commands.add_command(predict_command)
commands.add_command(components_command)


class _Terminated(BaseException):
    """SIGTERM came."""


def main() -> None:
    """Run the command line; a user's mistake is a message, never a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    search_rarely()
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _stop("interrupted", 130)
    except _Terminated:
        _stop("terminated", 143)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except EmbedpipeError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated


def _stop(how: str, status: int) -> None:
    click.echo(f"embedpipe: {how}", err=True)
    sys.exit(status)
