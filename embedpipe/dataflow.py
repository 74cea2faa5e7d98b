"""The flow of data, and the few values that cross from one stage to the next. Read this file first.

::

    corpus --Sentence--> subwords --SubwordSentence, Window--> batching --Batch--> encoder --HiddenStates-->
    layers --subword vectors--> pooling --word / sentence vectors--> store (Block) --views--> downstream

A *document* has sentences, a *sentence* has words, a *word* is a token of the corpus, and a *subword* is a wordpiece, BPE or
sentencepiece unit of the encoder. ``hidden_states[0]`` is the output of the embedding layer, ``hidden_states[1..num_layers]``
are the encoder layers, as in transformers. All offsets are half-open ``[start, end)``.

No stage imports another; each imports this file and :mod:`embedpipe.errors` only.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    IntArray: TypeAlias = npt.NDArray[np.int64]
    FloatArray: TypeAlias = npt.NDArray[np.floating]

Span: TypeAlias = tuple[int, int]
"""Half-open range ``[start, end)``."""

Labels: TypeAlias = Mapping[str, "str | tuple[str, ...]"]
"""Label by field name: one string for the sentence, or a tuple with one string a word."""

Unit: TypeAlias = Literal["word", "subword", "sentence"]
"""What one row of a view stands for."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class SentenceFlag(enum.IntFlag):
    """What a reader of the store should know about a sentence; kept bit by bit in the store."""

    EMPTY = 1
    """The sentence has no words."""
    WINDOWED = 2
    """The sentence was longer than the encoder's window; its subwords come from overlapping windows."""
    WORDS_WITHOUT_SUBWORDS = 4
    """At least one word has no subword and therefore a zero vector."""
    REPLACED_CHARACTERS = 8
    """Lone surrogates, which no UTF-8 text can hold, were replaced by U+FFFD."""
    SOURCE_WARNING = 16
    """The corpus file was irregular here; the provenance lists the warnings."""
    FAILED = 32
    """The encoder could not take the sentence, or gave vectors that are not finite; its vectors are zero. Only with
    ``on_error: "record"``."""


class WordFlag(enum.IntFlag):
    """What a reader of the store should know about a word; kept bit by bit in the store."""

    NO_SUBWORDS = 1
    """The tokenizer makes nothing of the word (zero-width or control characters, empty); its vectors are zero."""
    SHARED_SUBWORD = 2
    """A subword of this word also covers characters of another word (no white space between the two)."""
    UNKNOWN_SUBWORD = 4
    """A subword of this word is the tokenizer's unknown symbol."""
    CUT = 8
    """Of its characters the encoder sees only the first ones."""


