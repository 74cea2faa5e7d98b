"""Pydantic's errors in the words of the config: where, what was found, what was expected, what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from embedpipe.config.place import Place
from embedpipe.config.registry import known
from embedpipe.config.roles import NOUNS, role_of
from embedpipe.config.wording import alternatives, did_you_mean, dotted, expected, quoted, sentence, shown, with_article

_BOUNDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
}
_FIELD_FIRST = re.compile(r"(\w+): (.*)", re.DOTALL)


def mistakes(error: ValidationError, root: type) -> list[str]:
    """Every mistake, in the order of the schema, each in one line that starts with its path.

    :param root: The dataclass whose fields are the config's keys.
    """
    start = Place.root(root)
    found = (f"{dotted(path)}: {sentence(text)}" for detail in error.errors() for path, text in _explain(detail, start))
    return list(dict.fromkeys(found))


def _explain(detail: ErrorDetails, start: Place) -> Iterator[tuple[Sequence[str | int], str]]:
    """The paths and texts that an error comes to; nearly always one."""
    loc, kind, value, context = detail["loc"], detail["type"], detail["input"], detail.get("ctx", {})
    is_key = loc[-1:] == ("[key]",) and kind == "string_too_short" and value == ""
    above, place = start, start
    for step in loc[:-1] if is_key else loc:
        above, place = place, place.follow(step)
    if is_key:
        yield place.path, "an empty name; give it one"
    elif kind == "missing":
        yield place.path, "is required"
    elif kind == "incomplete":
        yield from (((*place.path, field), "is required") for field in context["missing"])
    elif kind == "extra_forbidden":
        yield place.path, _not_a_field(str(loc[-1]), above)
    elif kind == "component":
        yield _not_a_component(place, value)
    elif kind in ("value_error", "assertion_error"):
        yield _raised(place, str(context["error"]))
    elif kind in _BOUNDS:
        yield place.path, f"got {value}; {_BOUNDS[kind].format(**context)}"
    elif kind in ("too_short", "too_long", "string_too_short", "string_too_long"):
        yield place.path, _wrong_length(value, context)
    else:
        is_one_of_several = get_origin(place.hint) is Literal and place.hint in alternatives(above.hint)
        yield place.path, _wrong_kind(value, above.hint if is_one_of_several else place.hint)


def _not_a_field(name: str, owner: Place) -> str:
    if not owner.fields:
        return f"is not a field of {owner.owner}, which has none"
    return f"is not a field of {owner.owner}.{did_you_mean(name, owner.fields)} Fields: {', '.join(owner.fields)}"


def _not_a_component(place: Place, value: Any) -> tuple[Sequence[str | int], str]:
    role = str(role_of(_only_component(place.hint)))
    path, name = place.path, value
    if isinstance(value, dict):
        path, name = (*path, "type"), value.get("type")
        if "type" not in value:
            return path, f"is required. Known: {', '.join(known(role))}"
    if isinstance(name, str):
        noun = with_article(NOUNS[role])
        return path, f"{quoted(name)} is not {noun}.{did_you_mean(name, known(role))} Known: {', '.join(known(role))}"
    if isinstance(value, dict):
        return path, f"got {shown(name)}; expected the name of {with_article(NOUNS[role])}"
    return path, _wrong_kind(value, place.hint)


def _only_component(hint: Any) -> Any:
    """The component among the members of a union."""
    return next((member for member in alternatives(hint) if role_of(member)), hint)


def _raised(place: Place, message: str) -> tuple[Sequence[str | int], str]:
    """What a component's own check says, which may name one of its fields."""
    match = _FIELD_FIRST.fullmatch(message)
    if match and match[1] in place.fields:
        return (*place.path, match[1]), match[2]
    return place.path, message


def _wrong_length(value: Any, context: Mapping[str, Any]) -> str:
    bound = f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']}"
    units = "characters" if isinstance(value, str) else "entries"
    return f"is empty; give {bound}" if not value else f"has {len(value)} {units}; give {bound}"


def _wrong_kind(value: Any, hint: Any) -> str:
    choices = [choice for member in alternatives(hint) if get_origin(member) is Literal for choice in get_args(member)]
    if not isinstance(value, str) or not choices:
        return f"got {shown(value)}; expected {expected(hint)}"
    guess = did_you_mean(value, [choice for choice in choices if isinstance(choice, str)])
    return sentence(f"got {quoted(value)}; expected {expected(hint)}") + guess
