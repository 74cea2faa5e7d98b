"""A folder with one trained model: ``tagger.json`` and the weights that it names.

The weights are written first, under a name that has their checksum in it; then ``tagger.json`` is put in place in one step. So
there is either the old model or the new one, whenever the writing is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

from embedpipe.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

DESCRIPTION = "tagger.json"
_FORMAT, _VERSION = "embedpipe tagger", 1
_WEIGHTS = re.compile(r"weights\.[0-9a-f]{16}\.safetensors")
_LARGEST_DESCRIPTION = 256 * 2**20


def write_model(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a model, or replace the one that is there.

    :raises ModelError: If the folder is something else's, or cannot be written.
    """
    data = tensors_to_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    weights = folder / f"weights.{digest[:16]}.safetensors"
    file = {"name": weights.name, "sha256": digest, "size_bytes": len(data)}
    whole = {"format": _FORMAT, "version": _VERSION, "weights": file, **description}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / DESCRIPTION).exists() and any(not _is_ours(path.name) for path in folder.iterdir()):
            raise ModelError(f"cannot save the tagger in {folder}: other files are there. Choose a new or empty folder.")
        _write(weights, data)
        _write(folder / DESCRIPTION, json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False).encode())
        for path in folder.iterdir():
            if _is_ours(path.name) and path.name not in (weights.name, DESCRIPTION):
                path.unlink()
    except OSError as error:
        raise ModelError(f"cannot save the tagger in {folder}: {error.strerror or error}.") from error


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`write_model` wrote.

    :raises ModelError: If there is none, or a damaged one, or one of a newer embedpipe.
    """
    description = _read_description(folder)
    file = description.get("weights")
    name = file.get("name") if isinstance(file, dict) else None
    if not isinstance(file, dict) or not isinstance(name, str) or not _WEIGHTS.fullmatch(name):
        raise damaged(folder, f"{DESCRIPTION} does not say which file has its weights")
    data = _read(folder / name, folder)
    if hashlib.sha256(data).hexdigest() != file.get("sha256"):
        raise damaged(folder, f"{name} has {len(data):,} bytes that are not those that were written")
    try:
        return description, tensors_from_bytes(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise damaged(folder, f"{name} cannot be read ({error})") from error


def damaged(folder: Path, what: str) -> ModelError:
    """Say that a model is broken."""
    return ModelError(f"the tagger in {folder} is damaged: {what}. Bring the folder back from a copy, or train again.")


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        there = "there is no such folder" if not folder.is_dir() else f"it has no {DESCRIPTION}"
        raise ModelError(f"{folder} is not a saved tagger: {there}. NerTagger.save(folder) makes one.")
    if path.stat().st_size > _LARGEST_DESCRIPTION:
        raise damaged(folder, f"{DESCRIPTION} has {path.stat().st_size:,} bytes")
    try:
        description = json.loads(_read(path, folder))
    except (ValueError, RecursionError) as error:
        raise damaged(folder, f"{DESCRIPTION} is not JSON ({error})") from error
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise ModelError(f"{path} does not describe a tagger. NerTagger.save(folder) makes one.")
    version = description.get("version")
    if type(version) is not int or version < 1:
        raise damaged(folder, f"{DESCRIPTION} has version {version!r:.40}")
    if version > _VERSION:
        raise ModelError(
            f"the tagger in {folder} has format version {version}, and this embedpipe reads up to {_VERSION}. "
            "Install the embedpipe that wrote it, or a newer one."
        )
    return description


def _read(path: Path, folder: Path) -> bytes:
    if not path.is_file():
        raise damaged(folder, f"{path.name} is missing")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}.") from error


def _is_ours(name: str) -> bool:
    plain = name.removesuffix(".partial")
    return plain == DESCRIPTION or _WEIGHTS.fullmatch(plain) is not None


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
