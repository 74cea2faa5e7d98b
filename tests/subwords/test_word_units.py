"""The tokenizer of encoders that take words as they are."""

from __future__ import annotations

import numpy as np
import pytest

from embedpipe.dataflow import Sentence, SpecialSubwords, Units, WordFlag
from embedpipe.subwords import DocumentContext, SentenceContext, WordTokenizer, choose_window_size


class Spelled:
    """Two units for a capital word, one for others; inputs are numbered as they come."""

    special = SpecialSubwords((), (), 0, None)
    description = {"class": "Spelled"}

    def __init__(self):
        self.seen = {}

    def units(self, word):
        if not word:
            return Units((), ())
        inputs = tuple(
            self.seen.setdefault(piece, len(self.seen)) for piece in (["^"] if word.istitle() else []) + [word.lower()]
        )
        return Units((7,) * len(inputs), inputs, unknown=word.isdigit(), cut=len(word) > 6)


def test_units_are_aligned_with_words_and_keep_ids_apart_from_inputs():
    sentence = Sentence.from_words("s", "d", ["Berlin", "", "has", "Berlin", "12"])
    (cut,) = WordTokenizer(Spelled()).tokenize([sentence])
    assert cut.subword_ids.tolist() == [7] * 6
    assert cut.inputs.tolist() == [0, 1, 2, 0, 1, 3]
    assert cut.word_offsets.tolist() == [[0, 2], [2, 2], [2, 3], [3, 5], [5, 6]]
    assert cut.word_flags.tolist() == [0, WordFlag.NO_SUBWORDS, 0, 0, WordFlag.UNKNOWN_SUBWORD]


def test_a_word_that_is_cut_has_a_flag_of_its_own_and_may_be_unknown_as_well():
    sentence = Sentence.from_words("s", "d", ["Berlin", "Münsterland", "12", "1234567"])
    (cut,) = WordTokenizer(Spelled()).tokenize([sentence])
    unknown = WordFlag.UNKNOWN_SUBWORD
    assert cut.word_flags.tolist() == [0, WordFlag.CUT, unknown, unknown | WordFlag.CUT]


@pytest.mark.parametrize("words", [[], [""]])
def test_a_sentence_without_units_is_one(words):
    (cut,) = WordTokenizer(Spelled()).tokenize([Sentence.from_words("s", "d", words)])
    assert cut.word_offsets.shape == (len(words), 2)
    assert cut.subword_ids.dtype == cut.inputs.dtype == cut.word_flags.dtype == np.int64


def test_words_of_plain_text_are_runs_of_letters_and_single_signs():
    (cut,) = WordTokenizer(Spelled()).tokenize([Sentence.from_text("s", "d", "It's Zürich's 1st café,  e.g.\u200b!")])
    assert cut.sentence.words == ("It's", "Zürich's", "1st", "café", ",", "e", ".", "g", ".", "\u200b", "!")


@pytest.mark.parametrize("context", [SentenceContext(window=4, overlap=2), DocumentContext(window=4)])
def test_windows_hold_what_the_encoder_takes(context):
    vocabulary = Spelled()
    sentences = [Sentence.from_words(str(n), "d", text.split()) for n, text in enumerate(["a b", "c d e f g h", "i"])]
    size = choose_window_size(context.window, context.overlap, limits=(None, None), special=vocabulary.special)
    windowed = context.windows(WordTokenizer(vocabulary).tokenize(sentences), size, vocabulary.special)
    kept = [
        [id for window in sentence.windows for id in window.input_ids[slice(*window.kept)].tolist()] for sentence in windowed
    ]
    assert kept == [[0, 1], [2, 3, 4, 5, 6, 7], [8]]
