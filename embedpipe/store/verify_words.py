"""Whether texts, words, subwords and flags of a run of sentences keep the rules of FORMAT.md."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import SentenceFlag, WordFlag
from embedpipe.store import format as names
from embedpipe.store.finding import Fault
from embedpipe.store.text import unpack

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.verify_runs import SentenceRows

_SENTENCE_BITS = int(~SentenceFlag(0))
_WORD_BITS = int(~WordFlag(0))


def check_texts_and_spans(rows: SentenceRows) -> Iterator[Fault]:
    yield from _check_strings(rows, names.SENTENCE_ID)
    faults = list(_check_strings(rows, names.SENTENCE_TEXT))
    yield from faults
    if faults:
        return
    spans = rows.words(names.WORD_SPANS)
    length = np.repeat(_num_characters(rows, names.SENTENCE_TEXT), rows.num_words)
    outside = (spans[:, 0] < 0) | (spans[:, 0] > spans[:, 1]) | (spans[:, 1] > length)
    say = "word {word} is at characters {} to {} of a text of {}"
    yield from rows.of_words("spans", outside, say, spans[:, 0], spans[:, 1], length)
    back = np.zeros(len(spans), bool)
    back[1:] = (np.diff(spans[:, 0]) < 0) & (rows.word_of_sentence[1:] > 0)
    say = "word {word} starts at character {}, before the word in front of it"
    yield from rows.of_words("spans", back & ~outside, say, spans[:, 0])


def check_pairs(rows: SentenceRows) -> Iterator[Fault]:
    """Check where second texts start, in a file that has pairs."""
    starts = rows.sentences(names.SECOND_START)
    is_pair = starts != names.NO_PAIR
    length = _num_characters(rows, names.SENTENCE_TEXT)
    outside = is_pair & ((starts < 1) | (starts > length))
    say = "its second text starts at character {} of a text of {}"
    yield from rows.of_sentences("pairs", outside, say, starts, length)
    spans = rows.words(names.WORD_SPANS)
    at = np.repeat(np.where(is_pair & ~outside, starts, 0), rows.num_words)
    across = (spans[:, 0] < at) & (spans[:, 1] >= at)
    say = "word {word} is at characters {} to {}, and the second text starts at {}, behind a space"
    yield from rows.of_words("pairs", across, say, spans[:, 0], spans[:, 1], at)


def check_subwords(rows: SentenceRows) -> Iterator[Fault]:
    ranges = rows.words(names.WORD_SUBWORDS)
    count = np.repeat(np.diff(rows.offsets[names.SUBWORD_OFFSETS]), rows.num_words)
    wrong = (ranges[:, 0] < 0) | (ranges[:, 0] > ranges[:, 1]) | (ranges[:, 1] > count)
    say = "word {word} has the subwords {} to {} of a sentence of {}"
    yield from rows.of_words("subwords", wrong, say, ranges[:, 0], ranges[:, 1], count)
    offsets = rows.offsets[names.SUBWORD_OFFSETS]
    ids = rows.file.column(names.SUBWORD_IDS).read(int(offsets[0]), int(offsets[-1]))
    (negative,) = np.nonzero(ids < 0)
    if len(negative):
        sentences = np.searchsorted(offsets - offsets[0], negative, "right") - 1 + rows.start
        yield Fault("subwords", lambda index: f"the id of a subword is {ids[negative[index]]}", sentences)


def check_flags(rows: SentenceRows) -> Iterator[Fault]:
    word_flags, flags = rows.words(names.WORD_FLAGS), rows.sentences(names.SENTENCE_FLAGS)
    yield from rows.of_words("flags", word_flags > _WORD_BITS, "word {word} has the flags {}", word_flags)
    yield from rows.of_sentences("flags", flags > _SENTENCE_BITS, "the flags are {}", flags)
    ranges = rows.words(names.WORD_SUBWORDS)
    without = (word_flags & WordFlag.NO_SUBWORDS.value) != 0
    say = "word {word} has the flags {} and the subwords {} to {}; NO_SUBWORDS is for words without any"
    yield from rows.of_words("flags", without != (ranges[:, 0] == ranges[:, 1]), say, word_flags, ranges[:, 0], ranges[:, 1])
    num_words = rows.num_words
    say = "the flags are {} and there are {} words; EMPTY is for sentences without any"
    yield from rows.of_sentences("flags", _has(flags, SentenceFlag.EMPTY) != (num_words == 0), say, flags, num_words)
    num_without = np.bincount(rows.sentence_of_word[without] - rows.start, minlength=len(flags))
    say = "the flags are {} and {} words have no subwords; WORDS_WITHOUT_SUBWORDS is for sentences with such words"
    wrong = _has(flags, SentenceFlag.WORDS_WITHOUT_SUBWORDS) != (num_without > 0)
    yield from rows.of_sentences("flags", wrong, say, flags, num_without)
    space_after = rows.sentences(names.SPACE_AFTER)
    yield from rows.of_sentences("flags", space_after > 1, names.SPACE_AFTER + " is {}, expected 0 or 1", space_after)


def _check_strings(rows: SentenceRows, text: str) -> Iterator[Fault]:
    data, offsets = _text_bytes(rows, text)
    if is_utf8(data, offsets):
        return
    strings = [is_utf8(data[start:end], np.array([0])) for start, end in pairwise(offsets)]
    yield from rows.of_sentences("text", ~np.array(strings), f"{names.bytes_of(text)} is not UTF-8")


def _text_bytes(rows: SentenceRows, text: str) -> tuple[np.ndarray[Any, Any], IntArray]:
    offsets = rows.offsets[names.offsets_of(text)]
    return rows.file.column(names.bytes_of(text)).read(int(offsets[0]), int(offsets[-1])), offsets - offsets[0]


def is_utf8(data: np.ndarray[Any, Any], offsets: IntArray) -> bool:
    """Whether packed strings are UTF-8: all of them together, and no offset stands within a character."""
    try:
        unpack(data, np.array([0, len(data)]))
    except UnicodeDecodeError:
        return False
    inner = offsets[offsets < len(data)]
    return not ((data[inner] & 0xC0) == 0x80).any()


def _num_characters(rows: SentenceRows, text: str) -> IntArray:
    """Characters of each string: bytes that continue none. *Shape:* ``(num_sentences,)``."""
    data, offsets = _text_bytes(rows, text)
    before = np.zeros(len(data) + 1, np.int64)
    np.cumsum((data & 0xC0) != 0x80, out=before[1:])
    return np.diff(before[offsets])


def _has(flags: np.ndarray[Any, Any], flag: SentenceFlag) -> np.ndarray[Any, Any]:
    has: np.ndarray[Any, Any] = (flags & flag.value) != 0
    return has
