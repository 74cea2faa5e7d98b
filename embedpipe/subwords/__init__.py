"""Subwords: the tokenizer, the alignment of words with subwords, and the windows an encoder sees."""

from embedpipe.subwords.alignment import align_words, flag_words
from embedpipe.subwords.context import Context, DocumentContext, SentenceContext
from embedpipe.subwords.pairs import pair_windows
from embedpipe.subwords.tokenizer import SubwordTokenizer
from embedpipe.subwords.windows import WindowSize, choose_window_size, cls_position, make_window, split
from embedpipe.subwords.word_units import Tokenizer, WordTokenizer

__all__ = [
    "Context",
    "DocumentContext",
    "SentenceContext",
    "SubwordTokenizer",
    "Tokenizer",
    "WindowSize",
    "WordTokenizer",
    "align_words",
    "choose_window_size",
    "cls_position",
    "flag_words",
    "make_window",
    "pair_windows",
    "split",
]
