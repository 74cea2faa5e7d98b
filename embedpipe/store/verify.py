"""Whether a store is what it says: everything in it is read and held against the rules of FORMAT.md.

::

    verify ── the file opens, its checksums ── one file ──────────────────────── rows, ids, views
                                           └── shards: manifest, table, sha256 ── rows, ids, views of each ── the master agrees

What is wrong becomes a :class:`~embedpipe.store.finding.Finding`, never an exception.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from embedpipe.errors import DamagedStoreError, FormatVersionError, NotAStoreError, StoreError
from embedpipe.store import format as names
from embedpipe.store.columns import damaged
from embedpipe.store.contents import view_path
from embedpipe.store.finding import Fault, Finding, FindingList, FoundIn
from embedpipe.store.lock import find_writer
from embedpipe.store.manifest import ShardRecord, read_manifest, shards_folder
from embedpipe.store.recognize import open_hdf5
from embedpipe.store.sealed import SealedFile
from embedpipe.store.store_file import StoreFile
from embedpipe.store.unfinished import fault_of
from embedpipe.store.verify_checksums import check_checksums
from embedpipe.store.verify_folder import check_lines, check_manifest, check_strays
from embedpipe.store.verify_growth import describe_growth, unfinished_growth
from embedpipe.store.verify_ids import check_ids
from embedpipe.store.verify_master import check_agreement, check_place, check_sources
from embedpipe.store.verify_rows import check_rows
from embedpipe.store.verify_views import check_view

if TYPE_CHECKING:
    import h5py

    from embedpipe.store.manifest import Manifest
    from embedpipe.store.table import ShardTable

PROVENANCE_KEYS = ("config", "fingerprint", "inputs", "encoder", "tokenizer", "window", "versions", "run")

_RESTART = "extract again with --restart"
_AGAIN = "run the same extract command again"
_APPEND = "run the same extract command with --append again"
_UNOPENED: dict[type[StoreError], str] = {
    NotAStoreError: "give the path of a store; what is there is no store any more, or never was",
    FormatVersionError: "upgrade embedpipe: pip install --upgrade embedpipe",
    DamagedStoreError: f"remove it and {_AGAIN}",
}
_WAIT = "wait for it to end"
_STRAY = "remove it, or move it away if it is yours"

OnBytes: TypeAlias = Callable[[int, int], None]


def verify(path: str | os.PathLike[str], *, on_progress: OnBytes = lambda done, size: None) -> Iterator[Finding]:
    """Check a store, finished or not; nothing is loaded whole.

    :param on_progress: Called with the bytes that are checked, and those that there are.
    :returns: What is wrong, as it is found; of each kind the first 20, then how many more. Nothing where all is well.
    """
    return _Verification(Path(path), on_progress).findings()


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Bytes of a store's file and its shards."""
    folder, size = shards_folder(Path(os.path.realpath(path))), 0
    with contextlib.suppress(OSError):
        size += Path(path).stat().st_size
    with contextlib.suppress(OSError):
        size += sum(entry.lstat().st_size for entry in folder.iterdir() if names.SHARD_NAME.fullmatch(entry.name))
    return size


