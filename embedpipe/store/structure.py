"""Whether an HDF5 file has the structure that FORMAT.md describes, as far as that can be told without reading its rows.

A store may come from anywhere, so only plain datasets of numbers, in this file, are accepted: no links to other files, no
virtual or external storage, no object types, no filters that HDF5 would load from elsewhere, no more numbers than can be in a
file of that size. Nothing in a store is ever unpickled or run. The virtual datasets of a master are not looked into, as HDF5
could open other files for the mere question of their shape: the table of shards says where their rows are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

import h5py
import numpy as np

from embedpipe.dataflow import Unit, ViewInfo
from embedpipe.store import format as names
from embedpipe.store.attributes import read_integer, read_string
from embedpipe.store.entries import Entries
from embedpipe.store.format import Count
from embedpipe.store.table import ShardTable, parse_table


@dataclass(frozen=True, slots=True)
class LabelInfo:
    """A label: what it is given to, and its group."""

    unit: Unit
    group: str


@dataclass(frozen=True, slots=True)
class Structure:
    """What a file of a store holds.

    :param views: In their order.
    :param labels: In their order.
    :param in_shards: Datasets whose rows are in the shards.
    :param table: The shards, where there are any.
    :param has_pairs: Whether any of its sentences may be a pair of texts.
    """

    counts: Mapping[Count, int]
    views: Mapping[str, ViewInfo]
    labels: Mapping[str, LabelInfo]
    in_shards: frozenset[str]
    table: ShardTable | None
    has_pairs: bool = False

    @property
    def own_datasets(self) -> tuple[str, ...]:
        """Paths of the datasets that FORMAT.md names and whose rows are in the file itself."""
        texts = [*names.TEXTS, *(f"{info.group}/{names.VOCABULARY}" for info in self.labels.values())]
        paths = [
            *names.COLUMNS,
            *((names.SECOND_START,) if self.has_pairs else ()),
            *(part for text in texts for part in (names.bytes_of(text), names.offsets_of(text))),
            *(f"{info.group}/{names.LABEL_CODES}" for info in self.labels.values()),
            names.PROVENANCE,
            *((names.SHARDS,) if self.table else ()),
            *(f"{names.VIEWS}/{names.link_name(view)}" for view in self.views),
        ]
        return tuple(path for path in paths if path not in self.in_shards)


def check_structure(entries: Entries, *, may_have_shards: bool = True) -> Structure:
    """Check a file of a store and say what is in it.

    :param entries: Of the file.
    :param may_have_shards: Whether it may be a master.
    :raises ValueError: Names what is missing or wrong.
    """
    counts = {name: _count(entries.file, name) for name in names.COUNTS}
    table = None
    if may_have_shards and names.SHARDS in entries.file:
        _check_bytes(entries, names.SHARDS)
        table = parse_table(entries.dataset(names.SHARDS)[...].tobytes(), counts)
    in_shards = {name for name in names.IN_SHARDS if table and entries.is_virtual(name)}
    for name, layout in names.COLUMNS.items():
        if name not in in_shards:
            _expect(name, entries.dataset(name), layout.dtype, layout.shape(counts))
    if has_pairs := entries.has_link(names.SECOND_START):
        layout = names.OPTIONAL_COLUMNS[names.SECOND_START]
        _expect(names.SECOND_START, entries.dataset(names.SECOND_START), layout.dtype, layout.shape(counts))
    for name, count in names.TEXTS.items():
        _check_text(entries, name, counts[count], has_bytes=names.bytes_of(name) not in in_shards)
    _check_ends(entries, names.WORD_OFFSETS, counts["num_words"])
    _check_ends(entries, names.SUBWORD_OFFSETS, counts["num_subwords"])
    _check_bytes(entries, names.PROVENANCE)
    views = {}
    for link in _links(entries, names.VIEWS):
        path = f"{names.VIEWS}/{link}"
        if table and entries.is_virtual(path):
            in_shards.add(path)
        views[names.name_of_link(link)] = _view(entries, path, counts, in_shards)
    entries.close_virtual()
    labels = {
        names.name_of_link(link): _label(entries, f"{names.LABELS}/{link}", counts) for link in _links(entries, names.LABELS)
    }
    return Structure(counts, views, labels, frozenset(in_shards), table, has_pairs)


def _links(entries: Entries, name: str) -> Iterator[str]:
    group = entries.find(name)
    if not isinstance(group, h5py.Group):
        raise ValueError(f"{name} is not a group")
    links = [(_integer(entries.find(f"{name}/{link}"), names.POSITION), link) for link in group]
    return (link for _, link in sorted(links))


def _expect(name: str, dataset: Any, dtype: str, shape: tuple[int, ...]) -> None:
    if dataset.dtype != np.dtype(dtype) or dataset.shape != shape:
        raise ValueError(f"{name} is {dataset.dtype} of shape {dataset.shape}, expected {np.dtype(dtype)} of shape {shape}")


def _check_bytes(entries: Entries, name: str) -> int:
    dataset = entries.dataset(name)
    if dataset.dtype != np.uint8 or dataset.ndim != 1:
        raise ValueError(f"{name} is {dataset.dtype} of shape {dataset.shape}, expected uint8 with one dimension")
    return int(dataset.shape[0])


def _check_text(entries: Entries, name: str, count: int | None, *, has_bytes: bool = True) -> None:
    offsets = entries.dataset(names.offsets_of(name))
    if count is None:
        count = max(0, offsets.size - 1)
    _expect(names.offsets_of(name), offsets, names.OFFSET, (count + 1,))
    last = _check_bytes(entries, names.bytes_of(name)) if has_bytes else max(0, int(offsets[-1]))  # the shards will tell
    _check_ends(entries, names.offsets_of(name), last)


def _check_ends(entries: Entries, name: str, last: int) -> None:
    offsets = entries.dataset(name)
    if (found := (int(offsets[0]), int(offsets[-1]))) != (0, last):
        raise ValueError(f"{name} goes from {found[0]} to {found[1]}, expected from 0 to {last}")


def _view(entries: Entries, path: str, counts: Mapping[Count, int], in_shards: Set[str]) -> ViewInfo:
    dataset = entries.find(path) if path in in_shards else entries.dataset(path)
    dtype = {np.dtype(stored): name for name, stored in names.VIEW_DTYPES.items()}.get(dataset.dtype)
    if dtype is None:
        raise ValueError(f"{path} is {dataset.dtype}, expected float32 or float16 vectors")
    info = ViewInfo(
        unit=_unit(dataset, ("word", "subword", "sentence")),
        vector_size=_size(dataset, names.VECTOR_SIZE),
        layers=_layers(dataset),
        dtype=dtype,
        combination=_string(dataset, names.COMBINATION),
        pooling=_string(dataset, names.POOLING) if names.POOLING in dataset.attrs else None,
        stacked=bool(_integer(dataset, names.STACKED)),
    )
    if path not in in_shards:
        _expect(path, dataset, names.VIEW_DTYPES[dtype], (counts[names.ROWS[info.unit]], *info.row_shape))
    return info


def _label(entries: Entries, path: str, counts: Mapping[Count, int]) -> LabelInfo:
    unit = _unit(entries.find(path), ("word", "sentence"))
    codes = f"{path}/{names.LABEL_CODES}"
    _expect(codes, entries.dataset(codes), names.CODE, (counts[names.ROWS[unit]],))
    _check_text(entries, f"{path}/{names.VOCABULARY}", None)
    return LabelInfo(unit, path)


def _count(file: h5py.File, name: str) -> int:
    count = _integer(file, name)
    if count < 0:
        raise ValueError(f"the attribute {name} is {count}")
    return count


def _size(entry: Any, name: str) -> int:
    size = _integer(entry, name)
    if not 0 < size < 1 << 31:
        raise ValueError(f"the attribute {name} of {entry.name} is {size}")
    return size


def _unit(entry: Any, allowed: tuple[str, ...]) -> Unit:
    unit = _string(entry, names.UNIT)
    if unit not in allowed:
        raise ValueError(f"the attribute unit of {entry.name} is {unit!r}, expected one of {', '.join(allowed)}")
    return cast(Unit, unit)


def _layers(entry: Any) -> tuple[int, ...]:
    if names.LAYERS not in entry.attrs or entry.attrs.get_id(names.LAYERS).dtype.kind != "i":
        raise ValueError(f"the attribute {names.LAYERS} of {entry.name} is {_missing(entry, names.LAYERS, 'of integers')}")
    return tuple(int(layer) for layer in np.atleast_1d(entry.attrs[names.LAYERS]))


def _string(entry: Any, name: str) -> str:
    if (value := read_string(entry, name)) is None:
        raise ValueError(f"the attribute {name} of {entry.name} is {_missing(entry, name, 'a string of fixed length')}")
    return value


def _integer(entry: Any, name: str) -> int:
    if (value := read_integer(entry, name)) is None:
        raise ValueError(f"the attribute {name} of {entry.name} is {_missing(entry, name, 'an integer')}")
    return value


def _missing(entry: Any, name: str, expected: str) -> str:
    return f"not {expected}" if name in entry.attrs else "missing"
