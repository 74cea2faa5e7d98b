"""The files of one store at a URL."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from embedpipe.errors import StoreError
from embedpipe.store.format import PARTIAL, SHARDS_FOLDER

_URL = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.DOTALL)

_CHANGING = ("writing", "bringing up", "removing")


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a store's path is a URL."""
    return isinstance(path, str) and _URL.fullmatch(path) is not None


class RemoteFiles:
    """The store's own file, called ``None`` here, and by their names those in the folder of its shards.

    Every method raises a :class:`~embedpipe.errors.StoreError` where the storage does not answer as it should.

    :param url: Of the store.
    :raises StoreError: If no package is installed for this kind of URL.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        try:
            self._fs, self._path = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"cannot use {url}: {error}. The storage's package for fsspec must be installed: pip install s3fs for s3://, "
                "gcsfs for gs://, adlfs for az://"
            ) from error

    @property
    def name(self) -> str:
        """Of the store's own file."""
        return str(self._path).rpartition("/")[2]

    def version(self) -> str | None:
        """What changes whenever the store is replaced; ``None`` where there is none."""
        try:
            with self._asked("looking for"):
                self._fs.invalidate_cache()
                key = str(self._fs.ukey(self._path))
        except FileNotFoundError:
            return None
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file in the folder of shards."""
        try:
            with self._asked("listing"):
                self._fs.invalidate_cache()
                entries = self._fs.ls(self._path + SHARDS_FOLDER, detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rpartition("/")[2]: int(entry["size"] or 0) for entry in entries if entry["type"] == "file"}

    def read(self, name: str) -> bytes | None:
        """What is in a file; ``None`` where there is none."""
        try:
            with self._asked("reading"):
                return bytes(self._fs.cat_file(self._of(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        with self._asked("writing"):
            self._in_folder(lambda: self._fs.pipe_file(self._of(name), content))

    def write_new(self, name: str, content: bytes) -> bool:
        """Write a file that is not there yet.

        :returns: Whether it was not.
        """
        try:
            with self._asked("writing"):
                self._in_folder(lambda: self._fs.pipe_file(self._of(name), content, mode="create"))
        except FileExistsError:
            return False
        return True

    def download(self, name: str | None, to: Path) -> str:
        """Fetch a file; it is at its place when it is whole.

        :returns: Its sha256, in hexadecimal.
        :raises StoreError: If it is not there.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.with_name(f"{to.name}-{secrets.token_hex(4)}{PARTIAL}")
        try:
            with self._asked("fetching"):
                self._fs.get_file(self._of(name), str(partial))
            with partial.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            partial.rename(to)
        except FileNotFoundError:
            raise StoreError(f"fetching {self.url if name is None else self._of(name)}: there is no such file") from None
        finally:
            partial.unlink(missing_ok=True)
        return sha256

    def upload(self, source: Path, name: str | None) -> None:
        """Bring a file up, whole or not at all."""
        with self._asked("bringing up"):
            self._in_folder(lambda: self._fs.put_file(str(source), self._of(name)))

    def remove(self, name: str | None) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError), self._asked("removing"):
            self._fs.rm_file(self._of(name))

    def _of(self, name: str | None) -> str:
        return str(self._path) if name is None else f"{self._path}{SHARDS_FOLDER}/{name}"

    def _in_folder(self, write: Callable[[], object]) -> None:
        """Write; and where storage has folders, and not this one, make it first."""
        try:
            write()
        except FileNotFoundError:
            self._fs.makedirs(self._path + SHARDS_FOLDER, exist_ok=True)
            write()

    @contextlib.contextmanager
    def _asked(self, doing: str) -> Iterator[None]:
        """What is raised, of whatever package, becomes one of ours; but for what a caller can make sense of."""
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            what = str(error) or type(error).__name__
            kept = ". What was committed is kept" if doing in _CHANGING else ""
            raise StoreError(f"{doing} {self.url}: the storage does not do it ({what}){kept}") from error


def cache_folder(url: str) -> Path:
    """Where the files of a URL are on this machine; ``$XDG_CACHE_HOME`` says on which disk."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "embedpipe" / "remote" / hashlib.sha256(url.encode()).hexdigest()[:16]


def parsed(content: bytes | None) -> Any:
    """JSON; ``None`` where it is none."""
    with contextlib.suppress(ValueError):
        return json.loads(content) if content else None
    return None
