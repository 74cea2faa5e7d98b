"""From the vectors of subwords to one vector per sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from embedpipe.pooling.words import pool_words

if TYPE_CHECKING:
    from torch import Tensor

SentencePoolingMode: TypeAlias = Literal["cls", "mean", "max", "last"]


def pool_sentences(
    subword_vectors: Tensor, offsets: Tensor, cls_vectors: Tensor | None, *, mode: SentencePoolingMode
) -> Tensor:
    """Pool each sentence's subwords into one vector; special subwords take no part, but in ``cls``.

    :param subword_vectors: *Shape:* ``(num_subwords, *vector_shape)``.
    :param offsets: Half-open subword range of each sentence. *Shape:* ``(num_sentences, 2)``, int64.
    :param cls_vectors: The classification subword's vector of each sentence, the mean over its windows; needed for ``cls``.
        *Shape:* ``(num_sentences, *vector_shape)``.
    :returns: *Shape:* ``(num_sentences, *vector_shape)``; all but ``cls`` give zeros for a sentence without subwords.
    """
    if mode != "cls":
        return pool_words(subword_vectors, offsets, mode=mode)
    if cls_vectors is None:
        raise ValueError("pooling 'cls' needs the vectors of the classification subword")
    return cls_vectors