_NO_FLAGS = SentenceFlag(0)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a corpus: the text that the encoder sees and where its words are in it.

    :param id: Unique in the corpus; may hold any character.
    :param document: Id of the document that the sentence belongs to.
    :param text: The sentence with its original spacing where that is known; otherwise its words joined by one space.
    :param spans: Characters of each word in ``text``; ``None`` where the tokenizer's pre-tokenization decides what a word is.
    :param labels: By field name, a string for the sentence or a tuple with one string a word.
    :param space_after: Whether white space separates the sentence from the next one of its document.
    :param second_start: Of a pair of texts, the character in ``text`` where the second one starts; a space is in front of it.
        ``None`` for a sentence that is no pair.
    """

    id: str
    document: str
    text: str
    spans: tuple[Span, ...] | None
    labels: Labels = field(default_factory=dict)
    space_after: bool = True
    flags: SentenceFlag = _NO_FLAGS
    second_start: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The words; empty while ``spans`` is ``None``."""
        return tuple(self.text[start:end] for start, end in self.spans or ())

    @property
    def texts(self) -> tuple[str, ...]:
        """Both texts of a pair, else the only one."""
        return texts_of(self.text, self.second_start)

    @property
    def second_from(self) -> int | None:
        """Of a pair, the index of the second text's first word: the number of words of the first; ``None`` for no pair."""
        return second_word(self.spans or (), self.second_start)

    @classmethod
    def from_text(
        cls, id: str, document: str, text: str, *, spans: tuple[Span, ...] | None = None, labels: Labels | None = None
    ) -> Sentence:
        """Make a sentence of raw text; the tokenizer will find its words, unless it is known where they are."""
        text, flags = _without_surrogates(text)
        return cls(id, document, text, spans, labels or {}, flags=flags | SentenceFlag.EMPTY if spans == () else flags)

    @classmethod
    def from_words(
        cls,
        id: str,
        document: str,
        words: Sequence[str],
        *,
        spaces: Sequence[bool] | None = None,
        labels: Labels | None = None,
        flags: SentenceFlag = _NO_FLAGS,
    ) -> Sentence:
        """Make a sentence of given words.

        :param spaces: Whether white space follows each word, as long as ``words``; ``None`` where that is unknown, and then
            one space is taken to stand between words.
        """
        gaps = [" "] * len(words) if spaces is None else [" " if space else "" for space in spaces]
        pieces: list[str] = []
        spans: list[Span] = []
        start = 0
        for word, gap in zip(words, gaps, strict=True):
            pieces += word, gap
            end = start + len(word)
            spans.append((start, end))
            start = end + len(gap)
        text, replaced = _without_surrogates("".join(pieces[:-1]))
        if replaced or not words:  # joining enum flags is slow
            flags |= replaced | (_NO_FLAGS if words else SentenceFlag.EMPTY)
        return cls(id, document, text, tuple(spans), labels or {}, not gaps or gaps[-1] == " ", flags)

    @classmethod
    def pair(cls, first: Sentence, second: Sentence, *, labels: Labels | None = None) -> Sentence:
        """Make one sentence of two texts that the encoder shall see as a pair: premise and hypothesis, question and answer.

        :param first: Gives the ids. Either the words of both texts are known, or of none.
        :param second: Its words come behind those of the first text.
        :param labels: Of the pair, or a tuple with one string a word of both texts.
        """
        start = len(first.text) + 1
        spans = None
        if first.spans is not None and second.spans is not None:
            spans = (*first.spans, *((begin + start, end + start) for begin, end in second.spans))
        flags = (first.flags | second.flags) & ~SentenceFlag.EMPTY
        if spans == ():
            flags |= SentenceFlag.EMPTY
        text = f"{first.text} {second.text}"
        return cls(first.id, first.document, text, spans, labels or {}, second.space_after, flags, start)


def texts_of(text: str, second_start: int | None) -> tuple[str, ...]:
    """Both texts of a pair, else the only one."""
    return (text,) if second_start is None else (text[: second_start - 1], text[second_start:])


def second_word(spans: Sequence[Span], second_start: int | None) -> int | None:
    """How many words stand before the second text of a pair; ``None`` for what is no pair.

    An empty word at the end of the first text is before the space between the two, one at the start of the second behind it.
    """
    return None if second_start is None else sum(start < second_start for start, _ in spans)


def _without_surrogates(text: str) -> tuple[str, SentenceFlag]:
    """Replace lone surrogates one for one, so that character offsets stay."""
    if text.isascii():
        return text, _NO_FLAGS
    replaced = _SURROGATE.sub("\ufffd", text)
    return replaced, _NO_FLAGS if replaced == text else SentenceFlag.REPLACED_CHARACTERS


MOST_PLACES = 5
"""Places that are kept of each kind of irregularity."""


