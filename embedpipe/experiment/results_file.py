"""``results.json``, ``results.csv`` and ``timings.json``: written as they are read."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from embedpipe.errors import FeaturesError, FormatVersionError
from embedpipe.experiment.json_file import write_json, write_text
from embedpipe.experiment.results import Results, Timings

RESULTS_FORMAT = 1

R = TypeVar("R")


def write_results(results: Results, path: Path | str) -> None:
    """Write ``results.json``, whole or not at all; the same results give the same bytes.

    :raises OSError: If the disk is full or the folder not writable.
    """
    write_json(Path(path), {"format": RESULTS_FORMAT} | dataclasses.asdict(results), indent=1)


def read_results(path: Path | str) -> Results:
    """Read ``results.json``.

    :raises FeaturesError: If it is not there, or is something else; says what is missing, unknown or wrong in it.
    :raises FormatVersionError: If a newer embedpipe wrote it.
    """
    content = _load(Path(path), "the results of a comparison")
    version = content.pop("format", None)
    if isinstance(version, int) and version > RESULTS_FORMAT:
        raise FormatVersionError(
            f"{path} has format {version}, and this embedpipe reads up to {RESULTS_FORMAT}. Install a newer one."
        )
    if version != RESULTS_FORMAT:
        raise FeaturesError(
            f"{path} is not the results of a comparison: its 'format' is {version!r}, expected {RESULTS_FORMAT}."
        )
    return _read(content, Results, path)


def write_timings(timings: Timings, path: Path | str) -> None:
    """Write ``timings.json``."""
    write_json(Path(path), dataclasses.asdict(timings), indent=1)


def read_timings(path: Path | str) -> Timings:
    """Read ``timings.json``.

    :raises FeaturesError: If it is not there, or is something else.
    """
    return _read(_load(Path(path), "the timings of a comparison"), Timings, path)


def write_csv(results: Results, path: Path | str) -> None:
    """Write ``results.csv``: a line a run, the scores in columns ``dev_...`` and ``test_...``."""
    metrics = list(results.runs[0].test) if results.runs else []
    choices = {(encoder, choice.name): choice for encoder, found in results.choices.items() for choice in found}
    plain = ("encoder", "context", "pooling", "choice", "head", "seed")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    scores = [f"{part}_{metric}" for part in ("dev", "test") for metric in metrics]
    lines.writerow([*plain, "kind", "layers", "vector_size", *scores, "best_epoch", "key"])
    for run in results.runs:
        choice = choices[run.encoder, run.choice]
        values = [part[metric] for part in (run.dev, run.test) for metric in metrics]
        about = [choice.kind, " ".join(map(str, choice.layers)), choice.vector_size]
        lines.writerow([*(getattr(run, name) for name in plain), *about, *values, run.best_epoch, run.key])
    write_text(Path(path), text.getvalue())


def _load(path: Path, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise FeaturesError(
            f"reading {what} from {path}: {error.strerror}. A finished 'embedpipe compare' writes it."
        ) from None
    except ValueError as error:
        raise FeaturesError(f"reading {what} from {path}: it is not JSON ({error}). Run 'embedpipe compare' again.") from None
    if not isinstance(content, dict):
        raise FeaturesError(f"reading {what} from {path}: expected an object, found {type(content).__name__}.")
    return content


def _read(content: Any, cls: type[R], path: Path | str) -> R:
    try:
        made: R = _as(content, cls, "")
    except ValueError as error:
        raise FeaturesError(f"{path} is not as this embedpipe writes it: {error}. Run 'embedpipe compare' again.") from None
    return made


def _as(value: Any, hint: Any, where: str) -> Any:
    """Check that a JSON value is what an annotation says, and make it so.

    :raises ValueError: Starts with the place in the file.
    """
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None and type(None) in args else _as(value, args[0], where)
    if dataclasses.is_dataclass(hint):
        return _as_dataclass(value, hint, where)
    if origin is Mapping:
        return {key: _as(item, args[1], f"{where}.{key}") for key, item in _expect(value, dict, where).items()}
    if origin is tuple and args[-1] is not Ellipsis:
        if len(_expect(value, list, where)) != len(args):
            raise ValueError(f"{where[1:]}: expected {len(args)} values, found {len(value)}")
        return tuple(_as(item, arg, where) for item, arg in zip(value, args, strict=True))
    if origin in (tuple, Sequence):
        return tuple(_as(item, args[0], f"{where}[{index}]") for index, item in enumerate(_expect(value, list, where)))
    if hint is float and type(value) is int:
        return float(value)
    return _expect(value, hint, where)


def _as_dataclass(value: Any, cls: Any, where: str) -> Any:
    hints = get_type_hints(cls)
    names = {field.name for field in dataclasses.fields(cls)}
    _expect(value, dict, where)
    for what, wrong in (("unknown", value.keys() - names), ("missing", names - value.keys())):
        if wrong:
            raise ValueError(f"{where[1:] or 'the file'}: {what}: {', '.join(sorted(wrong))}")
    return cls(**{name: _as(value[name], hints[name], f"{where}.{name}") for name in hints})


def _expect(value: Any, kind: type, where: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{where[1:] or 'the file'}: expected {kind.__name__}, found {type(value).__name__}")
    return value
