"""What a config says about the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the vectors go, and how they are kept.

    :param path: The file to write, for example ``"features.h5"``. It may be left out where the command line gives it
        (``--output``).
    :param dtype: Type of the stored numbers. ``"float16"`` halves the file; a vector that does not fit into it is an error.
    """

    path: str | None = None
    dtype: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.strip():
            raise ValueError("path: must name a file; leave it out to give it on the command line")