@dataclass(slots=True)
class WarningCount:
    """How often a reader warned of one kind of irregularity, with the first places."""

    message: str
    count: int = 0
    places: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place between two sentences of a corpus, from which it can be read on; small, and may go to other processes.

    :param file_index: Of the file, in ``corpus.files``.
    :param offset: Bytes of that file in front of the next line.
    :param num_lines: Lines in front of it.
    :param position_bytes: Bytes in front of it, those of all files before included.
    :param state: What the reader carries over this place; plain values that mean something to that reader alone.
    """

    file_index: int
    offset: int
    num_lines: int
    position_bytes: int
    state: tuple[Any, ...]


@dataclass(slots=True)
class ReadLog:
    """What a reader reports beside its sentences: how far it is, and what was irregular in the files.

    Readers set ``size_bytes`` at the start and keep ``position_bytes`` up to date, both in bytes of the files on disk, so
    that progress can say how much is left of a stream whose number of sentences nobody knows yet.

    :param begin: Where to begin: a bookmark that the same reader has given; ``None`` for the first sentence.
    :param mark: Makes the bookmark of the present place. Set by a reader that honours ``begin``, left alone by any other; stays
        behind when a log goes to another process.
    """

    size_bytes: int = 0
    position_bytes: int = 0
    warnings: dict[str, WarningCount] = field(default_factory=dict)
    begin: Bookmark | None = None
    mark: Callable[[], Bookmark | None] | None = field(default=None, repr=False, compare=False)

    def bookmark(self) -> Bookmark | None:
        """The place of the next sentence; to be asked for between two sentences.

        :returns: ``None`` where there is none: nothing has been read, the reader gives no bookmarks, the file is gzipped and
            cannot be begun in the middle, or the reader carries more than is good to hand around.
        """
        return None if self.mark is None else self.mark()

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {of.name: getattr(self, of.name) for of in fields(self)} | {"mark": None}

    def warn(self, kind: str, place: str, message: str) -> None:
        """Record a warning: ``kind`` groups them (``"empty-word"``), ``place`` is ``file:line``; five places are kept."""
        entry = self.warnings.setdefault(kind, WarningCount(message))
        entry.count += 1
        if len(entry.places) < MOST_PLACES:
            entry.places.append(place)


class Corpus(Protocol):
    """A source of sentences, read as a stream."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the corpus, in reading order."""

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield the sentences in the order of the files.

        :raises CorpusError: Names file and line of what cannot be read.
        """


@dataclass(frozen=True, slots=True)
class SubwordSentence:
    """A sentence with its subwords and the alignment of the two.

    :param sentence: With ``spans`` known.
    :param subword_ids: Without special subwords. *Shape:* ``(num_subwords,)``, int64.
    :param word_offsets: Half-open subword range of each word; empty for a word without subwords. *Shape:* ``(num_words, 2)``,
        int64.
    :param word_flags: *Shape:* ``(num_words,)``, int64.
    :param input_ids: What the encoder takes in their place, where it takes something else: one that spells its words, like
        ELMo, numbers them as they come. *Shape:* ``(num_subwords,)``, int64.
    :param num_first: Of a pair, the subwords of its first text, which stand before those of the second; ``None`` for no pair.
    """

    sentence: Sentence
    subword_ids: IntArray
    word_offsets: IntArray
    word_flags: IntArray
    input_ids: IntArray | None = None
    num_first: int | None = None

    @property
    def inputs(self) -> IntArray:
        """What the encoder takes. *Shape:* ``(num_subwords,)``, int64."""
        return self.subword_ids if self.input_ids is None else self.input_ids


@dataclass(frozen=True, slots=True)
class PairSubwords:
    """What an encoder expects between the two texts of a pair, and how it is told which is which.

    :param between: Ids between the texts: ``[SEP]`` for BERT, ``</s></s>`` for RoBERTa.
    :param special_segments: The segment of each special subword, in front, between and behind; ``None`` for an encoder that
        goes by the special subwords alone, as RoBERTa does.
    :param text_segments: The segments of the first and of the second text.
    """

    between: tuple[int, ...]
    special_segments: tuple[int, ...] | None = None
    text_segments: tuple[int, int] = (0, 1)


@dataclass(frozen=True, slots=True)
class SpecialSubwords:
    """What an encoder expects around a sequence.

    :param prefix: Ids in front, ``[CLS]`` for BERT.
    :param suffix: Ids behind, ``[SEP]`` for BERT.
    :param pad_id: Fills a batch up to its longest sequence; never attended to.
    :param cls_index: Position of the classification subword in ``prefix + suffix``; ``None`` where the encoder has none.
    :param pair: What stands between the texts of a pair; ``None`` where the encoder was not made for pairs.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad_id: int
    cls_index: int | None
    pair: PairSubwords | None = None

    @property
    def num_special(self) -> int:
        return len(self.prefix) + len(self.suffix)


@dataclass(frozen=True, slots=True)
class Units:
    """What a :class:`Vocabulary` makes of one word; mostly a single unit.

    :param ids: What the store keeps: the same in every run.
    :param inputs: What the encoder takes, which may be the same.
    :param unknown: Whether one of them stands for any word that the vocabulary does not have.
    :param cut: Whether they stand for the first characters of the word only.
    """

    ids: tuple[int, ...]
    inputs: tuple[int, ...]
    unknown: bool = False
    cut: bool = False


