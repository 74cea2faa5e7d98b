"""How ELMo spells a word: the bytes of its UTF-8, between signs for its beginning and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray

BEGIN_SENTENCE, END_SENTENCE = chr(256), chr(257)
_BEGIN_WORD, _END_WORD, _PADDING = 258, 259, 260
NUM_CHARACTERS = 261
"""256 bytes, and five signs."""

_BOUNDARIES = {"<S>": BEGIN_SENTENCE, "</S>": END_SENTENCE}


def spell(word: str, max_characters: int) -> str:
    """Spell a word; as for AllenNLP, ``<S>`` and ``</S>`` are the boundaries of a sentence wherever they stand.

    :param max_characters: Of a word, its beginning and end counted as one each.
    :returns: A string whose code points are ELMo's characters; without beginning and end, and cut to the length that the
        model knows, be it in the middle of a letter.
    """
    return _BOUNDARIES.get(word) or word.encode("utf-8", "ignore")[: max_characters - 2].decode("latin-1")


def is_cut(word: str, max_characters: int) -> bool:
    """Whether a word is longer than the model knows it."""
    return len(word) > (max_characters - 2) // 4 and len(word.encode("utf-8", "ignore")) > max_characters - 2


def character_ids(spellings: Sequence[str], width: int) -> IntArray:
    """The rows of the table of characters, whose row 0 stands for no word at all, so that all others are one higher.

    :param spellings: As :func:`spell` makes them.
    :param width: Characters of each, filled up; at least two more than the longest has.
    :returns: *Shape:* ``(num_spellings, width)``, int64.
    """
    lengths = np.array([len(spelling) for spelling in spellings], dtype=np.int64)
    letters = np.frombuffer("".join(spellings).encode("utf-16-le"), dtype="<u2").astype(np.int64)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    columns = np.arange(len(letters)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    ids = np.full((len(lengths), width), _PADDING + 1, dtype=np.int64)
    ids[:, 0] = _BEGIN_WORD + 1
    ids[rows, columns] = letters + 1
    ids[np.arange(len(lengths)), lengths + 1] = _END_WORD + 1
    return ids
