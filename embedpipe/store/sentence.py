"""Sentences as the store gives them back."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.dataflow import SentenceFlag, Span, Unit, WordFlag, second_word, texts_of
from embedpipe.errors import DamagedStoreError
from embedpipe.store import format as names
from embedpipe.store.columns import read_offsets

if TYPE_CHECKING:
    from embedpipe.store.sealed import SealedFile

StoredLabels: TypeAlias = Mapping[str, "str | tuple[str | None, ...] | None"]

_word_flag = functools.cache(WordFlag)
_sentence_flag = functools.cache(SentenceFlag)


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """One sentence of a store.

    :param index: Its number in the store, from 0; also its row in sentence views.
    :param id: Unique in the store.
    :param document: Id of its document.
    :param text: The sentence as the encoder saw it.
    :param spans: Characters of each word in ``text``, half-open.
    :param labels: Every label of the store: a string for the sentence, or a tuple with one a word; ``None`` where it has none.
    :param flags: What to know about the sentence.
    :param word_flags: What to know about each word.
    :param subword_ids: Its subwords, without special ones.
    :param word_subwords: Half-open subword range of each word, within the sentence; empty for a word without subwords.
    :param space_after: Whether white space separates it from the next sentence of its document.
    :param second_start: Of a pair of texts, the character in ``text`` where the second one starts; a space is in front of it.
        ``None`` for a sentence that is no pair.
    """

    index: int
    id: str
    document: str
    text: str
    spans: tuple[Span, ...]
    labels: StoredLabels
    flags: SentenceFlag
    word_flags: tuple[WordFlag, ...]
    subword_ids: tuple[int, ...]
    word_subwords: tuple[Span, ...]
    space_after: bool
    second_start: int | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Both texts of a pair, else the only one."""
        return texts_of(self.text, self.second_start)

    @property
    def second_from(self) -> int | None:
        """Of a pair, the index of the second text's first word: the number of words of the first; ``None`` for no pair."""
        return second_word(self.spans, self.second_start)

    @property
    def text_of_words(self) -> tuple[int, ...]:
        """Of each word, the text that it is of: 1, or of a pair, 1 or 2."""
        first = len(self.spans) if self.second_from is None else self.second_from
        return (1,) * first + (2,) * (len(self.spans) - first)

    @property
    def word_of_subwords(self) -> tuple[int | None, ...]:
        """Of each subword, the first word that it is of; ``None`` where it is of none, as one that stands for a space."""
        words: list[int | None] = [None] * len(self.subword_ids)
        for word, (start, end) in reversed(list(enumerate(self.word_subwords))):
            words[start:end] = [word] * (end - start)
        return tuple(words)

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self.text[start:end] for start, end in self.spans)

    @property
    def num_words(self) -> int:
        """How many words it has."""
        return len(self.spans)

    @property
    def num_subwords(self) -> int:
        """How many subwords it has."""
        return len(self.subword_ids)


def read_sentences(file: SealedFile, start: int, stop: int) -> list[StoredSentence]:
    """Read the sentences from ``start`` to ``stop``: one read a column, however many they are."""
    if start >= stop:
        return []
    words = read_offsets(file.column(names.WORD_OFFSETS), start, stop).tolist()
    subwords = read_offsets(file.column(names.SUBWORD_OFFSETS), start, stop).tolist()
    labels = {
        name: read_labels(file, name, *_rows(info.unit, start, stop, words)) for name, info in file.structure.labels.items()
    }
    spans = _pairs(file, names.WORD_SPANS, words)
    word_subwords = _pairs(file, names.WORD_SUBWORDS, words)
    word_flags = [_word_flag(flag) for flag in file.column(names.WORD_FLAGS).read(words[0], words[-1]).tolist()]
    subword_ids = file.column(names.SUBWORD_IDS).read(subwords[0], subwords[-1]).tolist()
    flags = file.column(names.SENTENCE_FLAGS).read(start, stop).tolist()
    space_after = file.column(names.SPACE_AFTER).read(start, stop).tolist()
    second_starts = read_second_starts(file, start, stop)
    ids = file.text(names.SENTENCE_ID).read(start, stop)
    documents = read_documents(file, start, stop)
    texts = file.text(names.SENTENCE_TEXT).read(start, stop)
    sentences = []
    for index in range(stop - start):
        at = slice(words[index] - words[0], words[index + 1] - words[0])
        sentences.append(
            StoredSentence(
                index=start + index,
                id=ids[index],
                document=documents[index],
                text=texts[index],
                spans=spans[at],
                labels={
                    name: labels[name][at] if info.unit == "word" else labels[name][index]
                    for name, info in file.structure.labels.items()
                },
                flags=_sentence_flag(flags[index]),
                word_flags=tuple(word_flags[at]),
                subword_ids=tuple(subword_ids[subwords[index] - subwords[0] : subwords[index + 1] - subwords[0]]),
                word_subwords=word_subwords[at],
                space_after=bool(space_after[index]),
                second_start=second_starts[index],
            )
        )
    return sentences


def read_labels(file: SealedFile, name: str, start: int, stop: int) -> tuple[str | None, ...]:
    """Read the label of the rows from ``start`` to ``stop``; ``None`` for a row without."""
    vocabulary = (*file.vocabulary(name), None)  # NO_LABEL is -1: the last
    codes = file.column(f"{file.structure.labels[name].group}/{names.LABEL_CODES}").read(start, stop)
    if codes.size and not (codes.min() >= names.NO_LABEL and codes.max() < len(vocabulary) - 1):
        raise DamagedStoreError(f"the store {file.path} is damaged: a code of label {name!r} is not in its vocabulary.")
    return tuple([vocabulary[code] for code in codes.tolist()])


def read_second_starts(file: SealedFile, start: int, stop: int) -> list[int | None]:
    """Read where the second text starts, of the sentences from ``start`` to ``stop``; ``None`` for one that is no pair."""
    if not file.structure.has_pairs:
        return [None] * (stop - start)
    starts = file.column(names.SECOND_START).read(start, stop).tolist()
    return [None if second_start == names.NO_PAIR else second_start for second_start in starts]


def read_documents(file: SealedFile, start: int, stop: int) -> list[str]:
    """Read the document of each sentence from ``start`` to ``stop``; a document is a run of sentences."""
    indexes = file.column(names.DOCUMENT_INDEX).read(start, stop)
    if not len(indexes):
        return []
    first, last = int(indexes[0]), int(indexes[-1])
    ascending = np.isin(np.diff(indexes), (0, 1)).all()
    if not (ascending and 0 <= first <= last < file.structure.counts["num_documents"]):
        raise DamagedStoreError(f"the store {file.path} is damaged: {names.DOCUMENT_INDEX} is not ascending.")
    ids = file.text(names.DOCUMENT_ID).read(first, last + 1)
    return [ids[index - first] for index in indexes.tolist()]


def _pairs(file: SealedFile, name: str, words: Sequence[int]) -> tuple[Span, ...]:
    return tuple([(start, end) for start, end in file.column(name).read(words[0], words[-1]).tolist()])


def _rows(unit: Unit, start: int, stop: int, words: Sequence[int]) -> tuple[int, int]:
    return (words[0], words[-1]) if unit == "word" else (start, stop)
