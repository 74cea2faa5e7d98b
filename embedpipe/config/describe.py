"""A job as the config that makes it again, with every default written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from embedpipe.config.registry import fields_of, registered
from embedpipe.config.roles import NOUNS, ROLES, role_of
from embedpipe.config.wording import alternatives, dotted, with_article
from embedpipe.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def resolved(job: DataclassInstance) -> dict[str, Any]:
    """Write a job as plain JSON, which loads again to an equal job.

    A layer combination that has a name of its own is written by that name.

    :raises ConfigError: If the job has a component that is not registered, so that no config can name it.
    """
    written: dict[str, Any] = spell(job, type(job), ())
    return written


def spell(value: Any, hint: Any, path: tuple[str, ...]) -> Any:
    """Write a value of a field as plain JSON.

    :param hint: The field's annotation.
    :param path: Where it stands.
    :raises ConfigError: If it is a component that is not registered.
    """
    if isinstance(value, Mapping):
        return {key: spell(item, _of_items(hint), (*path, key)) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [spell(item, _of_items(hint), path) for item in value]
    named = _type_name(value)
    role = next((role for member in alternatives(hint) if (role := role_of(member))), None)
    if role is not None and named is None and value is not None:
        mistake = f"{dotted(path)}: {type(value).__qualname__} is not registered as {with_article(NOUNS[role])}; see @register."
        raise ConfigError("the job", [mistake])
    if named is None and not dataclasses.is_dataclass(value):
        return value
    fields = fields_of(type(value)) if named is None or isinstance(registered(named[0])[named[1]], type) else {}
    written = {key: spell(getattr(value, key), part, (*path, key)) for key, (part, _) in fields.items()}
    return written if named is None else {"type": named[1], **written}


def _type_name(value: Any) -> tuple[str, str] | None:
    """Role and type name of a component: the name of the very combination before that of its class."""
    for role in ROLES:
        for name, item in registered(role).items():
            if item is type(value) or (not isinstance(item, type) and item == value):
                return role, name
    return None


def _of_items(hint: Any) -> Any:
    """The annotation of a list's or an object's items."""
    for member in alternatives(hint):
        member = get_args(member)[0] if get_origin(member) is Annotated else member
        if get_origin(member) is tuple:
            return get_args(member)[0]
        if get_args(member):
            return get_args(member)[-1]
    return None