class _Verification:
    """One run of :func:`verify`."""

    def __init__(self, path: Path, on_progress: OnBytes) -> None:
        self._path = path
        self._folder = shards_folder(Path(os.path.realpath(path)))
        self._listed = FindingList(path.name)
        self._on_progress = on_progress
        self._size, self._done = size_on_disk(path), 0

    def findings(self) -> Iterator[Finding]:
        yield from self._finished() if os.path.lexists(self._path) else self._unfinished()
        yield from self._listed.rest()

    def _finished(self) -> Iterator[Finding]:
        try:
            file = StoreFile(self._path)
        except StoreError as error:
            yield from self._unopened(error)
            return
        with contextlib.closing(file), contextlib.closing(open_hdf5(self._path)) as plain:
            yield from self._listed.words(FoundIn(self._path.name, _RESTART), _guarded(file, _check_provenance(file)))
            if file.structure.table is not None:
                yield from self._sharded(file, plain)
                return
            place = FoundIn(self._path.name, _RESTART, _ids(file))
            yield from self._listed.words(place, _guarded(file, check_checksums(file, plain)))
            yield from self._contents(file, place)
            if find_writer(self._folder) is None and (growth := unfinished_growth(file, self._folder)):
                yield from self._growing(growth, file)
            elif find_writer(self._folder) is None and os.path.lexists(self._folder):
                what = "it belongs to nothing, as the store has all in its one file; an interrupted run has left it"
                yield Finding(self._folder.name, what, "remove it")

    def _unopened(self, error: StoreError) -> Iterator[Finding]:
        """The file is of no use; the shards that it was made of may be sound."""
        records: tuple[ShardRecord, ...] = ()
        with contextlib.suppress(StoreError, OSError):
            manifest = read_manifest(self._folder)
            records = manifest.shards if manifest else ()
        hint = next((hint for kind, hint in _UNOPENED.items() if isinstance(error, kind)), "make it readable")
        yield Finding(self._path.name, str(error), self._made_anew("the shards are kept, and it") if records else hint)
        for record in records:
            yield from self._shard(record, self._made_anew("the shard"))

    def _unfinished(self) -> Iterator[Finding]:
        writer = find_writer(self._folder)
        try:
            manifest = read_manifest(self._folder)
            if manifest is None:
                StoreFile(self._path)
        except (StoreError, OSError) as error:
            hint = _RESTART if os.path.lexists(self._folder) else "give the path of a store"
            yield Finding(self._path.name, str(error), _WAIT if writer else hint)
            return
        if manifest is None:  # the store has come in this moment
            yield from self._finished()
            return
        shards = "1 shard" if len(manifest.shards) == 1 else f"{len(manifest.shards):,} shards"
        what = f"the run is unfinished: {manifest.num_sentences:,} sentences in {shards} are committed"
        if writer is None:
            yield Finding(self._path.name, what, f"{_AGAIN}: it goes on from there")
            yield from self._listed.words(FoundIn(names.MANIFEST, f"{_AGAIN}: it mends that"), check_lines(self._folder))
        else:  # its last line may be torn now and whole a moment later
            yield Finding(self._path.name, f"{what}, and {writer} is writing it", _WAIT)
        strays = check_strays(self._folder, manifest.shards, unfinished=True)
        yield from self._listed.words(FoundIn(self._folder.name, _STRAY), strays)
        for record in manifest.shards:
            yield from self._shard(record, f"{_AGAIN}: the shard is made anew")

    def _sharded(self, master: StoreFile, plain: h5py.File) -> Iterator[Finding]:
        table, anew = master.structure.table, self._made_anew("the shards are kept, and it")
        assert table is not None
        if find_writer(self._folder) is None:  # else the folder changes all the time
            growth = unfinished_growth(master, self._folder)
            yield from self._growing(growth, master) if growth else self._beside(table)
        place = FoundIn(self._path.name, anew, _ids(master))
        for faults in (
            check_checksums(master, plain),
            check_ids(master),
            check_sources(plain, master, self._folder.name),
        ):
            yield from self._listed.words(place, _guarded(master, faults))
        for record in table.records:
            yield from self._shard(record, self._made_anew("the shard"), master)

    def _beside(self, table: ShardTable) -> Iterator[Finding]:
        """The manifest and what else is in the shards folder."""
        place = FoundIn(names.MANIFEST, "bring the right one there; the store can be read without it")
        yield from self._listed.words(place, check_manifest(self._folder, table))
        strays = check_strays(self._folder, table.records, unfinished=False)
        yield from self._listed.words(FoundIn(self._folder.name, _STRAY), strays)

    def _growing(self, growth: Manifest, store: StoreFile) -> Iterator[Finding]:
        """What a growth that did not come to its end has left beside a finished store."""
        what = describe_growth(growth, store.structure.counts["num_sentences"])
        yield Finding(self._path.name, what, f"{_APPEND}: it goes on from there")
        yield from self._listed.words(FoundIn(names.MANIFEST, f"{_APPEND}: it mends that"), check_lines(self._folder))
        strays = check_strays(self._folder, (*growth.shards, *store.shards), unfinished=True)
        yield from self._listed.words(FoundIn(self._folder.name, _STRAY), strays)
        known = {record.name for record in store.shards}
        for record in growth.shards:
            if record.name not in known:
                yield from self._shard(record, f"{_APPEND}: the shard is made anew")

    def _shard(self, record: ShardRecord, hint: str, master: StoreFile | None = None) -> Iterator[Finding]:
        """One shard: its file, its contents, and whether the master, where there is one, says the same."""
        path, end = self._folder / record.name, self._done + record.size_bytes
        place = FoundIn(f"shard {record.name}", hint, is_shard=True)
        is_linked = self._folder.is_symlink()
        fault = "its folder is a link, and is not followed" if is_linked else fault_of(self._folder, record)
        if fault is not None:
            yield from self._listed.words(place, [Fault.of_file("shard", fault)])
        if _is_plain_file(path) and not is_linked:
            yield from self._inside(path, record, place, master, known=fault is not None)
        self._done = end
        self._on_progress(self._done, self._size)

    def _inside(
        self, path: Path, record: ShardRecord, place: FoundIn, master: StoreFile | None, *, known: bool
    ) -> Iterator[Finding]:
        """Look into a shard; one that is ``known`` to be wrong already is not held against the master."""
        try:
            shard = SealedFile(path)
        except StoreError as error:
            if not known:
                yield from self._listed.words(place, [Fault.of_file("shard", str(error))])
            return
        with contextlib.closing(shard):
            inner = replace(place, id_of=_ids(shard), hint=place.hint if known else _RESTART)
            yield from self._contents(shard, inner)
            if master is None or known:
                return
            faults = list(_guarded(shard, check_place(master, shard, record)))
            yield from self._listed.words(place, faults)
            if not faults:
                inner = replace(inner, hint=self._made_anew("the shards are kept, and it"))
                yield from self._listed.words(inner, _guarded(shard, check_agreement(master, shard, record)))

    def _contents(self, file: SealedFile, place: FoundIn) -> Iterator[Finding]:
        """The rows of a file that has all of them itself."""
        yield from self._listed.words(place, _guarded(file, check_rows(file)))
        yield from self._listed.words(place, _guarded(file, check_ids(file)))
        for name in file.structure.views:
            yield from self._listed.words(place, _guarded(file, check_view(file, name)))
            column = file.column(view_path(name))
            self._done += math.prod(column.shape) * column.dtype.itemsize
            self._on_progress(self._done, self._size)

    def _made_anew(self, what: str) -> str:
        return f"remove {self._path.name} and {_AGAIN}: {what} is made anew"


