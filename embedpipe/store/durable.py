"""A file that is at its final path only when it is whole.

The bytes go to a hidden file next to it, ``.features.h5.partial``, under a lock; when they are all there and on the disk the
file is renamed. A run that is killed leaves at most that hidden file, and the next run for the same path takes it over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path
from types import TracebackType

from embedpipe.errors import StoreError
from embedpipe.store.recognize import describe, is_store

try:
    import fcntl
except ImportError:  # Windows: two runs for one path are then not told apart
    fcntl = None  # type: ignore[assignment]


def partial_path(path: Path) -> Path:
    """Where the file for ``path`` is written before it is whole."""
    return path.with_name(f".{path.name}.partial")


class PartialFile:
    """A path to write to, renamed to ``path`` by :meth:`publish` and removed on any other way out of the ``with``.

    :param path: The final path. Missing folders are made; a symbolic link is followed.
    :param overwrite: Replace the store that is there. Anything else that is there is never replaced.
    :raises StoreError: On entering, if the file cannot or must not be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self._target = Path(os.path.realpath(path))
        self.partial = partial_path(self._target)
        self._overwrite = overwrite
        self._lock: int | None = None

    def __enter__(self) -> PartialFile:
        self._refuse_to_replace()
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _open_locked(self.partial)
            os.ftruncate(self._lock, 0)  # what a killed run left
        except BlockingIOError:
            raise StoreError(
                f"cannot write the store {self.path}: another process is writing it (it holds {self.partial}). "
                "Wait for it to end, or choose another path."
            ) from None
        except OSError as error:
            raise write_error(self.path, error) from None
        return self

    @property
    def descriptor(self) -> int:
        """The open file, empty at first."""
        assert self._lock is not None
        return self._lock

    def publish(self) -> None:
        """Bring the bytes to the disk and the file to its final path. The file must be closed by then."""
        try:
            os.fsync(self.descriptor)
            self._refuse_to_replace()  # it may have come meanwhile
            self.partial.replace(self._target)
            _fsync_folder(self._target.parent)
        except OSError as error:
            raise write_error(self.path, error) from None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is None:
            return
        if _is_same_file(self._lock, self.partial):
            self.partial.unlink()
        os.close(self._lock)
        self._lock = None

    def _refuse_to_replace(self) -> None:
        try:
            mode = self._target.stat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise write_error(self.path, error) from None
        if stat.S_ISDIR(mode):
            raise StoreError(
                f"cannot write the store {self.path}: it is a folder. Give the path of a file, such as features.h5."
            )
        if not is_store(self._target):
            raise StoreError(
                f"cannot write the store {self.path}: {describe(self._target)} is already there, and only an embedpipe store "
                "is ever replaced. Choose another path, or move that file away."
            )
        if not self._overwrite:
            raise StoreError(
                f"cannot write the store {self.path}: a store is already there. Choose another path with --output, or "
                "replace it with --restart (in Python: overwrite=True)."
            )


def write_error(path: Path, error: Exception) -> StoreError:
    """Say what an error of the system means for the store at ``path``."""
    doing = f"cannot write the store {path}"
    code = error.errno if isinstance(error, OSError) else None
    folder = Path(os.path.realpath(path)).parent
    if code in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            return StoreError(
                f"{doing}: the disk is full ({shutil.disk_usage(folder).free:,} bytes are free in {folder}). Nothing is left "
                "there. Free some space, choose another disk with --output, or store float16."
            )
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(f"{doing}: the folder {folder} is not writable for you. Choose another path with --output.")
    if code in (errno.ENOTDIR, errno.EEXIST):
        return StoreError(f"{doing}: a part of the folder {folder} is a file. Choose another path with --output.")
    return StoreError(f"{doing}: {os.strerror(code) if code else error}.")


def _open_locked(path: Path) -> int:
    """Open ``path`` and lock it, taking over what a killed run left there.

    :raises BlockingIOError: If a running process has it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            pass  # a file system without locks
        if _is_same_file(descriptor, path):  # else its last owner renamed or removed it in between
            return descriptor
        os.close(descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _fsync_folder(folder: Path) -> None:
    """Bring a rename to the disk; some file systems cannot, and then it comes with their next flush."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
