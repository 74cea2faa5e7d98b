r"""Finding and opening corpus files: paths, gzip, UTF-8, lines.

A line ends at ``\n`` or ``\r\n`` and nowhere else, so that a file has as many lines here as for ``wc`` and an editor.
"""

from __future__ import annotations

import difflib
import glob
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.errors import CorpusError

_SAMPLE = Path(__file__).parents[1] / "sample"
_SAMPLE_PREFIX = "sample:"
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 17


def check_path(path: str | tuple[str, ...]) -> None:
    """Refuse a reader's ``path`` that names nothing.

    :raises ValueError: Starts with ``path:``.
    """
    if not path or "" in _as_tuple(path):
        raise ValueError("path: names no file; give one path or several")


def sample_path(name: str) -> Path:
    """The path of a file of the bundled sample, ``"sample.conll"`` for instance.

    :raises CorpusError: If the sample has no such file.
    """
    known = sorted(file.name for file in _SAMPLE.glob("sample.*"))
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean '{_SAMPLE_PREFIX}{near[0]}'?" if near else ""
        raise CorpusError(_SAMPLE_PREFIX + name, None, f"the bundled sample has no such file.{hint} Known: {', '.join(known)}")
    return _SAMPLE / name


def find_files(path: str | tuple[str, ...]) -> tuple[Path, ...]:
    """The files that a reader's ``path`` means, in reading order.

    :param path: One path or several: a file, a pattern (``data/*.txt``, its matches sorted) or ``sample:NAME``. Relative paths
        start at the working directory.
    :raises CorpusError: If a path is missing, is a folder, or a pattern matches nothing.
    """
    files: list[Path] = []
    for entry in _as_tuple(path):
        try:
            files += _expand(str(entry))
        except OSError as error:
            raise _unopened(Path(entry), error) from None
    return tuple(files)


def read_files(
    files: Iterable[Path], log: ReadLog, read: Callable[[Path], Iterator[Sentence]], *, expected: str = "a sentence"
) -> Iterator[Sentence]:
    """Chain the sentences of the files, and refuse a corpus that has none.

    :param read: Reads the sentences of one file.
    :param expected: What a file must hold at least, for the message.
    """
    files = tuple(files)
    log.size_bytes = sum(map(_size_bytes, files))
    log.position_bytes = 0
    holds_sentences = False
    for file in files:
        num_sentences = 0
        for num_sentences, sentence in enumerate(read(file), 1):  # noqa: B007
            yield sentence
        if num_sentences:
            holds_sentences = True
        elif len(files) > 1:
            log.warn(kind="empty-file", place=str(file), message="the file holds no sentences")
    if not holds_sentences:
        named = "the file" if len(files) == 1 else f"this and the other {len(files) - 1} files of the corpus"
        raise CorpusError(files[0], None, f"holds no sentences: {named} ended without {expected}")


def read_lines(file: Path, log: ReadLog, *, keep_ends: bool = False) -> Iterator[str]:
    """Read the lines of a plain or gzipped UTF-8 file, and keep ``log.position_bytes`` up to date.

    :param keep_ends: Whether to leave the line ends on.
    :raises CorpusError: If the file cannot be opened, unpacked or decoded.
    """
    start = log.position_bytes
    offset = number = 0
    with _reading(file) as plain:
        packed = plain.peek(2)[:2] == _GZIP_MAGIC  # type: ignore[attr-defined]
        raw = plain.raw  # type: ignore[attr-defined]
        lines: Iterable[bytes] = gzip.GzipFile(fileobj=plain) if packed else plain
        for number, line in enumerate(_unpacked(lines, file), 1):
            if number % 256 == 1:
                log.position_bytes = start + raw.tell()
            if number == 1:
                _warn_of_lone_returns(line, file, log)
                offset = len(_BOM) if line.startswith(_BOM) else 0
                line = line[offset:]
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise _not_utf8(file, number, offset, error) from None
            offset += len(line)
            yield text if keep_ends else text.removesuffix("\n").removesuffix("\r")
        log.position_bytes = start + raw.tell()


def shown(text: str) -> str:
    """A line as an error message shows it: escaped and cut at 80 characters."""
    return repr(text) if len(text) <= 80 else repr(text[:80]) + "..."


def counted(number: int, noun: str) -> str:
    """``1 column``, ``2 columns``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_tuple(path: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path) if isinstance(path, tuple | list) else (str(path),)


def _expand(entry: str) -> Iterator[Path]:
    """The files that one path means."""
    if entry.startswith(_SAMPLE_PREFIX):
        yield sample_path(entry.removeprefix(_SAMPLE_PREFIX))
        return
    path = Path(entry)
    if not path.exists() and glob.has_magic(entry):
        matches = sorted(match for match in glob.glob(entry, recursive=True) if Path(match).is_file())  # noqa: PTH207
        if not matches:
            raise CorpusError(entry, None, f"no file matches the pattern; looked for {path.absolute()}")
        yield from map(Path, matches)
    elif not path.exists():
        raise CorpusError(entry, None, f"there is no such file; looked for {path.absolute()}{_near(path)}")
    elif path.is_dir():
        raise CorpusError(entry, None, f"is a folder, not a file; name its files, for instance {entry.rstrip('/')}/*.txt")
    else:
        yield path


def _near(path: Path) -> str:
    """The part of the message that helps to find a missing file."""
    if not path.parent.is_dir():
        return f" (nor is there a folder {path.parent.absolute()})"
    try:
        near = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], 1, cutoff=0.75)
    except OSError:
        return ""
    return f". Did you mean '{path.parent / near[0]}'?" if near else ""


@contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    try:
        stream = file.open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise _unopened(file, error) from None
    with stream:
        yield stream


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise _unopened(file, error) from None


def _unopened(file: Path, error: OSError) -> CorpusError:
    return CorpusError(file, None, f"cannot be opened: {error.strerror}; tried {file.absolute()}")


def _unpacked(lines: Iterable[bytes], file: Path) -> Iterator[bytes]:
    """The lines, with the errors of gzip and of the disk turned into ours."""
    number = 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007
            yield line
    except EOFError:
        problem = "the gzip file is cut short"
    except (gzip.BadGzipFile, zlib.error) as error:
        problem = f"the gzip file is damaged ({error})"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    else:
        return
    raise CorpusError(file, None, f"{problem}, after {number} whole lines; get or make the file again")


def _warn_of_lone_returns(first: bytes, file: Path, log: ReadLog) -> None:
    """A file without any line feed is one line to us, which its author may not have meant."""
    if not first.endswith(b"\n") and b"\r" in first[:-1]:
        message = "the file has carriage returns but no line feed, so that it is one line; if it should be more: tr '\\r' '\\n'"
        log.warn(kind="lone-carriage-returns", place=f"{file}:1", message=message)


def _not_utf8(file: Path, number: int, offset: int, error: UnicodeDecodeError) -> CorpusError:
    """Say where the first wrong byte is, what the encoding may be, and how to convert the file."""
    start = bytes(error.object[:4])
    byte = error.object[error.start]
    if number == 1 and start.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding, why = "UTF-16", "it starts with the mark of UTF-16"
    elif 0x80 <= byte < 0xA0:
        encoding, why = "WINDOWS-1252", "it may be Windows-1252"
    else:
        encoding, why = "LATIN1", "it may be Latin-1"
    message = f"not UTF-8: byte 0x{byte:02x} at byte offset {offset + error.start} of the file; {why}. "
    message += f"Convert it first: iconv -f {encoding} -t UTF-8 {file.name} > {file.stem}.utf8{file.suffix}"
    return CorpusError(file, number, message)
