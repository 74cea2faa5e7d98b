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
    chosen = choose_subwords(offsets, len(subword_vectors), mode="last" if mode == "last" else "first")
    if not len(subword_vectors):
        return subword_vectors.new_zeros((len(offsets), *subword_vectors.shape[1:]))
    pooled = subword_vectors.index_select(0, chosen)
    if mode in ("mean", "max"):
        lengths = offsets[:, 1] - offsets[:, 0]
        several = (lengths > 1).nonzero()[:, 0]  # most words have one subword, which is its own mean and maximum
        if len(several):
            pooled[several] = _reduce_ranges(subword_vectors, offsets[several, 0], lengths[several], mode)
    return zero_where_empty(pooled, offsets)


def choose_subwords(offsets: Tensor, num_subwords: int, *, mode: Literal["first", "last"]) -> Tensor:
    """The first or last subword of each range; of an empty range, any.

    :param offsets: *Shape:* ``(num_ranges, 2)``, int64.
    :returns: *Shape:* ``(num_ranges,)``, int64, each below ``num_subwords`` (or 0).
    :raises AlignmentError: If a range leaves the sequence.
    """
    starts, ends = offsets.unbind(dim=1)
    _check_ranges(starts, ends, num_subwords)
    return (starts if mode == "first" else ends - 1).clamp(0, max(0, num_subwords - 1))


def zero_where_empty(vectors: Tensor, offsets: Tensor) -> Tensor:
    """Make the vectors of empty ranges zero, in place.

    :param vectors: *Shape:* ``(num_ranges, *vector_shape)``.
    :param offsets: *Shape:* ``(num_ranges, 2)``.
    """
    empty = (offsets[:, 0] == offsets[:, 1]).nonzero()[:, 0]
    return vectors.index_fill_(0, empty, 0) if len(empty) else vectors


def _reduce_ranges(vectors: Tensor, starts: Tensor, lengths: Tensor, mode: PoolingMode) -> Tensor:
    """Mean or maximum over ranges that are not empty.

    A segmented reduction gives each range a fixed order of addition, whatever else is in the batch and without atomic
    additions on a GPU.
    """
    import torch

    firsts = lengths.cumsum(0) - lengths
    rows = torch.arange(int(lengths.sum()), device=vectors.device) + (starts - firsts).repeat_interleave(lengths)
    return torch.segment_reduce(vectors.index_select(0, rows), mode, lengths=lengths, axis=0)


def _check_ranges(starts: Tensor, ends: Tensor, num_subwords: int) -> None:
    wrong = (starts < 0) | (ends < starts) | (ends > num_subwords)
    if bool(wrong.any()):
        word = int(wrong.nonzero()[0, 0])
        raise AlignmentError(
            f"pooling word {word}: its subwords [{int(starts[word])}, {int(ends[word])}) "
            f"leave the sequence of {num_subwords} subwords"
        )
