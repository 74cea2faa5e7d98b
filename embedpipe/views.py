"""A view: a layer combination, a pooling, and the unit of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from embedpipe.dataflow import ViewInfo
from embedpipe.layers import NAMED, LayerCombination
from embedpipe.pooling import pool_sentences, pool_words

if TYPE_CHECKING:
    from torch import Tensor

_POOLING_OF_UNIT = {"word": ("first", "last", "mean", "max"), "sentence": ("mean", "max", "cls"), "subword": ()}
"""The first one of each unit is its default."""


@dataclass(frozen=True)
class View:
    """One kind of vectors in the store.

    :param layers: The layer combination: a name such as "sum_last_four", or a type with its fields.
    :param unit: What one row stands for: word, subword or sentence.
    :param pooling: How a word's subwords become one vector: first (the default, as in Devlin et al. 2019, section 5.3), last,
        mean or max; a sentence's: mean (the default; special subwords left out), max or cls. Subwords are not pooled.
    """

    layers: LayerCombination
    unit: Literal["word", "subword", "sentence"] = "word"
    pooling: Literal["first", "last", "mean", "max", "cls"] | None = None

    def __post_init__(self) -> None:
        choices = _POOLING_OF_UNIT[self.unit]
        if self.pooling is not None and self.pooling not in choices:
            if not choices:
                raise ValueError(f"pooling: {self.pooling!r}, but a view of subwords is not pooled; leave it out")
            raise ValueError(f"pooling: {self.pooling!r} is not for a view of {self.unit}s; choose one of {', '.join(choices)}")
        if self.pooling is None and choices:
            object.__setattr__(self, "pooling", choices[0])

    def info(self, *, num_layers: int, hidden_size: int, dtype: str) -> ViewInfo:
        """What the store says of this view of a given encoder.

        :raises ValueError: If the encoder does not have one of the layers.
        """
        return ViewInfo(
            unit=self.unit,
            vector_size=self.layers.vector_size(hidden_size, num_layers),
            layers=self.layers.needed_layers(num_layers),
            dtype=dtype,
            combination=combination_name(self.layers),
            pooling=self.pooling,
            stacked=self.layers.stacked,
        )

    def rows(self, states: SentenceStates, num_layers: int) -> Tensor:
        """Combine layers, then pool.

        :returns: *Shape:* ``(num_rows, vector_size)``; stacked: ``(num_rows, num_needed_layers, vector_size)``.
        """
        needed = self.layers.needed_layers(num_layers)
        if self.unit == "sentence" and self.pooling == "cls":
            return self.layers.combine([states.cls[layer] for layer in needed])
        vectors = self.layers.combine([states.subwords[layer] for layer in needed])
        if self.unit == "subword":
            return vectors
        if self.unit == "word":
            return pool_words(vectors, states.word_offsets, mode=self.pooling)  # type: ignore[arg-type]
        return pool_sentences(vectors, states.sentence_offsets, None, mode=self.pooling)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SentenceStates:
    """The hidden states of some whole sentences, without padding and special subwords, float32.

    :param subwords: Layer index to states. *Shape:* ``(num_subwords, hidden_size)``.
    :param cls: Layer index to the classification subword's states; empty where no view asks for it. *Shape:* ``(num_sentences,
        hidden_size)``.
    :param word_offsets: Subwords of each word. *Shape:* ``(num_words, 2)``.
    :param sentence_offsets: Subwords of each sentence. *Shape:* ``(num_sentences, 2)``.
    """

    subwords: Mapping[int, Tensor]
    cls: Mapping[int, Tensor]
    word_offsets: Tensor
    sentence_offsets: Tensor


def combination_name(layers: LayerCombination) -> str:
    """The name of a named combination, else its type and fields as Python writes them."""
    return next((name for name, named in NAMED.items() if named == layers), repr(layers))
