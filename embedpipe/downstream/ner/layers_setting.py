"""The ``layers`` of a tagger as plain JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedpipe.downstream.learned_mix import LEARNED_MIX, LearnedMix
from embedpipe.downstream.ner.plain import from_plain
from embedpipe.errors import ModelError
from embedpipe.layers import Concat, Layer, Mean, ScalarMix, Sum, WeightedSum

if TYPE_CHECKING:
    from embedpipe.layers import LayerCombination

_TYPES: Mapping[str, type[Any]] = {
    LEARNED_MIX: LearnedMix,
    "layer": Layer,
    "sum": Sum,
    "mean": Mean,
    "concat": Concat,
    "weighted_sum": WeightedSum,
    "scalar_mix": ScalarMix,
}


def layers_to_plain(layers: str | LayerCombination | LearnedMix | None) -> Any:
    """A name as it is, a combination as an object with its type.

    :raises ModelError: If it is a combination of somebody's own.
    """
    if layers is None or isinstance(layers, str):
        return layers
    name = next((name for name, cls in _TYPES.items() if type(layers) is cls), None)
    if name is None:
        known = ", ".join(cls.__name__ for cls in _TYPES.values())
        raise ModelError(f"layers: a {type(layers).__name__} cannot be saved with the tagger; only a name, or one of {known}.")
    return {"type": name} | dataclasses.asdict(layers)  # type: ignore[arg-type]


def layers_from_plain(plain: Any) -> str | LayerCombination | LearnedMix | None:
    """What :func:`layers_to_plain` was given.

    :raises ValueError: If it is something else.
    """
    if plain is None or isinstance(plain, str):
        return plain
    if not isinstance(plain, Mapping) or plain.get("type") not in _TYPES:
        raise ValueError(f"layers: expected a name or an object with a known type, found {plain!r:.60}")
    fields = {name: value for name, value in plain.items() if name != "type"}
    layers: LayerCombination | LearnedMix = from_plain(_TYPES[plain["type"]], fields, "layers")
    return layers
