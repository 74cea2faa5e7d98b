"""Jsonnet to plain JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _jsonnet

from embedpipe.config.overrides import OverrideError, override
from embedpipe.config.plain import NotPlainError, plain
from embedpipe.config.wording import sentence, shown
from embedpipe.errors import ConfigError

GIVEN_AS_DICT = "the config given as a dict"
_OVERRIDES = "--overrides"

_PLACE = r"(?P<file>.*?):\(?(?P<line>\d+):(?P<column>\d+)\)?(?:-[\d:()]+)?"
_STATIC = re.compile(rf"STATIC ERROR: {_PLACE}: (?P<message>.*)", re.DOTALL)
_FRAME = re.compile(rf"\t{_PLACE}(?:\t.*)?")
_EXT_VAR = re.compile(r"undefined external variable: (.*)", re.DOTALL)
_IMPORT = re.compile(r"couldn't open import (\".*\"): (.*)", re.DOTALL)


def evaluate(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    ext_vars: Mapping[str, str] | None = None,
    overrides: str | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Evaluate a config file, or take a dict as it is, and merge the overrides into it.

    ``import`` finds files relative to the file that imports. Environment variables are not visible in a config (in AllenNLP
    they all are): what ``std.extVar`` finds is ``ext_vars`` and nothing else, so that a config means the same everywhere.

    :param source: Path of a jsonnet or JSON file, or the config itself.
    :param ext_vars: By name, the strings that ``std.extVar`` gives; the command line's ``--ext-var``.
    :param overrides: An object, or jsonnet that gives one: see :func:`~embedpipe.config.overrides.override`.
    :raises ConfigError: If something cannot be read or evaluated, or is not an object.
    """
    name = source_name(source)
    variables = dict(ext_vars or {})
    config = _plain(source, name) if isinstance(source, Mapping) else _evaluate(_read(Path(source), name), name, variables)
    if overrides is None:
        return config
    changes = _evaluate(overrides, _OVERRIDES, variables) if isinstance(overrides, str) else _plain(overrides, _OVERRIDES)
    try:
        return _plain(override(config, changes), name)
    except OverrideError as error:
        raise ConfigError(_OVERRIDES, [sentence(str(error))]) from None


def source_name(source: str | os.PathLike[str] | Mapping[str, Any]) -> str:
    """What messages call the config."""
    return GIVEN_AS_DICT if isinstance(source, Mapping) else os.fspath(source)


def _plain(value: Any, name: str) -> dict[str, Any]:
    try:
        value = plain(value)
    except NotPlainError as error:
        raise ConfigError(name, [sentence(str(error))]) from None
    if not isinstance(value, dict):
        raise ConfigError(name, [f"it is {shown(value)}; expected an object: {{ ... }}."])
    return value


def _read(path: Path, name: str) -> str:
    try:
        return _text(path)
    except _UnreadableError as error:
        raise ConfigError(name, [f"{error}."]) from None


class _UnreadableError(Exception):
    """Why a file cannot be read."""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _UnreadableError(f"not UTF-8: line {line} has the byte 0x{error.object[error.start]:02x}") from None
    except FileNotFoundError:
        raise _UnreadableError(f"there is no such file (looked for {path.absolute()})") from None
    except IsADirectoryError:
        raise _UnreadableError("it is a folder; name the config file in it") from None
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _evaluate(text: str, name: str, ext_vars: dict[str, str]) -> dict[str, Any]:
    def read_import(folder: str, path: str) -> tuple[str, bytes]:
        found = os.path.join(folder, path)  # noqa: PTH118  (jsonnet's names are strings, and shown as they are)
        try:
            return found, _text(Path(found)).encode()
        except _UnreadableError as error:
            raise RuntimeError(str(error)) from None

    try:
        evaluated = _jsonnet.evaluate_snippet(name, text, ext_vars=ext_vars, import_callback=read_import)
        return _plain(json.loads(evaluated), name)
    except RuntimeError as error:
        raise ConfigError(name, [_explain(str(error))]) from None
    except ValueError as error:
        raise ConfigError(name, [f"it cannot be evaluated: {error}."]) from None


def _explain(error: str) -> str:
    """Jsonnet's message in one line, with the place and without the stack trace."""
    if static := _STATIC.match(error):
        return sentence(f"{_place(static)}: {_in_one_line(static['message'])}")
    head, *frames = re.split(r"\n(?=\t)", error.removeprefix("RUNTIME ERROR: ").rstrip())
    places = (match for frame in frames if (match := _FRAME.match(frame)) and match["file"] != "std.jsonnet")
    place = next(places, None)
    return sentence(": ".join([*([_place(place)] if place else []), _reword(_in_one_line(head))]))


def _reword(message: str) -> str:
    if ext_var := _EXT_VAR.fullmatch(message):
        name = ext_var[1]
        return f"the external variable {name!r} is not given; give it with --ext-var {name}=value"
    if failed := _IMPORT.fullmatch(message):
        return f"cannot import {failed[1]}: {failed[2]}"
    if message == "max stack frames exceeded.":
        return "the calls or objects are nested without end"
    return message


def _place(match: re.Match[str]) -> str:
    return f"{match['file']}:{match['line']}:{match['column']}"


def _in_one_line(message: str) -> str:
    return " ".join(message.split())
