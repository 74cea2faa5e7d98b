"""What every file of a store consists of, shard or master, added to a :class:`FileImage` piece by piece."""

from __future__ import annotations

import functools
import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Unit, ViewInfo
from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.attributes import write_string
from embedpipe.store.format import Count
from embedpipe.store.image import FileImage
from embedpipe.store.text import pack

if TYPE_CHECKING:
    Rows = Iterable[np.ndarray[Any, Any]]


def add_column(image: FileImage, name: str, counts: Mapping[Count, int], rows: Rows) -> None:
    """Add one of the fixed-width columns."""
    layout = names.COLUMNS.get(name) or names.OPTIONAL_COLUMNS[name]
    image.add(name, layout.dtype, layout.shape(counts), rows)


def add_text(image: FileImage, name: str, strings: Sequence[str]) -> None:
    """Add packed strings."""
    data, offsets = pack(strings)
    image.add(names.bytes_of(name), names.BYTE, data.shape, [data])
    image.add(names.offsets_of(name), names.OFFSET, offsets.shape, [offsets])


def add_json(image: FileImage, name: str, value: Mapping[str, Any]) -> None:
    """Add a JSON object as UTF-8 bytes."""
    data = np.frombuffer(json.dumps(value, allow_nan=False).encode(), np.uint8)
    image.add(name, names.BYTE, data.shape, [data])


def add_label(image: FileImage, name: str, unit: Unit, codes: Rows, num_rows: int, vocabulary: Sequence[str]) -> None:
    """Add a label; they are numbered as they come."""
    path = f"{names.LABELS}/{names.link_name(name)}"
    position = len(image.file.require_group(names.LABELS))
    image.add(f"{path}/{names.LABEL_CODES}", names.CODE, (num_rows,), codes)
    add_text(image, f"{path}/{names.VOCABULARY}", vocabulary)
    write_string(image.file[path], names.UNIT, unit)
    image.file[path].attrs[names.POSITION] = position


def add_views(
    image: FileImage,
    views: Mapping[str, ViewInfo],
    counts: Mapping[Count, int],
    rows: Mapping[str, Rows],
    sources: Mapping[Unit, Sequence[tuple[str, int]]] | None = None,
) -> None:
    """Add the views, each with its rows; or, given ``sources``, with those of other files."""
    image.file.require_group(names.VIEWS)
    for position, (name, info) in enumerate(views.items()):
        path, dtype = view_path(name), names.VIEW_DTYPES[info.dtype]
        shape = (counts[names.ROWS[info.unit]], *info.row_shape)
        if sources is None:
            dataset = image.add(path, dtype, shape, rows[name])
        else:
            dataset = image.add_virtual(path, dtype, shape, sources[info.unit])
        dataset.attrs[names.POSITION] = position
        write_string(dataset, names.UNIT, info.unit)
        write_string(dataset, names.COMBINATION, info.combination)
        dataset.attrs[names.LAYERS] = np.array(info.layers, np.int64)
        dataset.attrs[names.STACKED] = int(info.stacked)
        dataset.attrs[names.VECTOR_SIZE] = info.vector_size
        if info.pooling is not None:
            write_string(dataset, names.POOLING, info.pooling)


def add_attributes(image: FileImage, counts: Mapping[Count, int]) -> None:
    """Say what the file is, and how much is in it."""
    image.file.require_group(names.LABELS)
    write_string(image.file, names.FORMAT, names.FORMAT_NAME)
    write_string(image.file, names.WRITTEN_BY, _version())
    image.file.attrs[names.VERSION] = names.FORMAT_VERSION
    for name in names.COUNTS:
        image.file.attrs[name] = counts[name]


@functools.cache  # it parses a file
def _version() -> str:
    return importlib.metadata.version("embedpipe")


def view_path(name: str) -> str:
    """The dataset of a view."""
    return f"{names.VIEWS}/{names.link_name(name)}"


def as_json(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """What JSON makes of a value: tuples become lists.

    :raises StoreError: If it is not JSON.
    """
    try:
        return dict(json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise StoreError(f"cannot write the store: its {what} is not JSON: {error}.") from None
