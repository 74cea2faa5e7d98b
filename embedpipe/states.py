"""The hidden states of some whole sentences, from which views take their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from embedpipe.pooling import choose_subwords

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Ranges: TypeAlias = Literal["words", "both", "first", "second"]
"""Of which subwords one is chosen: those of a word, of a sentence, or of one text of a pair."""


@dataclass(frozen=True, slots=True)
class SentenceStates:
    """What the encoder computed, and where in it the subwords of the sentences are.

    What is asked for is taken out once, however many views ask for it.

    :param layers: Layer index to states, in the encoder's precision. *Shape:* ``(num_rows, hidden_size)``.
    :param places: Row of each subword, padding and special subwords left out. *Shape:* ``(num_subwords,)``, int64.
    :param cls: Layer index to the classification subword's states, float32; empty where no view asks for it. *Shape:*
        ``(num_sentences, hidden_size)``.
    :param word_offsets: Subwords of each word. *Shape:* ``(num_words, 2)``.
    :param sentence_offsets: Subwords of each sentence. *Shape:* ``(num_sentences, 2)``.
    :param second_starts: Where the subwords of a pair's second text start; their end for what is no pair. *Shape:*
        ``(num_sentences,)``.
    """

    layers: Mapping[int, Tensor]
    places: Tensor
    cls: Mapping[int, Tensor]
    word_offsets: Tensor
    sentence_offsets: Tensor
    second_starts: Tensor
    _places: dict[tuple[Ranges, str], Tensor] = field(default_factory=dict)
    _taken: dict[tuple[int, Ranges | None, str, torch.dtype], Tensor] = field(default_factory=dict)

    def subwords(self, layer: int, dtype: torch.dtype) -> Tensor:
        """All subwords. *Shape:* ``(num_subwords, hidden_size)``."""
        return self._take(layer, None, "", dtype)

    def chosen(self, layer: int, ranges: Ranges, mode: Literal["first", "last"], dtype: torch.dtype) -> Tensor:
        """The first or last subword of each range; of an empty one, any. *Shape:* ``(num_ranges, hidden_size)``."""
        return self._take(layer, ranges, mode, dtype)

    def offsets(self, ranges: Ranges) -> Tensor:
        """Half-open ranges of subwords. *Shape:* ``(num_ranges, 2)``."""
        if ranges == "words":
            return self.word_offsets
        if ranges == "both":
            return self.sentence_offsets
        import torch

        starts, ends = self.sentence_offsets.unbind(dim=1)
        return torch.stack([starts, self.second_starts] if ranges == "first" else [self.second_starts, ends], dim=1)

    def _take(self, layer: int, ranges: Ranges | None, mode: str, dtype: torch.dtype) -> Tensor:
        key = (layer, ranges, mode, dtype)
        if key not in self._taken:
            places = self.places if ranges is None else self._places_of(ranges, mode)
            # by way of float32, which is quicker than from bfloat16 to float16
            self._taken[key] = self.layers[layer].index_select(0, places).float().to(dtype)
        return self._taken[key]

    def _places_of(self, ranges: Ranges, mode: str) -> Tensor:
        key = (ranges, mode)
        if key not in self._places:
            chosen = choose_subwords(self.offsets(ranges), len(self.places), mode=mode)  # type: ignore[arg-type]
            self._places[key] = self.places[chosen] if len(self.places) else chosen
        return self._places[key]
