"""Words of the corpus as units of an AWD-LSTM: the marks of fastai's rules, and words."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from embedpipe.dataflow import SpecialSubwords, Units
from embedpipe.encoders.awd_lstm.rules import BOS, PAD, UNK, apply_rules, cut_further

_NUM_REMEMBERED = 2**16
_FILLER = "xxfake"  # fills fastai's vocabularies up to a multiple of eight


class AwdLstmVocabulary:
    """The vocabulary of one model, or of two; see :class:`embedpipe.dataflow.Vocabulary`.

    A unit's id is its place in the first one; what only the second one has is counted on from there.

    :param vocabularies: Of the forward model, of the backward model.
    """

    def __init__(self, *vocabularies: Sequence[str]) -> None:
        first, known = vocabularies[0], frozenset(vocabularies[0])
        more = dict.fromkeys(word for other in vocabularies[1:] for word in other)
        self.words: tuple[str, ...] = (*first, *(word for word in more if word not in known))
        self._ids = numbers_of(self.words)
        self._known = frozenset(self._ids).intersection(*vocabularies) - {UNK}
        self.special = SpecialSubwords((self._ids[BOS],), (), self._ids[PAD], None)
        self._remembered = functools.lru_cache(_NUM_REMEMBERED)(self._units)

    @property
    def description(self) -> Mapping[str, Any]:
        return {"class": type(self).__name__, "rules": "fastai 2", "vocabulary_size": len(self.words)}

    def units(self, word: str) -> Units:
        """Units of a word: ``xxmaj`` and ``berlin`` for ``Berlin``; what the vocabulary has not is ``xxunk``."""
        return self._remembered(word)

    def _units(self, word: str) -> Units:
        pieces = [part for piece in apply_rules(word) for part in ([piece] if piece in self._ids else cut_further(piece))]
        ids = tuple(self._ids.get(piece, self._ids[UNK]) for piece in pieces)
        return Units(ids, ids, unknown=any(piece not in self._known for piece in pieces))

    def numbers_in(self, vocabulary: Sequence[str]) -> list[int]:
        """For each id, the row of a model with this vocabulary; that of ``xxunk`` for what it has not."""
        own = numbers_of(vocabulary)
        return [own.get(word, own[UNK]) for word in self.words]


def numbers_of(vocabulary: Sequence[str]) -> dict[str, int]:
    """The place of each word; of one that is there twice, the last, as fastai has it."""
    return {word: number for number, word in enumerate(vocabulary) if word != _FILLER}
