"""The state of a training in one file, without pickle: tensors as safetensors, everything else as JSON in its header."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from torch import Tensor


class Checkpoint:
    """A file that is either whole or not there.

    :param path: ``None`` keeps nothing.
    :param identity: Of the training; another one's file is refused.
    """

    def __init__(self, path: Path | None, identity: str) -> None:
        self._path = path
        self._identity = identity

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Replace what is there.

        :raises FeaturesError: If it cannot be written.
        """
        if self._path is None:
            return
        metadata = {"identity": self._identity, "facts": json.dumps(facts)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, self._partial, metadata)
            _flush(self._partial)
            self._partial.replace(self._path)
            _flush(self._path.parent)
        except (OSError, SafetensorError) as error:
            raise FeaturesError(
                f"keeping the training's state in {self._path}: {error}. Make room, or train without a checkpoint."
            ) from error

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read what :meth:`save` wrote; ``None`` if there is nothing.

        :raises FeaturesError: If the file is damaged, or another training's.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            with safe_open(self._path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (OSError, SafetensorError) as error:
            raise FeaturesError(
                f"reading the training's state in {self._path}: {error}. Delete the file to train anew."
            ) from error
        if metadata.get("identity") != self._identity:
            raise FeaturesError(
                f"{self._path} is the state of another training (other sentences, weights, settings or seed). Delete it to "
                "train anew, or give another path."
            )
        return tensors, json.loads(metadata["facts"])

    def remove(self) -> None:
        """Delete it, and what an interrupted :meth:`save` left."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._partial.unlink(missing_ok=True)

    @property
    def _partial(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}.partial")


def identity_of(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """sha256 of everything that determines a training."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """To the disk; a folder cannot be opened on every system."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
