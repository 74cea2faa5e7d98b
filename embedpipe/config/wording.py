"""How a message writes a value, a path in the config, the type of a field, and a guess at what was meant."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from embedpipe.config.roles import NOUNS, role_of

_SCALARS = {str: "string", int: "integer", float: "number", bool: "true or false", NoneType: "null"}
_SIGNS: dict[type, str] = {Gt: ">", Ge: ">=", Lt: "<", Le: "<="}
_PLURALS = {"true or false": "true or false", "layer combination": "layer combinations"}
_PLAIN_KEY = re.compile(r"[\w-]+")


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union; a type that is none stands alone."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def in_words(hint: Any) -> str:
    """The type of a field as users read it: ``string | list of strings``, ``integer > 0``.

    :raises TypeError: If it is a type that a config cannot spell.
    """
    return " | ".join(_one_in_words(member) for member in alternatives(hint))


def expected(hint: Any) -> str:
    """The type of a field as it ends the sentence "expected ...": ``a string or a list of strings``."""
    return " or ".join(_with_article(member) for member in alternatives(hint) if member is not NoneType)


def _one_in_words(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if role := role_of(hint):
        return NOUNS[role]
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin is Annotated:
        return " ".join([in_words(args[0]), *_bounds(args[1:])])
    if origin is Literal:
        return " | ".join(json.dumps(choice) for choice in args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return f"list of {_plural(args[0])}"
    if origin in (Mapping, dict) and args[0] is str:
        return f"object of {_plural(args[1])}"
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", hint.__name__).lower()
    raise TypeError(f"{hint!r} is not a type that a config can spell")


def _bounds(metadata: Iterable[object]) -> list[str]:
    known = [bound for bound in metadata if type(bound) in _SIGNS]
    return [f"{_SIGNS[type(bound)]} {getattr(bound, type(bound).__name__.lower())}" for bound in known]


def _plural(hint: Any) -> str:
    """``strings``, ``integers > 0``, ``strings or lists of strings``."""
    words = []
    for member in alternatives(hint):
        noun, *bounds = _one_in_words(member).split(" ", 1) if get_origin(member) is Annotated else [_one_in_words(member)]
        if noun.startswith(("list of", "object of")):
            noun = noun.replace(" of", "s of", 1)
        elif noun not in _PLURALS and not noun.startswith('"'):
            noun += "s"
        words.append(" ".join([_PLURALS.get(noun, noun), *bounds]))
    return " or ".join(words)


def _with_article(hint: Any) -> str:
    if get_origin(hint) is Literal:
        choices = [repr(choice) for choice in get_args(hint)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    words = _one_in_words(hint)
    if role := role_of(hint):
        return f'the name of {with_article(NOUNS[role])}, or an object with a "type"'
    if dataclasses.is_dataclass(hint):
        return f"an object with the fields {', '.join(field.name for field in dataclasses.fields(hint))}"
    return words if hint is bool else with_article(words)


def with_article(noun: str) -> str:
    """``an integer``, ``a list of integers``."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def shown(value: object) -> str:
    """A value of the config with its kind: ``'abc' (a string)``, ``3 (a number)``, ``a list``."""
    if isinstance(value, str):
        return f"{quoted(value)} (a string)"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"{value} (a number)"
    return "a list" if isinstance(value, list | tuple) else "an object"


def quoted(text: str) -> str:
    """A string of the config, cut where it is too long for a message."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."


def dotted(path: Sequence[str | int]) -> str:
    """A path in the config, as ``--overrides`` takes it: ``views.last.layers``."""
    return ".".join(str(key) if _PLAIN_KEY.fullmatch(str(key)) else json.dumps(key, ensure_ascii=False) for key in path)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, with the space in front, or nothing."""
    near = difflib.get_close_matches(name.lower(), list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends with a mark of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
