"""Tokenizers, and the one for encoders that take words as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embedpipe.dataflow import Sentence, SpecialSubwords, SubwordSentence, WordFlag
from embedpipe.errors import EncoderError
from embedpipe.subwords.text_words import find_words

if TYPE_CHECKING:
    from embedpipe.dataflow import Vocabulary


class Tokenizer(Protocol):
    """Cuts sentences into the units of an encoder."""

    @property
    def special(self) -> SpecialSubwords:
        """What stands around a sequence."""

    @property
    def max_window(self) -> int | None:
        """Longest sequence with special subwords; ``None`` where it sets no limit."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What the provenance says of it."""

    def tokenize(self, sentences: Iterable[Sentence], *, joined: bool = False) -> Iterator[SubwordSentence]:
        """Cut sentences into units and align them with the words.

        :param joined: Whether a sentence is the continuation of the one before it in its document.
        """


class WordTokenizer:
    """Looks every word of the corpus up in an encoder's vocabulary; white space does not count.

    Text whose words nobody has marked is cut into runs of letters and digits (with apostrophes inside), single Han and Kana
    characters, and single other signs.

    :param vocabulary: The encoder's.
    """

    max_window: int | None = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @property
    def special(self) -> SpecialSubwords:
        return self._vocabulary.special

    @property
    def description(self) -> Mapping[str, Any]:
        return self._vocabulary.description

    def tokenize(self, sentences: Iterable[Sentence], *, joined: bool = False) -> Iterator[SubwordSentence]:
        """Cut sentences into units and align them with the words.

        :param joined: Makes no difference.
        """
        for sentence in sentences:
            known = sentence
            if sentence.second_start is not None:
                raise EncoderError(
                    f"sentence {sentence.id!r} is a pair of texts (corpus.second), and this encoder takes words, with nothing "
                    "to tell two texts apart; leave corpus.second out, or take an encoder that was made for pairs"
                )
            if sentence.spans is None:
                known = replace(sentence, spans=tuple(find_words(sentence.text)))
            units = [self._vocabulary.units(word) for word in known.words]
            ends = np.cumsum([len(unit.ids) for unit in units], dtype=np.int64)
            lengths = np.array([len(unit.ids) for unit in units], dtype=np.int64)
            flags = np.where(lengths == 0, int(WordFlag.NO_SUBWORDS), 0)
            flags |= np.where([unit.unknown for unit in units], int(WordFlag.UNKNOWN_SUBWORD), 0)
            flags |= np.where([unit.cut for unit in units], int(WordFlag.CUT), 0)
            yield SubwordSentence(
                known,
                np.array([id for unit in units for id in unit.ids], dtype=np.int64),
                np.stack([ends - lengths, ends], axis=1).astype(np.int64),
                flags.astype(np.int64),
                np.array([id for unit in units for id in unit.inputs], dtype=np.int64),
            )
