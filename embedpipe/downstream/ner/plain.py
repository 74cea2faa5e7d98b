"""Settings as plain JSON, and back. What comes back may have been written by anybody, so all of it is checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import annotated_types

T = TypeVar("T")


def from_plain(cls: type[T], plain: Any, where: str) -> T:
    """Make a dataclass of a JSON object.

    :param where: What the object is, for the messages.
    :raises ValueError: If it has other fields, or values that these cannot have.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where}: expected an object, found {plain!r:.60}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := plain.keys() - fields.keys():
        raise ValueError(f"{where}: {sorted(unknown)[0]!r:.60} is none of its fields ({', '.join(fields)})")
    hints = get_type_hints(cls, include_extras=True)
    values = {name: _value(hints[name], value, f"{where}.{name}") for name, value in plain.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = _value(args[0], value, where)
        _check_bounds(args[1:], inner, where)
        return inner
    if origin is UnionType:
        if value is None and NoneType in args:
            return None
        return _value(next(arg for arg in args if arg is not NoneType), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where}: expected a list, found {value!r:.60}")
        return tuple(_value(args[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value, where)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise ValueError(f"{where}: expected {getattr(hint, '__name__', hint)}, found {value!r:.60}")


def _check_bounds(bounds: tuple[Any, ...], value: Any, where: str) -> None:
    for bound in bounds:
        match bound:
            case annotated_types.Gt(gt=limit):
                within = value > limit
            case annotated_types.Ge(ge=limit):
                within = value >= limit
            case annotated_types.Lt(lt=limit):
                within = value < limit
            case annotated_types.Le(le=limit):
                within = value <= limit
            case _:
                continue
        if not within:
            raise ValueError(f"{where}: {value!r} is out of bounds ({bound})")
