"""Any of the formats, read as a stream, into a table."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from embedpipe.encoders.static.binary import read_binary
from embedpipe.encoders.static.fasttext import FasttextModel, read_model, read_rows
from embedpipe.encoders.static.ngrams import Ngrams, add_up
from embedpipe.encoders.static.recognize import Format, recognize
from embedpipe.encoders.static.source import Source, open_source
from embedpipe.encoders.static.table_file import pad, write_contents
from embedpipe.encoders.static.text import read_text
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    import numpy.typing as npt


_NO_NGRAMS = Ngrams(0, 0, 0)
_ROWS_AT_A_TIME = 4096
_WORDS_AT_A_TIME = 1024


def write_table(path: Path, format: Format | None, file: BinaryIO) -> None:
    """Convert a file of vectors; needs memory for its words, not for their vectors.

    :param format: Which it is said to have.
    :param file: Open for reading and writing, with nothing in it.
    :raises EncoderError: If the file of vectors is not of the format, is damaged, or changes meanwhile.
    """
    before = stamp(path)
    layout = recognize(path, format)
    with open_source(path) as source:
        if layout.format == "fasttext_binary":
            writer = _write_fasttext(source, file)
        else:
            writer = _TableWriter(file, layout.vector_size)
            for words, rows in read_text(source, layout) if "binary" not in layout.format else read_binary(source, layout):
                writer.add(words, rows)
        if not writer.num_words:
            raise source.damaged("has no words")
        origin = {"stamp": before, "sha256": source.sha256()}
    if stamp(path) != before:
        raise EncoderError(f"{path}: has changed while it was read; let whatever writes it end, and run again")
    writer.finish({"format": layout.format, "source": origin})


def stamp(path: Path) -> list[int]:
    """What changes whenever a file does: size, and the times of the last change to its bytes and to itself.

    :raises EncoderError: If the file is not there any more.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _write_fasttext(source: Source, file: BinaryIO) -> _TableWriter:
    model = read_model(source)
    writer = _TableWriter(file, model.vector_size, model.ngrams)
    start = 0
    for rows in read_rows(source, model, len(model.words), 0):
        writer.add(model.words[start : start + len(rows)], rows)
        start += len(rows)
    for rows in read_rows(source, model, model.ngrams.num_buckets, start):
        writer.add((), rows)
    writer.add_ngrams_to_words(model)
    return writer


class _TableWriter:
    """Writes the sections of :mod:`~embedpipe.encoders.static.table_file`."""

    def __init__(self, file: BinaryIO, vector_size: int, ngrams: Ngrams = _NO_NGRAMS) -> None:
        self._file = file
        self._vector_size = vector_size
        self._ngrams = ngrams
        self._num_rows = 0
        self._words = bytearray()
        self._ends = array("q")
        self._hashes = array("I")
        self._num_not_utf8 = 0
        self._sections: dict[str, dict[str, Any]] = {}

    @property
    def num_words(self) -> int:
        return len(self._ends)

    def add(self, words: Sequence[bytes], rows: npt.NDArray[np.float32]) -> None:
        """Add words with their rows, or rows without words."""
        self._file.write(np.ascontiguousarray(rows, np.float32).data)
        self._num_rows += len(rows)
        for word in words:
            self._words += word
            self._ends.append(len(self._words))
            self._hashes.append(zlib.crc32(word))
            self._num_not_utf8 += not word.isascii() and not _is_utf8(word)

    def add_ngrams_to_words(self, model: FasttextModel) -> None:
        """Make the row of each word the mean of its own and of its n-grams', which is fastText's vector of it."""
        self._file.flush()
        rows, num_words = np.memmap(self._file, np.float32, "r+", shape=(self._num_rows, self._vector_size)), len(model.words)
        table = rows[num_words:]
        for start in range(0, num_words, _WORDS_AT_A_TIME):
            for index, buckets in enumerate(model.buckets(model.words[start : start + _WORDS_AT_A_TIME]), start):
                total = rows[index] + add_up(table.__getitem__, buckets, self._vector_size)
                rows[index] = total / np.float32(len(buckets) + 1)
        rows.flush()

    def finish(self, contents: dict[str, Any]) -> None:
        """Write the other sections and what is in them."""
        checks, mean, rms = self._examine()
        hashes = np.frombuffer(self._hashes, np.uint32)
        order = np.argsort(hashes, kind="stable").astype("<i4")
        self._section("checks", checks)
        self._section("words", np.frombuffer(self._words, np.uint8))
        self._section("ends", np.frombuffer(self._ends, np.int64))
        self._section("hashes", hashes[order])
        self._section("order", order)
        self._section("mean", mean)
        counts = {"num_duplicates": self._num_duplicates(hashes[order], order), "num_not_utf8": self._num_not_utf8}
        sizes = {"num_words": self.num_words, "num_rows": self._num_rows, "vector_size": self._vector_size}
        about = {"ngrams": list(self._ngrams), "rms": rms, "sections": self._sections}
        write_contents(self._file, contents | counts | sizes | about)

    def _examine(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32], float]:
        """Look at each row: its crc32; and the words' mean, and root mean square of their numbers."""
        checks, total, squares = array("I"), np.zeros(self._vector_size), 0.0
        self._file.seek(0)
        for start in range(0, self._num_rows, _ROWS_AT_A_TIME):
            count = min(_ROWS_AT_A_TIME, self._num_rows - start)
            read = self._file.read(4 * count * self._vector_size)  # a map would grow to the size of the file
            some = np.frombuffer(read, "<f4").reshape(count, self._vector_size)
            checks.extend(zlib.crc32(row.data) for row in some)
            of_words = some[: max(0, self.num_words - start)].astype(np.float64)
            total += of_words.sum(axis=0)
            squares += float(np.square(of_words).sum())
        mean = (total / self.num_words).astype("<f4")
        return np.frombuffer(checks, np.uint32), mean, float(np.sqrt(squares / self.num_words / self._vector_size))

    def _num_duplicates(self, hashes: npt.NDArray[np.uint32], order: npt.NDArray[np.int32]) -> int:
        """Words that stand in the source once more."""
        return sum(len(group) - len({self._word(row) for row in group}) for group in _same(hashes, order))

    def _word(self, row: int) -> bytes:
        return bytes(self._words[self._ends[row - 1] if row else 0 : self._ends[row]])

    def _section(self, name: str, values: npt.NDArray[Any]) -> None:
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        start = pad(self._file)
        self._file.write(little.data)
        check = zlib.crc32(little.data)
        self._sections[name] = {"start": start, "dtype": little.dtype.str, "size": len(little), "crc32": check}


def _same(hashes: npt.NDArray[np.uint32], order: npt.NDArray[np.int32]) -> Iterator[list[int]]:
    """The rows of each hash that several words have."""
    first_of_its_hash = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] ^ np.uint32(1)))
    counts = np.diff(first_of_its_hash, append=len(hashes))
    for start, count in zip(first_of_its_hash[counts > 1], counts[counts > 1], strict=True):
        yield order[start : start + count].tolist()


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
