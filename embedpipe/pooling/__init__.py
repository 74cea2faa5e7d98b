"""Pooling: the vectors of a word's or a sentence's subwords into one."""

from embedpipe.pooling.words import PoolingMode, choose_subwords, pool_words, zero_where_empty

__all__ = ["PoolingMode", "choose_subwords", "pool_words", "zero_where_empty"]
