"""The character CNN: a word's vector from how it is spelled, whatever stands around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from embedpipe.encoders.elmo.spelling import NUM_CHARACTERS, character_ids

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.options import ElmoOptions
    from embedpipe.encoders.elmo.weights_file import WeightsFile

_WORDS_AT_A_TIME = 1024
"""Through highways and projection, which get their weights through the cache for many words together."""

_FILTERED_AT_A_TIME = 64
"""Words whose responses stay in the cache until the greatest is found; words of about one length need little padding."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of one width, and their greatest response anywhere in a word.

    :param weight: *Shape:* ``(width * character_size, num_filters)``.
    :param bias: *Shape:* ``(num_filters,)``.
    """

    width: int
    weight: Tensor
    bias: Tensor

    def __call__(self, characters: Tensor) -> Tensor:
        """Slide over words, in one product.

        :param characters: *Shape:* ``(num_words, num_characters, character_size)``, contiguous.
        :returns: *Shape:* ``(num_words, num_filters)``.
        """
        num_words, num_characters, size = characters.shape
        num_places = num_characters - self.width + 1
        strides = (num_characters * size, size, 1)
        seen = characters.as_strided((num_words, num_places, self.width * size), strides)  # the width's characters in a row
        responses = torch.mm(seen.reshape(num_words * num_places, -1), self.weight)
        return responses.view(num_words, num_places, -1).amax(dim=1).add_(self.bias)


@dataclass(frozen=True, slots=True)
class Highway:
    """A layer that lets a part of its input through as it is.

    :param weight: Of what is put in its place, and of how much of it is. *Shape:* ``(size, 2 * size)``.
    :param bias: *Shape:* ``(2 * size,)``.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """*Shape:* ``(num_words, size)`` in and out."""
        new, amount = torch.addmm(self.bias, inputs, self.weight).chunk(2, dim=1)
        return torch.lerp(inputs, new.relu_(), amount.sigmoid_())


@dataclass(frozen=True, slots=True)
class CharacterCnn:
    """Filters over characters, highway layers, a projection.

    :param characters: Row 0 is zero and stands for no word. *Shape:* ``(1 + NUM_CHARACTERS, character_size)``.
    :param max_characters: Of a word, its beginning and end counted as one each.
    :param projection: *Shape:* ``(num_filters, projection_size)``.
    :param bias: *Shape:* ``(projection_size,)``.
    """

    characters: Tensor
    max_characters: int
    filters: tuple[Filters, ...]
    activation: Callable[[Tensor], Tensor]
    highways: tuple[Highway, ...]
    projection: Tensor
    bias: Tensor

    @classmethod
    def load(cls, options: ElmoOptions, weights: WeightsFile) -> CharacterCnn:
        """Read the weights.

        :raises EncoderError: If the file does not have them.
        """
        size, num_filters = options.character_size, options.num_filters
        table = weights.take("char_embed", NUM_CHARACTERS, size, more_rows=True)
        filters = [
            Filters(
                width,
                weights.take(f"CNN/W_cnn_{number}", 1, width, size, count).reshape(width * size, count),
                weights.take(f"CNN/b_cnn_{number}", count),
            )
            for number, (width, count) in enumerate(options.filters)
        ]
        highways = [
            Highway(
                torch.cat(
                    [weights.take(f"{name}/W_{part}", num_filters, num_filters) for part in ("transform", "carry")], dim=1
                ),
                torch.cat([weights.take(f"{name}/b_{part}", num_filters) for part in ("transform", "carry")]),
            )
            for name in (f"CNN_high_{number}" for number in range(options.num_highways))
        ]
        return cls(
            characters=torch.cat([torch.zeros_like(table[:1]), table]),
            max_characters=options.max_characters,
            filters=tuple(filters),
            activation=torch.relu if options.activation == "relu" else torch.tanh,
            highways=tuple(highways),
            projection=weights.take("CNN_proj/W_proj", num_filters, options.projection_size),
            bias=weights.take("CNN_proj/b_proj", options.projection_size),
        )

    def __call__(self, spellings: Sequence[str]) -> Tensor:
        """The vectors of words.

        :param spellings: As :func:`~embedpipe.encoders.elmo.spelling.spell` makes them.
        :returns: *Shape:* ``(num_words, projection_size)``.
        """
        vectors = self.bias.new_empty(len(spellings), len(self.bias))
        shortest_first = sorted(range(len(spellings)), key=lambda index: (len(spellings[index]), spellings[index]))
        for start in range(0, len(spellings), _WORDS_AT_A_TIME):
            chosen = shortest_first[start : start + _WORDS_AT_A_TIME]
            spelled = [spellings[index] for index in chosen]
            parts = [spelled[first : first + _FILTERED_AT_A_TIME] for first in range(0, len(spelled), _FILTERED_AT_A_TIME)]
            words = self.activation(torch.cat([self._responses(part) for part in parts]))
            for highway in self.highways:
                words = highway(words)
            vectors[torch.tensor(chosen, device=vectors.device)] = torch.addmm(self.bias, words, self.projection)
        return vectors

    def _responses(self, spellings: Sequence[str]) -> Tensor:
        """The filters' greatest responses, to as many characters as make a difference: what a filter sees where it sees padding
        only is the same everywhere.

        :returns: *Shape:* ``(num_words, num_filters)``.
        """
        widest = max(filters.width for filters in self.filters)
        width = min(self.max_characters, max(map(len, spellings)) + 2 + widest)
        ids = torch.from_numpy(character_ids(spellings, width)).to(self.characters.device)
        characters = torch.nn.functional.embedding(ids, self.characters)
        return torch.cat([filters(characters) for filters in self.filters], dim=1)
