"""Python's mappings as plain JSON, so that a config given as a dict is what the same config would be in a file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from embedpipe.config.wording import dotted

_MAX_DEPTH = 64


class NotPlainError(ValueError):
    """A value that JSON cannot hold; the message starts with its path."""


def plain(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """Lists for tuples, strings for paths, and objects with their keys sorted, as jsonnet sorts them.

    :raises NotPlainError: If a value has no form in JSON.
    """
    if len(path) > _MAX_DEPTH:
        raise NotPlainError(f"{dotted(path[:3])}...: is nested more than {_MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        wrong = next((key for key in value if not isinstance(key, str)), None)
        if wrong is not None:
            raise NotPlainError(f"{_place(path)}the key {wrong!r} is not a string")
        return {_text(key, path): plain(value[key], (*path, key)) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise NotPlainError(f"{_place(path)}got {value}; expected a finite number")
    if isinstance(value, str):
        return _text(value, path)
    if value is None or type(value) in (bool, int, float):
        return value
    raise NotPlainError(f"{_place(path)}{value!r:.60} is a {type(value).__name__}, which no config file can hold")


def _text(text: str, path: tuple[str | int, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotPlainError(f"{_place(path)}{text!r:.60} holds a lone surrogate, which is not a character") from None
    return str(text)


def _place(path: tuple[str | int, ...]) -> str:
    return f"{dotted(path)}: " if path else ""
