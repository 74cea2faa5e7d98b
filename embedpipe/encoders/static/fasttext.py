"""fastText's binary format (.bin): settings, the dictionary, then a row for each word and each bucket of n-grams."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedpipe.encoders.static.binary import require_finite
from embedpipe.encoders.static.ngrams import Ngrams

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import IntArray
    from embedpipe.encoders.static.source import Source

MAGIC = struct.pack("<i", 793712314)

_NEWEST_VERSION = 12
_SETTINGS = struct.Struct("<12id")  # dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate t
_SIZES = struct.Struct("<3iq")  # entries words labels, words of the training text
_ENTRY = struct.Struct("<qb")  # frequency, whether it is a label
_SUPERVISED = 3
_END = b"</s>"
_ROWS_BYTES = 2**22


class FasttextSettings(NamedTuple):
    """What a model says of itself in front.

    :param is_old: Whether the file is of 2016 or 2017, before the format had versions.
    """

    vector_size: int
    ngrams: Ngrams
    is_old: bool


class FasttextModel(NamedTuple):
    """A model whose rows have not been read yet.

    :param words: As they are in the file.
    :param has_plain_end: Whether ``</s>``, the end of a sentence, is a word without n-grams; not in old models.
    """

    words: list[bytes]
    vector_size: int
    ngrams: Ngrams
    has_plain_end: bool

    def buckets(self, words: Sequence[bytes]) -> list[IntArray]:
        """The buckets of the n-grams of words that the model has."""
        found = self.ngrams.buckets(words)
        return [
            buckets[:0] if word == _END and self.has_plain_end else buckets for word, buckets in zip(words, found, strict=True)
        ]


def is_fasttext(start: bytes) -> bool:
    """Whether a file that starts so is a model of fastText; an old one has no mark, but only small numbers in front."""
    if start.startswith(MAGIC):
        return True
    if len(start) < _SETTINGS.size:
        return False
    dim, ws, _, _, _, num_words, loss, model, bucket, shortest, longest, _, _ = _SETTINGS.unpack_from(start)
    is_likely = 0 < dim < 2**14 and 0 < ws < 2**10 and 0 < num_words < 100 and 0 < loss < 4 and 0 < model < 4
    return bool(is_likely and 0 <= bucket < 2**28 and 0 <= shortest <= longest < 100)


def read_model(source: Source) -> FasttextModel:
    """Read settings and dictionary.

    :raises EncoderError: If the model is compressed by quantization, or damaged.
    """
    vector_size, ngrams, is_old = read_settings(source)
    num_entries, num_words, num_labels, _ = _SIZES.unpack(source.take(_SIZES.size, "its dictionary"))
    num_pruned = 0 if is_old else int.from_bytes(source.take(8, "its dictionary"), "little", signed=True)
    if num_entries != num_words + num_labels or num_words < 0:
        raise source.damaged(f"has {num_words:,} words among {num_entries:,} entries of its dictionary; it is damaged")
    words = [_read_entry(source, number, num_entries) for number in range(1, num_entries + 1)][:num_words]
    is_quantized = not is_old and source.take(1, "its table") != b"\0"
    if is_quantized or num_pruned > 0:
        raise source.damaged("is compressed by quantization (.ftz); expected the model that it was made of (.bin)")
    num_rows, width = struct.unpack("<2q", source.take(16, "its table"))
    expected = num_words + ngrams.num_buckets
    if (num_rows, width) != (expected, vector_size):
        raise source.damaged(
            f"has a table of {num_rows:,} rows of {width:,}; expected {expected:,} of {vector_size:,}, a row for each word and "
            "bucket of n-grams; it is damaged"
        )
    return FasttextModel(words, vector_size, ngrams if ngrams.longest else Ngrams(0, 0, 0), not is_old)


def read_settings(source: Source) -> FasttextSettings:
    """Read what a model says of itself in front.

    :raises EncoderError: If it is of another version, or damaged.
    """
    version, start = 1, source.take(8, "its settings")
    is_old = not start.startswith(MAGIC)
    if not is_old:
        version, start = int.from_bytes(start[4:], "little"), b""
    settings = _SETTINGS.unpack(start + source.take(_SETTINGS.size - len(start), "its settings"))
    vector_size, model, num_buckets, shortest, longest = (settings[index] for index in (0, 7, 8, 9, 10))
    if not 0 < version <= _NEWEST_VERSION or vector_size <= 0 or num_buckets < 0:
        raise source.damaged(f"is a model of fastText's file version {version}; expected 1 to {_NEWEST_VERSION}, undamaged")
    if model == _SUPERVISED and version == 11:  # fastText itself reads it so
        longest = 0
    return FasttextSettings(vector_size, Ngrams(shortest, longest, num_buckets), is_old)


def _read_entry(source: Source, number: int, count: int) -> bytes:
    what = f"entry {number:,} of the {count:,} in its dictionary"
    word = source.take_until(b"\0", what)
    source.take(_ENTRY.size, what)
    return word


def read_rows(source: Source, model: FasttextModel, num_rows: int, first: int) -> Iterator[npt.NDArray[np.float32]]:
    """Read the next rows of the table, a few megabytes at a time.

    :param first: Index of the first one, for messages.
    """
    width = 4 * model.vector_size
    at_a_time = max(1, _ROWS_BYTES // width)
    for start in range(0, num_rows, at_a_time):
        count = min(at_a_time, num_rows - start)
        piece = source.take(count * width, f"row {first + start + 1:,} of its table")
        rows = np.frombuffer(piece, "<f4").reshape(-1, model.vector_size)
        require_finite(source, rows, first + start)
        yield rows