class Vocabulary(Protocol):
    """The units of an encoder that has no subword tokenizer of transformers: whole words, for most.

    Such an encoder has one in its attribute ``vocabulary``.
    """

    @property
    def special(self) -> SpecialSubwords:
        """What the encoder expects around a sequence."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What the provenance says of it."""

    def units(self, word: str) -> Units:
        """The units of a word; none for an empty one."""


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence for the encoder.

    :param input_ids: With special subwords. *Shape:* ``(length,)``, int64.
    :param kept: Positions in ``input_ids`` whose vectors are taken from this window.
    :param first_subword: Index in the sentence of the subword at ``kept[0]``.
    :param second: Of a pair, the same two of its second text; ``kept`` and ``first_subword`` are then of the first.
    :param segment_ids: Which text each position belongs to, where the encoder is told so. *Shape:* ``(length,)``, int64.
    """

    input_ids: IntArray
    kept: Span
    first_subword: int
    second: tuple[Span, int] | None = None
    segment_ids: IntArray | None = None

    @property
    def parts(self) -> tuple[tuple[Span, int], ...]:
        """``kept`` and ``first_subword`` of each text in the window."""
        own = (self.kept, self.first_subword)
        return (own,) if self.second is None else (own, self.second)

    @property
    def num_kept(self) -> int:
        """How many subwords are taken from this window."""
        return sum(end - start for (start, end), _ in self.parts)


@dataclass(frozen=True, slots=True)
class WindowedSentence:
    """A sentence and the windows that cover it: every subword is kept by exactly one of them."""

    subwords: SubwordSentence
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows padded to the same length.

    :param input_ids: *Shape:* ``(num_windows, length)``, int64.
    :param attention_mask: 1 at real subwords, 0 at padding. *Shape:* ``(num_windows, length)``, int64.
    :param segment_ids: Which text of a pair each position belongs to (the token types of transformers); ``None`` where no
        window says so. *Shape:* ``(num_windows, length)``, int64.
    """

    input_ids: Tensor
    attention_mask: Tensor
    segment_ids: Tensor | None = None


HiddenStates: TypeAlias = "Mapping[int, Tensor]"
"""Layer index to its output, *shape* ``(num_windows, length, hidden_size)``; only the layers that were asked for."""


class Encoder(Protocol):
    """A pretrained model, loaded and frozen."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder's files that determine its vectors: configuration, weights, vocabulary."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What the provenance says of it: model, revision, architecture, precision, device, ..."""

    @property
    def num_layers(self) -> int:
        """Encoder layers, the embedding layer not counted."""

    @property
    def hidden_size(self) -> int:
        """Width of every layer."""

    @property
    def max_window(self) -> int | None:
        """Longest sequence with special subwords, in subwords; ``None`` where the model sets no limit."""

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        """Run the encoder up to the highest of ``layers`` and return those layers, in the encoder's own precision.

        :raises EncoderError: If the batch cannot be encoded.
        """


@dataclass(frozen=True, slots=True)
class Block:
    """A run of consecutive sentences with all that the store keeps of them.

    :param sentences: With ``spans`` known.
    :param sentence_flags: *Shape:* ``(num_sentences,)``, int64.
    :param word_flags: *Shape:* ``(num_words,)``, int64, over all sentences.
    :param num_subwords: Subwords of each sentence. *Shape:* ``(num_sentences,)``, int64.
    :param subword_ids: *Shape:* ``(num_subwords,)``, int64, over all sentences.
    :param word_offsets: Subword range of each word within its sentence. *Shape:* ``(num_words, 2)``, int64.
    :param views: By view name, the rows in order. *Shape:* ``(num_rows, *row_shape)``; rows are sentences, words or subwords,
        as the view's unit says.
    :param failures: By sentence id, why a sentence that is flagged as failed has no vectors.
    :param is_last: Whether it is known that no block comes after it.
    """

    sentences: tuple[Sentence, ...]
    sentence_flags: IntArray
    word_flags: IntArray
    num_subwords: IntArray
    subword_ids: IntArray
    word_offsets: IntArray
    views: Mapping[str, FloatArray]
    failures: Mapping[str, str] = field(default_factory=dict)
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class ViewInfo:
    """What a view holds.

    :param unit: What a row stands for.
    :param vector_size: Length of one vector.
    :param layers: Layers that it was made of, 0 being the embedding layer.
    :param dtype: Of the stored numbers: ``"float32"`` or ``"float16"``.
    :param combination: Name of the layer combination.
    :param pooling: ``None`` for subwords.
    :param stacked: Whether a row keeps its layers apart: *shape* ``(num_layers, vector_size)`` instead of ``(vector_size,)``.
    """

    unit: Unit
    vector_size: int
    layers: tuple[int, ...]
    dtype: str
    combination: str
    pooling: str | None
    stacked: bool = False

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (len(self.layers), self.vector_size) if self.stacked else (self.vector_size,)
