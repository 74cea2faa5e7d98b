"""Blocks: the runs of sentences that are embedded together and sealed in one shard."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from embedpipe.dataflow import Block, Sentence, SentenceFlag, ViewInfo, WindowedSentence, WordFlag

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray

Item = TypeVar("Item")

_MOST_SENTENCES = 65_536
"""Where vectors are few and small, the sentences themselves are what fills the memory."""


def skip_to(sentences: Iterable[Sentence], start: int, *, joined: bool) -> tuple[int, Iterator[Sentence]]:
    """Leave out sentences that are stored already.

    :param start: The first sentence that is wanted.
    :param joined: Keep those before it that belong to its document, because the encoder shall see them.
    :returns: How many were left out, and the rest.
    """
    rest = iter(sentences)
    document: list[Sentence] = []
    for sentence in itertools.islice(rest, start):
        if document and document[-1].document != sentence.document:
            document.clear()
        if joined:
            document.append(sentence)
    return start - len(document), itertools.chain(document, rest)


class ReadOn:
    """Sentences of a corpus for someone who needs them from later and later places, and reads it once.

    :param sentences: From one of the corpus on, with which a document begins.
    :param joined: Keep those that belong to the document of a place, because the encoder shall see them.
    :param first: The number of the first of ``sentences``.
    """

    def __init__(self, sentences: Iterable[Sentence], *, joined: bool, first: int = 0) -> None:
        self._rest = iter(sentences)
        self._joined = joined
        self._kept: deque[Sentence] = deque()
        self._first = first

    def at(self, start: int) -> tuple[int, Iterator[Sentence]]:
        """Go on to a place, which must not be before the last one.

        :returns: The number of the first sentence that is given, and the sentences from it on, until this is called again.
        """
        skipped, rest = skip_to(self._taken(), start - self._first, joined=self._joined)
        document = list(itertools.islice(rest, start - self._first - skipped))
        self._kept.extendleft(reversed(document))
        self._first = start - len(document)
        return self._first, self._again()

    def _taken(self) -> Iterator[Sentence]:
        while self._kept:
            yield self._kept.popleft()
        for sentence in self._rest:  # noqa: UP028  ("yield from" would close it together with this one)
            yield sentence

    def _again(self) -> Iterator[Sentence]:
        """Those that are kept, and the rest, which is kept."""
        for number in itertools.count():
            while len(self._kept) <= number:
                if (sentence := next(self._rest, None)) is None:
                    return
                self._kept.append(sentence)
            yield self._kept[number]


def size_in_bytes(infos: Mapping[str, ViewInfo]) -> Callable[[WindowedSentence], int]:
    """A function that says what a sentence takes in a shard, in bytes: its vectors exactly, the rest nearly."""
    row_bytes = dict.fromkeys(("word", "subword", "sentence"), 0)
    for info in infos.values():
        row_bytes[info.unit] += int(np.prod(info.row_shape)) * np.dtype(info.dtype).itemsize

    def size(sentence: WindowedSentence) -> int:
        num_words, num_subwords = len(sentence.subwords.word_offsets), len(sentence.subwords.subword_ids)
        beside = 64 + len(sentence.subwords.sentence.text) + 22 * num_words + 4 * num_subwords
        return row_bytes["sentence"] + num_words * row_bytes["word"] + num_subwords * row_bytes["subword"] + beside

    return size


def cut(items: Iterable[Item], size: Callable[[Item], int], max_bytes: int) -> Iterator[list[Item]]:
    """Cut a stream into blocks of at most ``max_bytes``, by a rule that depends on nothing but the sentences of the block.

    :param items: Sentences, or what else a block is made of.
    """
    block: list[Item] = []
    room = max_bytes
    for item in items:
        needed = size(item)
        if block and (needed > room or len(block) == _MOST_SENTENCES):
            yield block
            block, room = [], max_bytes
        block.append(item)
        room -= needed
    if block:
        yield block


def to_block(sentences: Sequence[WindowedSentence], views: Mapping[str, FloatArray], failures: Mapping[int, str]) -> Block:
    """Put together what the store keeps.

    :param failures: By index into ``sentences``, why a sentence has no vectors.
    """
    subwords = [sentence.subwords for sentence in sentences]
    flags = [_flags(sentence, failed=index in failures) for index, sentence in enumerate(sentences)]
    return Block(
        sentences=tuple(each.sentence for each in subwords),
        sentence_flags=np.array(flags, dtype=np.int64),
        word_flags=np.concatenate([each.word_flags for each in subwords]),
        num_subwords=np.array([len(each.subword_ids) for each in subwords], dtype=np.int64),
        subword_ids=np.concatenate([each.subword_ids for each in subwords]),
        word_offsets=np.concatenate([each.word_offsets for each in subwords]),
        views=views,
        failures={subwords[index].sentence.id: reason for index, reason in sorted(failures.items())},
    )


def _flags(sentence: WindowedSentence, *, failed: bool) -> SentenceFlag:
    subwords = sentence.subwords
    flags = subwords.sentence.flags
    if not len(subwords.word_flags):
        flags |= SentenceFlag.EMPTY
    if len(sentence.windows) > 1:
        flags |= SentenceFlag.WINDOWED
    if (subwords.word_flags & int(WordFlag.NO_SUBWORDS)).any():
        flags |= SentenceFlag.WORDS_WITHOUT_SUBWORDS
    return flags | SentenceFlag.FAILED if failed else flags
