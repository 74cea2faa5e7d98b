"""Where tables are kept, so that a file of vectors is read once."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import Any, BinaryIO

from embedpipe.encoders.static.recognize import Format
from embedpipe.encoders.static.table import Table
from embedpipe.encoders.static.table_file import DamagedTableError, read_contents
from embedpipe.encoders.static.table_writer import stamp, write_table
from embedpipe.errors import EncoderError

try:
    import fcntl
except ImportError:  # Windows: what a killed conversion leaves then stays
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".embedpipe"
_PARTIAL = ".partial"
_ANYONE_WRITES = 0o222
_NOT_LOCKED_YET_SECONDS = 60.0
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def load_table(path: Path, format: Format | None) -> Table:
    """The table of a file of vectors; made if there is none, or it is damaged or of another file.

    Several processes may make it at once: each has a file of its own, and the last one to end replaces the others'.

    :param format: Which the file is said to have.
    :raises EncoderError: If the file cannot be read as vectors, or the table cannot be kept anywhere.
    """
    for place in places(path):
        if (table := _kept(place, path, format)) is not None:
            return table
    failures = []
    for place in places(path):
        try:
            return _make(place, path, format)
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise EncoderError(f"{path}: cannot be made a table in {place.parent}: {error.strerror}") from error
            failures.append(f"{place.parent} ({error.strerror})")
    raise EncoderError(
        f"{path}: its table, about as large as the file uncompressed, can be written neither to {' nor to '.join(failures)}; "
        "make room, or name a folder with XDG_CACHE_HOME"
    )


def kept_contents(path: Path, format: Format | None) -> dict[str, Any] | None:
    """What the table of a file of vectors has in it, as :mod:`~embedpipe.encoders.static.table_file` lists it; the rest of the
    table stays unread.

    :returns: ``None`` if there is no table, or none that was made of the file as it is.
    """
    for place in places(path):
        with contextlib.suppress(OSError, DamagedTableError, KeyError, ValueError), place.open("rb") as file:
            contents = read_contents(file)
            if format in (None, contents["format"]) and contents["source"]["stamp"] == stamp(path):
                return contents
    return None


def places(path: Path) -> tuple[Path, Path]:
    """Where the table of a file may be: beside it, or in the user's cache."""
    whole = path.resolve()
    named = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    key = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return whole.with_name(whole.name + SUFFIX), cache / "embedpipe" / f"{key}-{whole.name}{SUFFIX}"


def _kept(place: Path, path: Path, format: Format | None) -> Table | None:
    try:
        with place.open("rb") as file:
            table = Table(file, place)
    except (OSError, DamagedTableError, KeyError, ValueError):
        return None
    is_format = format in (None, table.contents["format"])
    return table if is_format and _is_of(table, path) else None


def _is_of(table: Table, path: Path) -> bool:
    """Whether a table was made of this very file; one that was copied with it has other times, and the file is hashed."""
    source = table.contents["source"]
    now = stamp(path)
    if source["stamp"] == now:
        return True
    if source["stamp"][0] != now[0]:
        return False
    with path.open("rb") as file:
        return bool(hashlib.file_digest(file, "sha256").hexdigest() == source["sha256"])


def _make(place: Path, path: Path, format: Format | None) -> Table:
    if place.parent != path.resolve().parent:
        place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.stat().st_mode & _ANYONE_WRITES:  # meant so, even where the superuser could
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place.parent))
    for left in place.parent.glob(f"*{_PARTIAL}"):
        if left.name.startswith(f"{place.name}."):
            _remove_if_dead(left)
    partial = place.with_name(f"{place.name}.{os.getpid()}-{secrets.token_hex(4)}{_PARTIAL}")
    with partial.open("x+b") as file:
        try:
            _lock(file)
            write_table(path, format, file)
            file.flush()
            os.fsync(file.fileno())
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)
        return Table(file, place)


def _lock(file: BinaryIO) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_if_dead(partial: Path) -> None:
    """Remove what a killed process has left; one that lives holds a lock on its file."""
    with contextlib.suppress(OSError), partial.open("rb") as file:
        _lock(file)
        if fcntl is not None and time.time() - partial.stat().st_mtime > _NOT_LOCKED_YET_SECONDS:
            partial.unlink()
