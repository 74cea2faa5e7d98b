"""The way from the root of a config to the place of an error, along the components' annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from embedpipe.config.registry import fields_of, registered
from embedpipe.config.schema import MARK
from embedpipe.config.wording import alternatives, in_words, with_article


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in the config an error is.

    :param path: The keys that lead there.
    :param hint: The annotation of what stands there; ``None`` where nothing should.
    :param owner: What the fields there belong to, as a message calls it.
    :param fields: These fields.
    """

    path: tuple[str | int, ...]
    hint: Any
    owner: str = "the config"
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def root(cls, job: type) -> Place:
        """The whole config of a job."""
        return cls((), None, fields=_fields_below(job))

    def follow(self, step: str | int) -> Place:
        """One step of a path as pydantic tells it: a key, an index, or the name of a union's member."""
        if isinstance(step, str) and step.startswith(MARK):
            return self._member(step.removeprefix(MARK))
        path = (*self.path, step)
        hint = _bare(self.hint)
        if get_origin(hint) is tuple:
            return dataclasses.replace(self, path=path, hint=get_args(hint)[0])
        if get_origin(hint) in (Mapping, dict):
            item = get_args(hint)[1]
            return Place(path, item, with_article(in_words(item)), _fields_below(item))
        hint = self.fields.get(str(step))
        return Place(path, hint, repr(step), _fields_below(hint))

    def _member(self, name: str) -> Place:
        if ":" not in name:
            members = [member for member in alternatives(self.hint) if member is not NoneType]
            return dataclasses.replace(self, hint=members[int(name)])
        role, _, type = name.partition(":")
        fields = {key: hint for key, (hint, _) in fields_of(registered(role).get(type)).items()}
        return Place(self.path, self.hint, repr(type), fields)


def _bare(hint: Any) -> Any:
    """Without ``None`` and bounds."""
    members = [member for member in alternatives(hint) if member is not NoneType]
    hint = members[0] if len(members) == 1 else hint
    return _bare(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def _fields_below(hint: Any) -> dict[str, Any]:
    """The fields of a fixed part: of a view, of the store."""
    bare = _bare(hint)
    return {key: part for key, (part, _) in fields_of(bare).items()} if dataclasses.is_dataclass(bare) else {}
