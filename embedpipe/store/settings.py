"""What a config says about the store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{unit}": base**power for power, prefix in enumerate("kmgt", 1) for unit, base in (("b", 1000), ("ib", 1024))
}
_SIZE = re.compile(rf"([0-9]{{1,18}}(?:\.[0-9]+)?)\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the vectors go, and how they are kept.

    :param path: The file to write, for example ``"features.h5"``, or a URL of object storage. It may be left out where the
        command line gives it (``--output``).
    :param dtype: Type of the stored numbers. ``"float16"`` halves the file; a vector that does not fit into it is an error.
    :param shard_size: About how much goes into one file, for example ``"256 MiB"``, ``"64 MB"``, ``"1GiB"``, or a number of
        bytes. A run that is killed loses at most the shards that it was making.
    :param single_file: Make one file of a store that has only one shard; else the shard stays in a folder beside the file.
    """

    path: str | None = None
    dtype: Literal["float32", "float16"] = "float32"
    shard_size: str | int = "256 MiB"
    single_file: bool = True

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.strip():
            raise ValueError("path: must name a file; leave it out to give it on the command line")
        _ = self.shard_size_bytes

    @property
    def shard_size_bytes(self) -> int:
        """``shard_size`` as a number.

        :raises ValueError: If it is not a size.
        """
        found = _SIZE.fullmatch(str(self.shard_size).strip())
        size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
        if size < 1:
            raise ValueError(
                f"shard_size: {self.shard_size!r} is not a size; give a number of bytes above 0, or one with a unit, such as "
                "'256 MiB'"
            )
        return size
