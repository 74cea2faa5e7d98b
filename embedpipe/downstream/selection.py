"""Which vectors are meant: a view, and for a stacked view the combination of its layers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedpipe.downstream.learned_mix import LEARNED_MIX, LearnedMix
from embedpipe.errors import FeaturesError
from embedpipe.layers import NAMED, LayerCombination, combined_size, resolve_layer, unlike_sizes

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray, ViewInfo


@dataclass(frozen=True, slots=True)
class Selection:
    """A view of a store or an encoder, and how its rows become vectors.

    :param view: Its name.
    :param info: What it holds.
    :param vector_size: Length of a vector.
    :param combination: For a stacked view, what makes one vector of its layers.
    :param positions: For a stacked view, where in the stack the combination's layers are.
    :param layers_name: Stands behind the view's name in the names of the features.
    :param learned: Whether a model that is trained on them is to mix the layers at ``positions`` itself.
    :param sizes: Width of the layers at ``positions``: a stack has filled the narrower ones up.
    """

    view: str
    info: ViewInfo
    vector_size: int
    combination: LayerCombination | None = None
    positions: tuple[int, ...] = ()
    layers_name: str = ""
    learned: bool = False
    sizes: tuple[int, ...] = ()

    @property
    def mixed_layers(self) -> tuple[int, ...]:
        """Indices of the layers at ``positions``, 0 being the embedding layer."""
        return tuple(self.info.layers[position] for position in self.positions)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what :meth:`vectors` makes of one row."""
        return (len(self.positions), self.vector_size) if self.learned else (self.vector_size,)

    @property
    def dtype(self) -> str:
        """The narrowest one that holds what :meth:`vectors` makes without loss."""
        return self.info.dtype if self.learned or self.combination is None else "float32"

    @property
    def feature_names(self) -> npt.NDArray[np.object_]:
        """One name a column: ``last_0``, ``all_layers_sum_last_four_0``."""
        prefix = f"{self.view}_{self.layers_name}_" if self.layers_name else f"{self.view}_"
        return np.array([f"{prefix}{column}" for column in range(self.vector_size)], dtype=object)

    def vectors(self, rows: FloatArray) -> npt.NDArray[np.float32]:
        """Make vectors of rows.

        :param rows: *Shape:* ``(num_rows, *row_shape)``.
        :returns: *Shape:* ``(num_rows, vector_size)``; for a learned mix ``(num_rows, num_layers, vector_size)``.
        """
        if self.learned:
            whole = self.positions == tuple(range(rows.shape[1]))
            mixed = (rows if whole else rows[:, self.positions])[..., : self.vector_size]
            return np.ascontiguousarray(mixed, dtype=np.float32)
        if self.combination is None:
            return np.asarray(rows, dtype=np.float32)
        import torch

        layers = zip(self.positions, self.sizes, strict=True)
        states = [torch.from_numpy(rows[:, position, :size].astype(np.float32)) for position, size in layers]
        combined: npt.NDArray[np.float32] = self.combination.combine(states).numpy()  # (num_rows, vector_size)
        return combined


def select(
    where: str,
    views: Mapping[str, ViewInfo],
    view: str | None,
    layers: str | LayerCombination | LearnedMix | None,
    num_layers: int | None,
    layer_sizes: Sequence[int] | None = None,
) -> Selection:
    """Find the view that is meant and the combination that makes vectors of it.

    :param where: What has the views, for the messages.
    :param view: A name; ``None`` where there is only one view.
    :param layers: For a stacked view, a combination, a learned mix, or the name of one; ``None`` for any other.
    :param num_layers: Of the encoder; ``None`` where that is unknown.
    :param layer_sizes: Width of each of its layers, where they differ: :func:`known_sizes`.
    :raises FeaturesError: If there is no such view, or its layers do not suffice for the combination.
    """
    name = _choose_view(where, views, view)
    info = views[name]
    if not info.stacked:
        if layers is not None:
            raise FeaturesError(
                f"view {name!r} of {where} was combined already ({info.combination}), so layers={layers!r} cannot be applied. "
                f"Leave layers out, or take a stacked view{_listed(views, stacked=True)}."
            )
        return Selection(name, info, info.vector_size)
    if layers is None:
        raise FeaturesError(
            f"view {name!r} of {where} keeps its {len(info.layers)} layers apart. Choose how they become one vector with "
            f"layers=: one of {', '.join(_one_vector_names())}, or a combination of embedpipe.layers."
        )
    asked = f"layers={layers!r} over view {name!r} of {where}"
    if layers == LEARNED_MIX or isinstance(layers, LearnedMix):
        mix = LearnedMix() if isinstance(layers, str) else layers
        return _select_mix(asked, name, info, mix, num_layers, layer_sizes)
    combination = _find_combination(layers)
    if num_layers is None:
        raise FeaturesError(f"{asked}: it is not on record how many layers the encoder has, so none can be chosen.")
    sizes = layer_sizes or (info.vector_size,) * (num_layers + 1)
    needed, vector_size = _needed_layers(asked, combination, sizes)
    positions = _positions(asked, info.layers, needed)
    layers_name = layers if isinstance(layers, str) else type(layers).__name__.lower()
    widths = tuple(sizes[layer] for layer in needed)
    return Selection(name, info, vector_size, combination, positions, layers_name, sizes=widths)


