"""What a config can say: every registered type and every fixed part, with fields, defaults and descriptions."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from embedpipe.batching import Batching
from embedpipe.config.describe import spell
from embedpipe.config.registry import fields_of, is_required, registered
from embedpipe.config.roles import ROLES
from embedpipe.config.wording import did_you_mean, in_words
from embedpipe.downstream.fine_tune import FineTune
from embedpipe.downstream.heads import Training
from embedpipe.downstream.ner.job import TaggerJob
from embedpipe.errors import ConfigError
from embedpipe.experiment.comparison import Comparison
from embedpipe.job import Job
from embedpipe.layers import DESCRIPTIONS
from embedpipe.store import StoreSettings
from embedpipe.views import View

_FIXED: dict[str, type] = {
    "view": View,
    "batching": Batching,
    "store": StoreSettings,
    "training": Training,
    "fine_tune": FineTune,
    "extraction": Job,
    "comparison": Comparison,
    "tagger": TaggerJob,
}
"""The parts of a config that have no type to choose, and the three kinds of configs as a whole."""

_PARAM = re.compile(r"^:param (\w+):(.*(?:\n(?:[ \t]+.*)?)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field of a component.

    :param type: In words: ``integer > 0``, ``string | list of strings``, ``"float32" | "float16"``.
    :param required: Whether a config must give it; if so, it has no default.
    :param default: As a config would write it.
    """

    name: str
    type: str
    required: bool
    default: Any
    description: str


@dataclass(frozen=True, slots=True)
class ComponentInfo:
    """A type that a config can name, or a fixed part of it.

    :param role: ``"corpus"``, ``"encoder"``, ``"context"``, ``"layers"``, ``"head"``, ``"task"``, ``"splits"``; a fixed part's
        own name (``"view"``, ``"batching"``, ...).
    :param name: The type name; a fixed part's own name.
    :param summary: One paragraph.
    """

    role: str
    name: str
    summary: str
    fields: tuple[FieldInfo, ...]


def components(name: str | None = None) -> list[ComponentInfo]:
    """Describe what a config can say.

    :param name: A type, a fixed part, or a role with all its types. Left out: everything.
    :raises ConfigError: If there is nothing of this name.
    """
    everything = list(_everything())
    if name is None:
        return everything
    found = [info for info in everything if name in (info.name, info.role)]
    if not found:
        names = sorted({word for info in everything for word in (info.name, info.role)})
        mistake = f"{name!r} is not a component.{did_you_mean(name, names)} Known: {', '.join(names)}."
        raise ConfigError(f"embedpipe components {name}", [mistake])
    return found


def _everything() -> Iterator[ComponentInfo]:
    for role in ROLES:
        for name, item in registered(role).items():
            if isinstance(item, type):
                yield _describe(role, name, item)
            else:
                yield ComponentInfo(role, name, DESCRIPTIONS[name], ())
    for name, cls in _FIXED.items():
        yield _describe(name, name, cls)


def _describe(role: str, name: str, cls: type) -> ComponentInfo:
    texts = [inspect.cleandoc(base.__doc__ or "") for base in reversed(cls.__mro__)]  # its own words come last, and stand
    descriptions = {match[1]: " ".join(match[2].split()) for text in texts for match in _PARAM.finditer(text)}
    summary = " ".join(_PARAM.sub("", texts[-1]).split("\n\n", 1)[0].split())
    fields = tuple(_field(key, hint, field, descriptions.get(key, "")) for key, (hint, field) in fields_of(cls).items())
    return ComponentInfo(role, name, summary, fields)


def _field(name: str, hint: Any, field: dataclasses.Field[Any], description: str) -> FieldInfo:
    required = is_required(field)
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return FieldInfo(name, in_words(hint), required, None if required else spell(default, hint, (name,)), description)
