"""Whether an HDF5 file has the structure that FORMAT.md describes, as far as that can be told without reading its rows.

A store may come from anywhere, so only plain datasets of numbers, in this file, are accepted: no links to other files, no
virtual or external storage, no object types. Nothing in a store is ever unpickled or run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import h5py
import numpy as np

from embedpipe.dataflow import Unit, ViewInfo
from embedpipe.store import format as names
from embedpipe.store.attributes import read_integer, read_string
from embedpipe.store.format import Count


@dataclass(frozen=True, slots=True)
class LabelInfo:
    """A label: what it is given to, and its group."""

    unit: Unit
    group: str


@dataclass(frozen=True, slots=True)
class Structure:
    """What a store holds: counts, views and labels, in their order."""

    counts: Mapping[Count, int]
    views: Mapping[str, ViewInfo]
    labels: Mapping[str, LabelInfo]


def check_structure(file: h5py.File) -> Structure:
    """Check a store and say what is in it.

    :raises ValueError: Names what is missing or wrong.
    """
    counts = {name: _count(file, name) for name in names.COUNTS}
    for name, layout in names.COLUMNS.items():
        dataset = plain_dataset(file, name)
        _expect(name, dataset, layout.dtype, layout.shape(counts))
    for name, count in names.TEXTS.items():
        _check_text(file, name, counts[count])
    _check_ends(file, names.WORD_OFFSETS, counts["num_words"])
    _check_ends(file, names.SUBWORD_OFFSETS, counts["num_subwords"])
    _check_bytes(file, names.PROVENANCE)
    views = {names.name_of_link(link): _view(file, f"{names.VIEWS}/{link}", counts) for link in _links(file, names.VIEWS)}
    labels = {names.name_of_link(link): _label(file, f"{names.LABELS}/{link}", counts) for link in _links(file, names.LABELS)}
    return Structure(counts, views, labels)


def plain_dataset(file: h5py.File, name: str) -> Any:
    """Open the dataset at ``name``, which must be stored in this file.

    :raises ValueError: If it is missing, linked from elsewhere, virtual or external.
    """
    dataset = _plain(file, name)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is not a dataset")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} takes its numbers from another file")
    return dataset


def _plain(file: h5py.File, name: str) -> Any:
    group: Any = file
    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise ValueError(f"{name} is missing")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link to another place")
        group = group[part]
    return group


def _links(file: h5py.File, name: str) -> Iterator[str]:
    group = _plain(file, name)
    if not isinstance(group, h5py.Group):
        raise ValueError(f"{name} is not a group")
    entries = [(_integer(_plain(file, f"{name}/{link}"), names.POSITION), link) for link in group]
    return (link for _, link in sorted(entries))


def _expect(name: str, dataset: Any, dtype: str, shape: tuple[int, ...]) -> None:
    if dataset.dtype != np.dtype(dtype) or dataset.shape != shape:
        raise ValueError(f"{name} is {dataset.dtype} of shape {dataset.shape}, expected {np.dtype(dtype)} of shape {shape}")


def _check_bytes(file: h5py.File, name: str) -> int:
    dataset = plain_dataset(file, name)
    if dataset.dtype != np.uint8 or dataset.ndim != 1:
        raise ValueError(f"{name} is {dataset.dtype} of shape {dataset.shape}, expected uint8 with one dimension")
    return int(dataset.shape[0])


def _check_text(file: h5py.File, name: str, count: int | None) -> None:
    num_bytes = _check_bytes(file, names.bytes_of(name))
    offsets = plain_dataset(file, names.offsets_of(name))
    if count is None:
        count = max(0, offsets.size - 1)
    _expect(names.offsets_of(name), offsets, names.OFFSET, (count + 1,))
    _check_ends(file, names.offsets_of(name), num_bytes)


def _check_ends(file: h5py.File, name: str, last: int) -> None:
    offsets = plain_dataset(file, name)
    if (found := (int(offsets[0]), int(offsets[-1]))) != (0, last):
        raise ValueError(f"{name} goes from {found[0]} to {found[1]}, expected from 0 to {last}")


def _view(file: h5py.File, path: str, counts: dict[Count, int]) -> ViewInfo:
    dataset = plain_dataset(file, path)
    dtype = {np.dtype(stored): name for name, stored in names.VIEW_DTYPES.items()}.get(dataset.dtype)
    if dtype is None or dataset.ndim not in (2, 3):
        raise ValueError(f"{path} is {dataset.dtype} of shape {dataset.shape}, expected float32 or float16 vectors")
    info = ViewInfo(
        unit=_unit(dataset, ("word", "subword", "sentence")),
        vector_size=dataset.shape[-1],
        layers=_layers(dataset),
        dtype=dtype,
        combination=_string(dataset, names.COMBINATION),
        pooling=_string(dataset, names.POOLING) if names.POOLING in dataset.attrs else None,
        stacked=bool(_integer(dataset, names.STACKED)),
    )
    _expect(path, dataset, names.VIEW_DTYPES[dtype], (counts[names.ROWS[info.unit]], *info.row_shape))
    return info


def _label(file: h5py.File, path: str, counts: dict[Count, int]) -> LabelInfo:
    unit = _unit(_plain(file, path), ("word", "sentence"))
    codes = f"{path}/{names.LABEL_CODES}"
    _expect(codes, plain_dataset(file, codes), names.CODE, (counts[names.ROWS[unit]],))
    _check_text(file, f"{path}/{names.VOCABULARY}", None)
    return LabelInfo(unit, path)


def _count(file: h5py.File, name: str) -> int:
    count = _integer(file, name)
    if count < 0:
        raise ValueError(f"the attribute {name} is {count}")
    return count


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
