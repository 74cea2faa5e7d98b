"""Every error that embedpipe raises on purpose.

::

    EmbedpipeError
    ├── ConfigError            a config, an override or a plug-in is wrong; holds every mistake found (exit status 2)
    ├── CorpusError            a corpus file cannot be read as what it is said to be; names file and line
    ├── AlignmentError         words and subwords cannot be brought together
    ├── EncoderError           a model cannot be found, loaded or run
    ├── NonFiniteError         a vector is infinite, not a number, or too large for the store's dtype
    ├── StoreError             a store cannot be written or read
    │   ├── NotAStoreError     the file is something else
    │   ├── FormatVersionError the file was written by a newer embedpipe
    │   └── DamagedStoreError  the file was a store and is broken
    ├── FeaturesError          rows, views or labels that a store or a model does not have (also a ValueError)
    └── ModelError             a trained model cannot be written, read or used

Each message says what was being done, to what, what was found, what was expected, and what to do next. The command line
prints the message alone, never a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class EmbedpipeError(Exception):
    """The root of the tree."""


class ConfigError(EmbedpipeError):
    """A config is wrong.

    :param source: The file, or what else the config came from.
    :param mistakes: One line each, starting with the path in the config: ``views.last.layers: ...``.
    """

    def __init__(self, source: str, mistakes: Sequence[str]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__("\n".join([f"{source} has {count}:", *(f"  {mistake}" for mistake in self.mistakes)]))


class CorpusError(EmbedpipeError):
    """A corpus file cannot be read.

    :param path: The file.
    :param line: 1-based, ``None`` where the whole file is meant.
    """

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        self.path = Path(path)
        self.line = line
        place = f"{path}" if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {message}")


class AlignmentError(EmbedpipeError):
    """Words and subwords cannot be brought together."""


class EncoderError(EmbedpipeError):
    """A model cannot be found, loaded or run."""


class NonFiniteError(EmbedpipeError):
    """A vector is infinite, not a number, or too large for the store's dtype."""


class StoreError(EmbedpipeError):
    """A store cannot be written or read."""


class NotAStoreError(StoreError):
    """The file is something else than a store."""


class FormatVersionError(StoreError):
    """The store was written by a newer embedpipe."""


class DamagedStoreError(StoreError):
    """The file was a store and is broken."""


class FeaturesError(EmbedpipeError, ValueError):
    """Rows, views or labels that a store or a model does not have."""


class ModelError(EmbedpipeError):
    """A trained model cannot be written, read or used."""
