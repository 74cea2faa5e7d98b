"""Finding corpus files: paths, patterns, the bundled sample; and how messages speak of what is in them."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from pathlib import Path

from embedpipe.errors import CorpusError

_SAMPLE = Path(__file__).parents[1] / "sample"
_SAMPLE_PREFIX = "sample:"


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
            raise unopened(Path(entry), error) from None
    return tuple(files)


def unopened(file: Path, error: OSError) -> CorpusError:
    """The error for a file that the system does not let us have."""
    return CorpusError(file, None, f"cannot be opened: {error.strerror}; tried {file.absolute()}")


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
