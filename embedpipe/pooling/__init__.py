"""Pooling: the vectors of a word's or a sentence's subwords into one."""

from embedpipe.pooling.sentences import SentencePoolingMode, pool_sentences
from embedpipe.pooling.words import PoolingMode, pool_words

__all__ = ["PoolingMode", "SentencePoolingMode", "pool_sentences", "pool_words"]
