"""The manifest: which shards a store has, one JSON line each, appended as they are committed.

A shard that is not in the manifest does not exist. The first line says what made the shards, so that a run which goes on can
tell whether it would make the same ones. While a finished store grows, its manifest has the new shards as well, which the
master does not know yet.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedpipe.dataflow import ViewInfo
from embedpipe.errors import DamagedStoreError, FormatVersionError
from embedpipe.store.committed import CommittedShards
from embedpipe.store.durable import append_line, partial_of, rename, write_file
from embedpipe.store.format import FORMAT_VERSION, MANIFEST, MANIFEST_NAME, SHARD_NAME, SHARDS_FOLDER
from embedpipe.store.origin import Origin


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A committed shard: the sentences ``[start, stop)`` of the corpus.

    :param name: Of its file in the shards folder.
    :param num_documents: Runs of sentences of one document; one that goes on in the next shard counts in both.
    :param sha256: Of the file, in hexadecimal.
    """

    name: str
    start: int
    stop: int
    num_words: int
    num_subwords: int
    num_documents: int
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        numbers = (self.start, self.num_words, self.num_subwords, self.num_documents, self.size_bytes)
        if not (isinstance(self.name, str) and isinstance(self.sha256, str) and SHARD_NAME.fullmatch(self.name)):
            raise ValueError(f"{self.name!r} is not the name of a shard")
        if (
            not all(type(number) is int and 0 <= number < 1 << 63 for number in (*numbers, self.stop))
            or self.stop <= self.start
        ):
            raise ValueError(f"the counts of {self.name} are wrong")

    @property
    def num_sentences(self) -> int:
        """How many sentences it holds."""
        return self.stop - self.start

    @property
    def number(self) -> int:
        """The number that its name is made of."""
        return int(self.name.partition(".")[0])

    @property
    def as_json(self) -> dict[str, Any]:
        """As it stands in the manifest and in a master's table."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: Any) -> ShardRecord:
        """Read what :attr:`as_json` gave.

        :raises ValueError: If it is something else.
        """
        if not isinstance(value, dict) or not all(name in value for name in cls.__slots__):
            raise ValueError("it is no record of a shard")
        return cls(**{name: value[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was committed, and what made it.

    :param origin: Everything that determines the bytes of the shards.
    :param views: The views, as JSON gives them.
    :param shards: In the order of their sentences.
    """

    origin: Origin
    views: Mapping[str, Any]
    shards: tuple[ShardRecord, ...] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        """What further shards are made of."""
        return self.origin.identity

    @property
    def num_sentences(self) -> int:
        """Sentences of all shards."""
        return sum(shard.num_sentences for shard in self.shards)


def shards_folder(path: Path) -> Path:
    """The folder of the shards of the store at ``path``, which is no symbolic link."""
    return path.with_name(path.name + SHARDS_FOLDER)


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"{number:06}.h5"


def views_as_json(views: Mapping[str, ViewInfo]) -> dict[str, Any]:
    """The views as they stand in the manifest."""
    return {name: {**dataclasses.asdict(info), "layers": list(info.layers)} for name, info in views.items()}


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a shards folder; ``None`` where there is none.

    A line that is torn or broken is left out: its shard does not exist.

    :raises DamagedStoreError: If its first line cannot be read.
    :raises FormatVersionError: If a newer embedpipe wrote it.
    """
    path = folder / MANIFEST
    try:
        first, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    header = _parsed(first)
    if header is None or header.get("format") != MANIFEST_NAME or type(header.get("format_version")) is not int:
        raise DamagedStoreError(f"{path} is damaged: its first line is not that of a manifest. Start over with --restart.")
    if header["format_version"] > FORMAT_VERSION:
        raise FormatVersionError(
            f"{path} is of format version {header['format_version']}, and this embedpipe reads up to {FORMAT_VERSION}."
        )
    views = header.get("views")
    try:
        origin = Origin.from_json(header)
    except ValueError as error:
        raise DamagedStoreError(f"{path} is damaged: its first line has {error}. Start over with --restart.") from None
    if not isinstance(views, dict):
        raise DamagedStoreError(f"{path} is damaged: its first line has no views. Start over with --restart.")
    return Manifest(origin, views, _apart([_record(line) for line in lines[:-1]]))  # the last one ends no line: torn


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Bring the manifest to what it should be, in the order of the sentences; nothing is done where it is that already."""
    header = {
        "format": MANIFEST_NAME,
        "format_version": FORMAT_VERSION,
        **manifest.origin.as_json,
        "views": manifest.views,
    }
    content = "".join(f"{line}\n" for line in (json.dumps(header), *map(record_line, manifest.shards))).encode()
    path = folder / MANIFEST
    if not path.exists() or path.read_bytes() != content:
        write_file(partial_of(path), [content], "manifest")
        rename(partial_of(path), path, "manifest")


def append_record(folder: Path, record: ShardRecord) -> None:
    """Commit a shard whose file is on the disk."""
    append_line(folder / MANIFEST, record_line(record))


def record_line(record: ShardRecord) -> str:
    """A shard's line of the manifest."""
    return json.dumps(record.as_json)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record(line: str) -> ShardRecord | None:
    try:
        return ShardRecord.from_json(_parsed(line))
    except ValueError:
        return None


def _apart(records: Sequence[ShardRecord | None]) -> tuple[ShardRecord, ...]:
    """In the order of their sentences; of two that overlap or share a name, the later line is left out."""
    kept = CommittedShards()
    for record in records:
        if record is not None and kept.has_room(record.start, record.stop) and not kept.has_name(record.name):
            kept.add(record)
    return tuple(kept)
