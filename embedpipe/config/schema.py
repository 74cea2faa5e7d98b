"""A config's schema: pydantic models made of the dataclasses' annotations, and the way from JSON to a job.

Strict: no key that is not a field, no string for a number, no number for a truth value. Each role is one union, told apart by
``type``; the other unions are told apart by the kind of the JSON value. So every mistake is found, once, in one go.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import lru_cache, partial
from types import NoneType
from typing import Annotated, Any, ForwardRef, Literal, Optional, TypeVar, Union, get_args, get_origin

from annotated_types import MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, create_model
from pydantic_core import PydanticCustomError

from embedpipe.config.registry import fields_of, is_required, registered
from embedpipe.config.roles import ROLES, role_of
from embedpipe.config.wording import alternatives

R = TypeVar("R")

MARK = "\0"
"""Starts the names of a union's members, which pydantic puts between the keys of an error's path."""

_STRICT = ConfigDict(extra="forbid", strict=True)


def build(config: Mapping[str, Any], root: type[R]) -> R:
    """Check a config and make what it describes.

    :param config: Plain JSON.
    :param root: The dataclass whose fields are the config's keys: :class:`~embedpipe.job.Job`, for instance.
    :raises pydantic.ValidationError: With every mistake; see :mod:`embedpipe.config.explain`.
    """
    types = tuple((role, name, item) for role in ROLES for name, item in registered(role).items())
    adapter = _adapter(root, types)  # type: ignore[arg-type]  # a class can be hashed
    made: R = adapter.validate_json(json.dumps(config))
    return made


@lru_cache(maxsize=4)
def _adapter(root: type, types: tuple[tuple[str, str, Any], ...]) -> TypeAdapter[Any]:
    """The whole schema (20 ms), made anew when plug-ins have registered more types."""
    models: list[type[BaseModel]] = []
    namespace = {_reference(role): _component(role, models) for role in ROLES}
    checked: Any = _annotation(root, models)
    for model in models:
        model.model_rebuild(_types_namespace=namespace)
    return TypeAdapter(checked)


def _component(role: str, models: list[type[BaseModel]]) -> Any:
    """The union of all types of a role; a type's name alone stands for an object with nothing else in it."""
    members: list[Any] = [Annotated[str, AfterValidator(partial(_make_of_name, role)), Tag(_tag(role, ""))]]
    for name, item in registered(role).items():
        fields = {key: (hint, is_required(field)) for key, (hint, field) in fields_of(item).items()}
        model = _model(name, fields, models, type=(Literal[name], ...))
        make = AfterValidator(partial(_make, item))
        members.append(Annotated[model, make, Tag(_tag(role, name))])
    return Annotated[Union[tuple(members)], _by_type(role)]  # noqa: UP007


def _model(name: str, fields: Mapping[str, tuple[Any, bool]], models: list[type[BaseModel]], **more: Any) -> type[BaseModel]:
    """A model whose own names cannot meet those of pydantic's."""
    definitions: dict[str, Any] = {
        f"field_{key}": (_annotation(hint, models), Field(... if required else None, alias=key))
        for key, (hint, required) in fields.items()
    }
    model: type[BaseModel] = create_model(name, __config__=_STRICT, **more, **definitions)
    models.append(model)
    return model


def _annotation(hint: Any, models: list[type[BaseModel]]) -> Any:
    """A field's annotation as pydantic shall see it."""
    origin, args = get_origin(hint), get_args(hint)
    if role := role_of(hint):
        return ForwardRef(_reference(role))
    if len(alternatives(hint)) > 1:
        return _union(hint, models)
    if origin is Annotated:
        return Annotated[(_annotation(args[0], models), *args[1:])]
    if origin is tuple:
        return tuple[_annotation(args[0], models), ...]  # type: ignore[misc]
    if origin in (Mapping, dict):
        return dict[Annotated[str, MinLen(1)], _annotation(args[1], models)]  # type: ignore[misc]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        fields = {key: (part, is_required(field)) for key, (part, field) in fields_of(hint).items()}
        return Annotated[_model(hint.__name__, fields, models), AfterValidator(partial(_make, hint))]
    return hint


def _union(hint: Any, models: list[type[BaseModel]]) -> Any:
    members = [member for member in alternatives(hint) if member is not NoneType]
    annotation = _annotation(members[0], models)
    if len(members) > 1:
        tagged = [Annotated[_annotation(member, models), Tag(f"{MARK}{index}")] for index, member in enumerate(members)]
        annotation = Annotated[Union[tuple(tagged)], _by_kind(members)]  # noqa: UP007
    return Optional[annotation] if NoneType in alternatives(hint) else annotation  # noqa: UP045


def _kinds(hint: Any) -> tuple[type, ...]:
    """The Python types of the JSON values that a member of a union may take."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kinds(args[0])
    if origin is Literal:
        return tuple({type(choice) for choice in args})
    if role_of(hint):
        return (str, dict)
    return {tuple: (list,), float: (int, float), int: (int,), bool: (bool,), str: (str,)}.get(origin or hint, (dict,))


def _by_kind(members: list[Any]) -> Discriminator:
    kinds = [_kinds(member) for member in members]

    def member_tag(value: Any) -> str | None:
        return next((f"{MARK}{index}" for index, types in enumerate(kinds) if type(value) in types), None)

    return Discriminator(member_tag, custom_error_type="kind", custom_error_message="kind")


def _by_type(role: str) -> Discriminator:
    def type_tag(value: Any) -> str | None:
        if isinstance(value, str):
            return _tag(role, "")
        name = value.get("type") if isinstance(value, dict) else None
        return _tag(role, name) if isinstance(name, str) and name in registered(role) else None

    return Discriminator(type_tag, custom_error_type="component", custom_error_message="component")


def _tag(role: str, name: str) -> str:
    return f"{MARK}{role}:{name}"


def _reference(role: str) -> str:
    return f"any_{role}"


def _make(item: Any, model: BaseModel) -> Any:
    """The dataclass of what the config gave, so that its own defaults fill the rest; a named combination as it is."""
    if not isinstance(item, type):
        return item
    prefix = "field_"
    given = {name.removeprefix(prefix): getattr(model, name) for name in model.model_fields_set if name.startswith(prefix)}
    return item(**given)


def _make_of_name(role: str, name: str) -> Any:
    item = registered(role).get(name)
    if item is None:
        raise PydanticCustomError("component", "component")
    missing = [key for key, (_, field) in fields_of(item).items() if is_required(field)]
    if missing:
        raise PydanticCustomError("incomplete", "incomplete", {"missing": missing})
    return item() if isinstance(item, type) else item
