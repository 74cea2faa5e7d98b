"""Whether a store's own file is, value for value, what was written."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from embedpipe.store import format as names
from embedpipe.store.checksums import ATTRIBUTES, read_attributes
from embedpipe.store.columns import bytes_view
from embedpipe.store.finding import Fault

if TYPE_CHECKING:
    import h5py

    from embedpipe.store.sealed import SealedFile

_BYTES_A_READ = 4 << 20
_SHOWN_DIGITS = 16


def check_checksums(file: SealedFile, plain: h5py.File) -> Iterator[Fault]:
    """Check every dataset that the file holds itself, some megabytes at a time, and its attributes.

    A file of an earlier embedpipe has no checksums, and nothing is found in it here.

    :param plain: The same file, opened once more.
    :raises DamagedStoreError: If something cannot be read.
    """
    if names.CHECKSUMS not in plain:
        return
    sha256, attributes = _read(file)
    if sha256 is None or attributes is None:
        yield Fault.of_file("checksums", f"{names.CHECKSUMS} cannot be read, so it cannot be told whether anything has changed")
        return
    for name in file.structure.own_datasets:
        if (expected := sha256.get(name)) is None:
            yield Fault.of_file("checksums", f"{names.CHECKSUMS} lacks {name}")
        elif (digest := _digest(file, name)) != expected:
            yield Fault.of_file("checksums", _changed(name, digest, expected))
    for name in names.OPTIONAL_COLUMNS.keys() & sha256.keys() - {*file.structure.own_datasets}:
        yield Fault.of_file("checksums", f"{name} was written, and is not there")
    yield from _check_attributes(read_attributes(plain), attributes)


def _read(file: SealedFile) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    column = file.column(names.CHECKSUMS)
    try:
        value = json.loads(column.read(0, len(column)).tobytes())
    except (ValueError, RecursionError):
        return None, None
    parts = [value.get(key) if isinstance(value, dict) else None for key in ("sha256", "attributes")]
    sha256, attributes = (part if isinstance(part, dict) else None for part in parts)
    return sha256, attributes


def _digest(file: SealedFile, name: str) -> str:
    digest, column = hashlib.sha256(), file.column(name)
    step = max(1, _BYTES_A_READ // max(1, math.prod(column.shape[1:]) * column.dtype.itemsize))
    for start in range(0, len(column), step):
        digest.update(bytes_view(column.read(start, min(start + step, len(column)))))
    return digest.hexdigest()


def _changed(name: str, found: str, expected: Any) -> str:
    digits = f"{found[:_SHOWN_DIGITS]}..., expected {str(expected)[:_SHOWN_DIGITS]}..."
    return f"{name} is not what was written (its sha256 is {digits}); in which of its rows it has changed cannot be told"


def _check_attributes(found: Mapping[str, Mapping[str, Any]], written: Mapping[str, Any]) -> Iterator[Fault]:
    for path, attributes in found.items():
        before = written.get(path)
        if not isinstance(before, dict):
            yield Fault.of_file("checksums", f"{names.CHECKSUMS} lacks the attributes of {path}")
            continue
        for name in sorted(attributes.keys() | (before.keys() & ATTRIBUTES)):
            if attributes.get(name) != before.get(name):
                what = f"the attribute {name} of {path} is {attributes.get(name)!r}, and {before.get(name)!r} was written"
                yield Fault.of_file("checksums", what)
    for path in sorted(written.keys() - found.keys()):
        yield Fault.of_file("checksums", f"{path} was written, and is not there")
