r"""Opening corpus files: gzip, UTF-8, lines, and where each of them begins.

A line ends at ``\n`` or ``\r\n`` and nowhere else, so that a file has as many lines here as for ``wc`` and an editor.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedpipe.corpus.files import unopened
from embedpipe.dataflow import Bookmark, ReadLog
from embedpipe.errors import CorpusError

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLOCK_BYTES = 1 << 16


class LineReader:
    """The lines of a plain or gzipped UTF-8 file, one after another; to be gone through once.

    The file is read and decoded in blocks of whole lines. While a line costs no more than being counted, the place of the next
    one can be had at any time.

    :param log: Its ``position_bytes`` is kept up to date.
    :param index: Of the file in the corpus.
    :param bytes_before: Those of the corpus's files in front of this one.
    :param begin: Where to begin; the start of the file by default.

    ``number`` is that of the line that was handed out last, from 1.
    """

    def __init__(
        self, file: Path, log: ReadLog, *, index: int = 0, bytes_before: int = 0, begin: Bookmark | None = None
    ) -> None:
        self.file, self.index, self.bytes_before = file, index, bytes_before
        self.number = 0 if begin is None else begin.num_lines
        self.is_packed = False
        self._log = log
        self._block = b""
        self._block_offset = 0 if begin is None else begin.offset
        self._block_number = self.number

    @property
    def offset(self) -> int:
        """Bytes of the file, unpacked, in front of the line after the one that was handed out last."""
        num_lines = self.number - self._block_number
        unread = self._block.split(b"\n", num_lines)[num_lines:]  # nothing behind a last line without an end
        return self._block_offset + len(self._block) - sum(map(len, unread))

    def __iter__(self) -> Iterator[str]:
        """Hand out the lines without their ends.

        :raises CorpusError: If the file cannot be opened, unpacked or decoded.
        """
        for text in self._texts():
            lines = text.split("\n")
            if not lines[-1]:
                lines.pop()
            if "\r" in text:
                lines = [line.removesuffix("\r") for line in lines]
            for self.number, line in enumerate(lines, self.number + 1):  # noqa: B020
                yield line

    def with_ends(self) -> Iterator[str]:
        """Hand out the lines with their ends.

        :raises CorpusError: As above.
        """
        for text in self._texts():
            for self.number, line in enumerate(io.StringIO(text, newline="\n"), self.number + 1):  # noqa: B020
                yield line

    def head(self) -> LineReader:
        """The lines of the same file from its start, for a look at what is there; leaves this reader where it is."""
        return LineReader(self.file, ReadLog())

    def warn(self, kind: str, message: str, line: int | None = None) -> None:
        """Record a warning, of the line handed out last if no other is given."""
        self._log.warn(kind, f"{self.file}:{self.number if line is None else line}", message)

    def _texts(self) -> Iterator[str]:
        """The file in blocks of whole lines; where bytes are no UTF-8, the lines in front of them come first."""
        for block in self._blocks():
            self._block_offset += len(self._block)
            self._block, self._block_number = block, self.number
            if self._block_offset == 0:
                self._look_at_start()
            try:
                yield self._block.decode()
            except UnicodeDecodeError as error:
                yield self._block[: self._block.rfind(b"\n", 0, error.start) + 1].decode()
                raise self._not_utf8(error) from None

    def _look_at_start(self) -> None:
        """Leave out the byte order mark; and a file without any line feed is one line to us, which may not be meant."""
        if self._block.startswith(_BOM):
            self._block, self._block_offset = self._block[len(_BOM) :], len(_BOM)
        if b"\n" not in self._block and b"\r" in self._block[:-1]:
            found = "the file has carriage returns but no line feed, so that it is one line"
            self.warn("lone-carriage-returns", f"{found}; if it should be more: tr '\\r' '\\n'", line=1)

    def _blocks(self) -> Iterator[bytes]:
        """The bytes in blocks of whole lines, with the errors of gzip and of the disk turned into ours."""
        unfinished: list[bytes] = []
        try:
            with self._opened() as plain:
                stream = gzip.GzipFile(fileobj=plain) if self.is_packed else plain
                while piece := stream.read1(_BLOCK_BYTES):
                    self._log.position_bytes = self.bytes_before + plain.tell()
                    whole, end, rest = piece.rpartition(b"\n")
                    if end:
                        yield b"".join((*unfinished, whole, end))
                        unfinished = []
                    if rest:
                        unfinished.append(rest)
                if unfinished:
                    yield b"".join(unfinished)
                return
        except EOFError:
            problem = "the gzip file is cut short"
        except (gzip.BadGzipFile, zlib.error) as error:
            problem = f"the gzip file is damaged ({error})"
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
        raise CorpusError(self.file, None, f"{problem}, after {self.number} whole lines; get or make the file again")

    @contextmanager
    def _opened(self) -> Iterator[io.BufferedReader[io.FileIO]]:
        """The file, at the place to begin at."""
        try:
            stream = io.BufferedReader(self.file.open("rb", buffering=0), _BLOCK_BYTES)
        except OSError as error:
            raise unopened(self.file, error) from None
        with stream:
            if self._block_offset:
                self._go_to(self._block_offset, stream)
            else:
                self.is_packed = stream.peek(2)[:2] == _GZIP_MAGIC
            yield stream

    def _go_to(self, offset: int, stream: io.BufferedReader[io.FileIO]) -> None:
        stream.seek(offset - 1)
        before = stream.read(1)
        if before != b"\n" and not (before and stream.peek(1) == b""):
            message = f"no line begins at byte {offset:,}, where reading was to go on"
            raise CorpusError(self.file, None, f"{message}: the file has changed in the meantime. Start again")

    def _not_utf8(self, error: UnicodeDecodeError) -> CorpusError:
        """Say where the first wrong byte is, what the encoding may be, and how to convert the file."""
        number, file = self.number + 1, self.file
        byte = error.object[error.start]
        if number == 1 and self._block.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding, why = "UTF-16", "it starts with the mark of UTF-16"
        elif 0x80 <= byte < 0xA0:
            encoding, why = "WINDOWS-1252", "it may be Windows-1252"
        else:
            encoding, why = "LATIN1", "it may be Latin-1"
        message = f"not UTF-8: byte 0x{byte:02x} at byte offset {self._block_offset + error.start} of the file; {why}. "
        message += f"Convert it first: iconv -f {encoding} -t UTF-8 {file.name} > {file.stem}.utf8{file.suffix}"
        return CorpusError(file, number, message)
