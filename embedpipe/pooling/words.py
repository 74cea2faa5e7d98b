"""From the vectors of subwords to one vector per range of them: a word's, or a sentence's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from embedpipe.errors import AlignmentError

if TYPE_CHECKING:
    from torch import Tensor

PoolingMode: TypeAlias = Literal["first", "last", "mean", "max"]


def pool_words(subword_vectors: Tensor, offsets: Tensor, *, mode: PoolingMode) -> Tensor:
    """Pool the vectors of each word's subwords into one vector per word.

    :param subword_vectors: *Shape:* ``(num_subwords, *vector_shape)``.
    :param offsets: Half-open subword range of each word, empty for a word without subwords; ranges may overlap. *Shape:*
        ``(num_words, 2)``, int64.
    :returns: *Shape:* ``(num_words, *vector_shape)``, dtype of ``subword_vectors``; zeros for a word without subwords.
    :raises AlignmentError: If a range leaves the sequence.
    """
    starts, ends = offsets.unbind(dim=1)
    lengths = ends - starts
    _check_ranges(starts, ends, len(subword_vectors))
    pooled = subword_vectors.new_zeros((len(offsets), *subword_vectors.shape[1:]))
    filled = lengths > 0
    if mode == "first":
        pooled[filled] = subword_vectors[starts[filled]]
    elif mode == "last":
        pooled[filled] = subword_vectors[ends[filled] - 1]
    elif bool(filled.any()):
        pooled[filled] = _reduce_ranges(subword_vectors, starts[filled], lengths[filled], mode)
    return pooled


def _reduce_ranges(vectors: Tensor, starts: Tensor, lengths: Tensor, mode: PoolingMode) -> Tensor:
    """Mean or maximum over ranges that are not empty.

    A segmented reduction gives each range a fixed order of addition, whatever else is in the batch and without atomic
    additions on a GPU.
    """
    import torch

    firsts = lengths.cumsum(0) - lengths
    rows = torch.arange(int(lengths.sum()), device=vectors.device) + (starts - firsts).repeat_interleave(lengths)
    return torch.segment_reduce(vectors[rows].contiguous(), mode, lengths=lengths, axis=0)


def _check_ranges(starts: Tensor, ends: Tensor, num_subwords: int) -> None:
    wrong = (starts < 0) | (ends < starts) | (ends > num_subwords)
    if bool(wrong.any()):
        word = int(wrong.nonzero()[0, 0])
        raise AlignmentError(
            f"pooling word {word}: its subwords [{int(starts[word])}, {int(ends[word])}) "
            f"leave the sequence of {num_subwords} subwords"
        )
