"""The parts that a config chooses by type, and what the code says of them."""

from __future__ import annotations

from typing import Any

from embedpipe.dataflow import Corpus
from embedpipe.downstream.heads import Head
from embedpipe.experiment.splits import Splits
from embedpipe.experiment.tasks import Task
from embedpipe.job import EncoderSettings, EngineSettings
from embedpipe.layers import LayerCombination
from embedpipe.subwords import Context

ROLES = ("corpus", "encoder", "context", "layers", "head", "task", "splits", "engine")
"""A component has one of these roles, and a type name of its own within it."""

NOUNS = {
    "corpus": "corpus type",
    "encoder": "encoder type",
    "context": "context type",
    "layers": "layer combination",
    "head": "head type",
    "task": "task type",
    "splits": "type of splits",
    "engine": "engine type",
}
"""What a type of each role is called in a message."""

_PROTOCOLS: dict[str, Any] = {
    "corpus": Corpus,
    "encoder": EncoderSettings,
    "context": Context,
    "layers": LayerCombination,
    "head": Head,
    "task": Task,
    "splits": Splits,
    "engine": EngineSettings,
}


def role_of(hint: Any) -> str | None:
    """The role of a field that takes a component, for instance ``"layers"`` for the annotation ``LayerCombination``."""
    return next((role for role, protocol in _PROTOCOLS.items() if hint is protocol), None)


def members(role: str) -> tuple[str, ...]:
    """The attributes and methods that a component of the role must have."""
    protocol = _PROTOCOLS[role]
    names = {**vars(protocol), **protocol.__annotations__}
    return tuple(name for name in names if not name.startswith("_"))