def select_vectors(
    where: str,
    views: Mapping[str, ViewInfo],
    view: str | None,
    layers: str | LayerCombination | None,
    num_layers: int | None,
    layer_sizes: Sequence[int] | None = None,
) -> Selection:
    """Do as :func:`select`, for those who train nothing and so cannot learn a mix.

    :raises FeaturesError: Also for a learned mix.
    """
    selection = select(where, views, view, layers, num_layers, layer_sizes)
    if selection.learned:
        raise FeaturesError(
            "layers: a learned mix has no weights before a tagger has trained them. Train one with "
            f"NerTagger(view={selection.view!r}, layers={LEARNED_MIX!r}), and take the mix that it has learned "
            "(tagger.mix.as_config() for a config); or choose one of " + ", ".join(_one_vector_names()) + "."
        )
    return selection


def known_sizes(provenance: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Width of each layer of the encoder, as a store's provenance says it where they differ."""
    sizes = provenance.get("encoder", {}).get("layer_sizes")
    return None if sizes is None else tuple(sizes)


def _select_mix(
    asked: str, name: str, info: ViewInfo, mix: LearnedMix, num_layers: int | None, layer_sizes: Sequence[int] | None
) -> Selection:
    needed = info.layers
    if mix.layers is not None:
        if num_layers is None and min(mix.layers) < 0:
            raise FeaturesError(f"{asked}: it is not on record how many layers the encoder has; count them from 0.")
        try:
            needed = tuple(resolve_layer(layer, max(info.layers) if num_layers is None else num_layers) for layer in mix.layers)
        except ValueError as error:
            raise FeaturesError(f"{asked}: {error}.") from None
    positions = _positions(asked, info.layers, needed)
    if layer_sizes and (reason := unlike_sizes(needed, layer_sizes)):
        raise FeaturesError(f"{asked}: {reason}.")
    vector_size = layer_sizes[needed[0]] if layer_sizes else info.vector_size
    return Selection(name, info, vector_size, None, positions, LEARNED_MIX, learned=True)


def _choose_view(where: str, views: Mapping[str, ViewInfo], view: str | None) -> str:
    if view is None:
        if len(views) == 1:
            return next(iter(views))
        raise FeaturesError(f"{where} has {len(views)} views; choose one with view=. It has: {', '.join(views) or 'none'}.")
    if view not in views:
        raise FeaturesError(f"{where} has no view {view!r}.{_did_you_mean(view, views)} It has: {', '.join(views) or 'none'}.")
    return view


def _find_combination(layers: str | LayerCombination) -> LayerCombination:
    combination = NAMED.get(layers) if isinstance(layers, str) else layers
    known = ", ".join(_one_vector_names())
    if combination is None:
        raise FeaturesError(f"layers: {layers!r} is not a layer combination.{_did_you_mean(layers, NAMED)} Known: {known}.")
    if isinstance(combination, type) or not hasattr(combination, "needed_layers"):
        raise FeaturesError(f"layers: expected a name or a combination of embedpipe.layers, found {layers!r}. Names: {known}.")
    if combination.stacked:
        raise FeaturesError(f"layers: {layers!r} keeps the layers apart and makes no vector of them. Take one of {known}.")
    return combination


def _needed_layers(asked: str, combination: LayerCombination, sizes: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """The layers that a combination needs, and the length of the vector that it makes of them."""
    try:
        return combination.needed_layers(len(sizes) - 1), combined_size(combination, sizes)
    except ValueError as error:
        raise FeaturesError(f"{asked}: {error}.") from None


def _positions(asked: str, held: tuple[int, ...], needed: tuple[int, ...]) -> tuple[int, ...]:
    """Where in a stack of the layers ``held`` those are that are needed."""
    for layer in needed:
        if layer not in held:
            raise FeaturesError(f"{asked}: layer {layer} is needed, and the view holds only {', '.join(map(str, held))}.")
    return tuple(held.index(layer) for layer in needed)


def _one_vector_names() -> list[str]:
    return [name for name, combination in NAMED.items() if not combination.stacked]


def _listed(views: Mapping[str, ViewInfo], *, stacked: bool) -> str:
    names = [name for name, info in views.items() if info.stacked == stacked]
    return f" ({', '.join(names)})" if names else " (there is none here; 'layers: \"all\"' in a config makes one)"


def _did_you_mean(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""