def _is_plain_file(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _guarded(file: SealedFile, faults: Iterable[Fault]) -> Iterator[Fault]:
    """What cannot be read at all is a fault as well."""
    try:
        with damaged(file.path, "a part of it"):
            yield from faults
    except (StoreError, IndexError) as error:
        yield Fault.of_file("reading", str(error))


def _ids(file: SealedFile) -> Callable[[int], str | None]:
    def id_of(sentence: int) -> str | None:
        try:
            return file.text(names.SENTENCE_ID).read(sentence, sentence + 1)[0]
        except StoreError:
            return None

    return id_of


def _check_provenance(file: SealedFile) -> Iterator[Fault]:
    column = file.column(names.PROVENANCE)
    try:
        provenance = json.loads(column.read(0, len(column)).tobytes())
    except (ValueError, RecursionError) as error:
        yield Fault.of_file("provenance", f"it is not JSON ({error})")
        return
    if not isinstance(provenance, dict):
        yield Fault.of_file("provenance", "it is not a JSON object")
    elif missing := [key for key in PROVENANCE_KEYS if key not in provenance]:
        yield Fault.of_file("provenance", f"it does not say: {', '.join(missing)}")
    elif file.structure.table and file.structure.table.identity.get("fingerprint") not in (None, provenance["fingerprint"]):
        yield Fault.of_file("provenance", "its fingerprint is not that of the shards")
