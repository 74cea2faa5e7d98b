"""A view: a layer combination, a pooling, and the unit of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from embedpipe.dataflow import ViewInfo
from embedpipe.layers import NAMED, LayerCombination, combined_size
from embedpipe.pooling import pool_words, zero_where_empty

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from embedpipe.states import Ranges, SentenceStates

_POOLING_OF_UNIT = {"word": ("first", "last", "mean", "max"), "sentence": ("mean", "max", "cls", "last"), "subword": ()}
"""The first one of sentences is their default; that of words depends on the encoder."""


@dataclass(frozen=True)
class View:
    """One kind of vectors in the store.

    :param layers: The layer combination: a name such as "sum_last_four", or a type with its fields.
    :param unit: What one row stands for: word, subword or sentence.
    :param pooling: How a word's subwords become one vector: first, last, mean or max. Left out: first, as in Devlin et al.
        2019, section 5.3; but last for a decoder, where a subword is computed from those before it, so that only the last one
        knows the whole word. A sentence's: mean (the default; special subwords left out), max, cls or last (its last subword,
        which in a decoder knows the whole sentence). Subwords are not pooled.
    :param of: For sentences that are pairs of texts, which of them mean, max and last are of: both, first or second.
    """

    layers: LayerCombination
    unit: Literal["word", "subword", "sentence"] = "word"
    pooling: Literal["first", "last", "mean", "max", "cls"] | None = None
    of: Literal["both", "first", "second"] = "both"

    def __post_init__(self) -> None:
        choices = _POOLING_OF_UNIT[self.unit]
        if self.pooling is not None and self.pooling not in choices:
            if not choices:
                raise ValueError(f"pooling: {self.pooling!r}, but a view of subwords is not pooled; leave it out")
            raise ValueError(f"pooling: {self.pooling!r} is not for a view of {self.unit}s; choose one of {', '.join(choices)}")
        if self.pooling is None and self.unit == "sentence":
            object.__setattr__(self, "pooling", choices[0])
        if self.of != "both" and (self.unit != "sentence" or self.pooling == "cls"):
            raise ValueError(f"of: {self.of!r} is for a view of sentences whose pooling is mean, max or last; leave it out")

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it depends on the encoder."""
        return self.pooling is not None or self.unit != "word"

    def settled(self, *, is_causal: bool) -> View:
        """The view with its pooling written out.

        :param is_causal: Whether the encoder computes a subword from those before it only.
        """
        return self if self.is_settled else replace(self, pooling=default_word_pooling(is_causal=is_causal))

    def info(self, *, num_layers: int, hidden_size: int, dtype: str, layer_sizes: Sequence[int] | None = None) -> ViewInfo:
        """What the store says of this view of a given encoder.

        :param layer_sizes: Width of each layer, where they differ.
        :raises ValueError: If the encoder does not have one of the layers, or they differ in width and would be added.
        """
        return ViewInfo(
            unit=self.unit,
            vector_size=combined_size(self.layers, layer_sizes or (hidden_size,) * (num_layers + 1)),
            layers=self.layers.needed_layers(num_layers),
            dtype=dtype,
            combination=combination_name(self.layers),
            pooling=self.pooling if self.of == "both" else f"{self.pooling} of {self.of}",
            stacked=self.layers.stacked,
        )

    def rows(self, states: SentenceStates, num_layers: int, dtype: torch.dtype) -> Tensor:
        """Combine layers and pool, in float32 where numbers are added.

        Where pooling chooses one subword, the others are left out before layers are combined.

        :param dtype: Of the store; what is only moved is rounded to it first, of which there is less.
        :returns: *Shape:* ``(num_rows, vector_size)``; stacked: ``(num_rows, num_needed_layers, vector_size)``.
        """
        import torch

        needed = self.layers.needed_layers(num_layers)
        if self.pooling == "cls":
            return self.layers.combine([states.cls[layer] for layer in needed]).to(dtype)
        exact = dtype if getattr(self.layers, "only_moves", False) else torch.float32
        if self.unit == "subword":
            return self.layers.combine([states.subwords(layer, exact) for layer in needed]).to(dtype)
        ranges: Ranges = "words" if self.unit == "word" else self.of
        if self.pooling in ("first", "last"):
            rows = self.layers.combine([states.chosen(layer, ranges, self.pooling, exact) for layer in needed])
            return zero_where_empty(rows, states.offsets(ranges)).to(dtype)
        vectors = self.layers.combine([states.subwords(layer, torch.float32) for layer in needed])
        return pool_words(vectors, states.offsets(ranges), mode=self.pooling).to(dtype)  # type: ignore[arg-type]


def default_word_pooling(*, is_causal: bool) -> Literal["first", "last"]:
    """Which of a word's subwords stands for it where nothing is said: one that has seen all of the word."""
    return "last" if is_causal else "first"


def combination_name(layers: LayerCombination) -> str:
    """The name of a named combination, else its type and fields as Python writes them."""
    return next((name for name, named in NAMED.items() if named == layers), repr(layers))
