"""Changing single values of a config: ``--overrides``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedpipe.config.wording import dotted


class OverrideError(ValueError):
    """An override that cannot be applied; the message starts with its path."""


def override(config: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge overrides into a config, as AllenNLP does.

    A key is a path: ``{"encoder.precision": "bfloat16"}`` is ``{"encoder": {"precision": "bfloat16"}}``; a number in it counts
    the elements of a list from 0. Keys within a value are taken as they are, and keys that hold a dot themselves are found
    if the config has them. Objects are merged deeply, except that one with another ``type`` replaces the component; lists and
    all else are replaced whole.

    :raises OverrideError: If two overrides contradict each other, or a list has no such element.
    """
    tree: dict[str, Any] = {}
    for key, value in overrides.items():
        path = _split(key, config)
        for part in reversed(path):
            value = {part: value}
        tree = _join(tree, value, ())
    merged: dict[str, Any] = _merge(config, tree, ())
    return merged


def _split(key: str, config: Any) -> list[str]:
    """The parts of a dotted key; the longest key that the config has goes before a shorter one."""
    if isinstance(config, dict):
        found = [name for name in config if name and (key == name or key.startswith(f"{name}."))]
        head = max(found, key=len, default=key.split(".", 1)[0])
        below = config.get(head)
    else:
        head = key.split(".", 1)[0]
        below = config[int(head)] if isinstance(config, list) and head.isdecimal() and int(head) < len(config) else None
    return [head] if key == head else [head, *_split(key[len(head) + 1 :], below)]


def _join(first: Any, second: Any, path: tuple[str, ...]) -> Any:
    """One tree of two; each value may be given once."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise OverrideError(f"{dotted(path)}: is given twice")
    joined = dict(first)
    for key, value in second.items():
        joined[key] = _join(joined[key], value, (*path, key)) if key in joined else value
    return joined


def _merge(config: Any, change: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(change, dict):
        return change
    if isinstance(config, list) and change and all(key.isdecimal() for key in change):
        return _merge_list(config, change, path)
    if isinstance(config, str):
        config = {"type": config}  # a component given by its name alone
    if not isinstance(config, dict) or ("type" in change and change["type"] != config.get("type", change["type"])):
        return change
    merged = dict(config)
    for key, value in change.items():
        merged[key] = _merge(merged[key], value, (*path, key)) if key in merged else value
    return merged


def _merge_list(config: list[Any], change: dict[str, Any], path: tuple[str, ...]) -> list[Any]:
    merged = list(config)
    for key, value in change.items():
        if int(key) >= len(config):
            raise OverrideError(f"{dotted((*path, key))}: the list has {len(config)} elements, counted from 0")
        merged[int(key)] = _merge(config[int(key)], value, (*path, key))
    return merged
