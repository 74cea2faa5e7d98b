"""word2vec's binary format: a line of two numbers, then each word, a space, and its numbers as float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.encoders.static.recognize import Layout
    from embedpipe.encoders.static.source import Source
    from embedpipe.encoders.static.text import Rows

_ROWS_BYTES = 2**22


def read_binary(source: Source, layout: Layout) -> Iterator[Rows]:
    """Read the format ``word2vec_binary``, a few megabytes at a time.

    :raises EncoderError: Names the word that is damaged.
    """
    assert layout.num_words is not None
    source.take_until(b"\n", "its first line")
    width = 4 * layout.vector_size
    at_a_time = max(1, _ROWS_BYTES // width)
    for start in range(0, layout.num_words, at_a_time):
        words, pieces = [], []
        for number in range(start + 1, min(start + at_a_time, layout.num_words) + 1):
            what = f"word {number:,} of {layout.num_words:,}"
            words.append(source.take_until(b" ", what).lstrip(b"\n"))  # word2vec ends vectors with a newline, gensim does not
            pieces.append(source.take(width, what))
        rows = np.frombuffer(b"".join(pieces), "<f4").reshape(-1, layout.vector_size)
        require_finite(source, rows, start)
        yield words, rows
    if source.rest(2**16).strip(b"\n"):
        raise source.damaged(f"has more than the {layout.num_words:,} words that its first line says; it is damaged")


def require_finite(source: Source, rows: npt.NDArray[np.float32], first: int) -> None:
    """Refuse rows that hold what is not a number.

    :param first: Index of the first one.
    """
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise source.damaged(f"vector {first + int(bad[0]) + 1:,} holds what is not a number; the file is damaged")
