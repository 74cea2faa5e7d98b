"""A file of a corpus, told by its sha256; and what it begins with, so that a file that has grown is known again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedpipe.errors import CorpusError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """What is in a file.

    :param path: As the corpus gives it.
    :param size_bytes: Bytes that were hashed.
    :param sha256: Of all of them, in hexadecimal.
    :param beginning: sha256 of as many bytes as the file had once; ``None`` where that was not asked, or it has fewer now.
    """

    path: str
    size_bytes: int
    sha256: str
    beginning: str | None = None

    @classmethod
    def read(cls, path: Path, size_before: int | None = None) -> CorpusFile:
        """Read a file once.

        :param size_before: Bytes that it had once.
        :raises CorpusError: If it cannot be read.
        """
        digest, beginning, size_bytes = hashlib.sha256(), None, 0
        try:
            with path.open("rb", buffering=0) as file:
                if size_before is not None:
                    size_bytes = _hash(file, digest, size_before)
                    beginning = digest.hexdigest() if size_bytes == size_before else None
                size_bytes += _hash(file, digest)
        except OSError as error:
            raise CorpusError(path, None, f"cannot be read ({error.strerror or error})") from error
        return cls(str(path), size_bytes, digest.hexdigest(), beginning)


def _hash(file: FileIO, digest: hashlib._Hash, most: int | None = None) -> int:
    """Hash the next bytes of a file.

    :param most: How many; ``None`` for all that are left.
    :returns: How many there were.
    """
    buffer, num_bytes = memoryview(bytearray(_READ_BYTES)), 0
    while num_read := file.readinto(buffer if most is None else buffer[: min(_READ_BYTES, most - num_bytes)]):
        digest.update(buffer[:num_read])
        num_bytes += num_read
    return num_bytes
