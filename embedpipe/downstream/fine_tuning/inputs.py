"""Sentences as the encoder sees them, and which of its vectors stand for the words or the sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedpipe.encoders.outline import is_causal, longest_window
from embedpipe.subwords import SubwordTokenizer, choose_window_size, cls_position

if TYPE_CHECKING:
    from torch import nn

    from embedpipe.dataflow import IntArray, Sentence, SpecialSubwords, Window, WindowedSentence
    from embedpipe.encoders import ModelFiles
    from embedpipe.subwords import Context, WindowSize


@dataclass(frozen=True, slots=True)
class Part:
    """What of a sentence goes through the encoder at once: one window for labels of words, all of them for one of the sentence.

    :param sentence: Its number among the inputs.
    :param rows: The words that are predicted from this part; 0 for the sentence. *Shape:* ``(num_rows,)``.
    :param picked: Window and position of each vector that is taken, row after row. *Shape:* ``(num_picked, 2)``.
    :param counts: Vectors whose mean stands for each row; 1 for a word. *Shape:* ``(num_rows,)``.
    """

    sentence: int
    windows: tuple[Window, ...]
    rows: IntArray
    picked: IntArray
    counts: IntArray

    @property
    def num_subwords(self) -> int:
        """What it takes in the encoder, padding counted."""
        return len(self.windows) * max(len(window.input_ids) for window in self.windows)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Sentences in order.

    :param sentences: With ``spans`` known.
    :param parts: By sentence; none where nothing of it has a subword.
    :param num_rows: By sentence, its words; 1 where the sentence itself is labelled.
    """

    sentences: tuple[Sentence, ...]
    parts: tuple[tuple[Part, ...], ...]
    num_rows: tuple[int, ...]


@dataclass(frozen=True)
class Reader:
    """From sentences to inputs, by the stages that an extraction takes."""

    tokenizer: SubwordTokenizer
    context: Context
    size: WindowSize
    unit: Literal["word", "sentence"]

    @classmethod
    def of(cls, files: ModelFiles, encoder: nn.Module, context: Context, unit: Literal["word", "sentence"]) -> Reader:
        """With the model's own tokenizer and longest window.

        :param encoder: Of transformers.
        :raises EncoderError: If the context asks for a longer window.
        """
        tokenizer = SubwordTokenizer(files.folder)
        limits = (longest_window(encoder, encoder.config), tokenizer.max_window)
        causal = is_causal(encoder, encoder.config)
        size = choose_window_size(context.window, context.overlap, limits=limits, special=tokenizer.special, is_causal=causal)
        return cls(tokenizer, context, size, unit)

    @property
    def special(self) -> SpecialSubwords:
        return self.tokenizer.special

    def read(self, sentences: Iterable[Sentence]) -> Inputs:
        """Cut sentences into subwords and windows."""
        subwords = self.tokenizer.tokenize(sentences, joined=self.context.joined)
        windowed = list(self.context.windows(subwords, self.size, self.special))
        make = _word_parts if self.unit == "word" else _sentence_parts
        return Inputs(
            tuple(sentence.subwords.sentence for sentence in windowed),
            tuple(tuple(make(number, sentence, self)) for number, sentence in enumerate(windowed)),
            tuple(len(sentence.subwords.word_offsets) if self.unit == "word" else 1 for sentence in windowed),
        )


def _word_parts(number: int, sentence: WindowedSentence, reader: Reader) -> Iterator[Part]:
    """Each word goes with the window that keeps its first subword, for a decoder its last; without subwords, with none."""
    starts, ends = sentence.subwords.word_offsets.T
    taken = ends - 1 if reader.size.is_causal else starts
    for window in sentence.windows:
        found = []
        for kept, first_subword in window.parts:
            positions = taken - first_subword + kept[0]
            rows = np.flatnonzero((positions >= kept[0]) & (positions < kept[1]) & (starts < ends))
            found.append(np.stack([rows, positions[rows]], axis=1))
        rows, positions = np.concatenate(found).T
        if len(rows):
            yield Part(number, (window,), rows, np.stack([np.zeros_like(rows), positions], axis=1), np.ones_like(rows))


def _sentence_parts(number: int, sentence: WindowedSentence, reader: Reader) -> Iterator[Part]:
    """The classification subword, in the mean over windows; in a decoder, or without one, the mean of the sentence's."""
    if reader.special.cls_index is not None and not reader.size.is_causal:
        places: Sequence[Iterable[int]] = [[cls_position(window, reader.special)] for window in sentence.windows]
    else:
        places = [[position for kept, _ in window.parts for position in range(*kept)] for window in sentence.windows]
    picked = [(index, position) for index, positions in enumerate(places) for position in positions]
    if picked:
        counts = np.array([len(picked)], np.int64)
        yield Part(number, sentence.windows, np.zeros(1, np.int64), np.array(picked, np.int64), counts)
