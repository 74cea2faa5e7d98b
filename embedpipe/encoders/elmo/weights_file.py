"""Reading the weights.hdf5 of an ELMo."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import h5py
import torch
from torch import Tensor

from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray

_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, MemoryError)
"""What h5py raises where a file is not what it should be."""


class WeightsFile:
    """The arrays of a weights.hdf5, each looked at before it is taken.

    :param path: The file.
    :param device: Where the arrays go.
    :raises EncoderError: If it is not HDF5, or damaged.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        self._where = f"encoder.weight_file: {str(path)!r}"
        self._device = device
        self.num_parameters = 0
        """Numbers taken so far."""
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise EncoderError(
                f"{self._where} cannot be opened as HDF5 ({error}): it is damaged, cut off, or something else. Expected the "
                "weights.hdf5 that belongs to encoder.options_file; download it again"
            ) from error

    def __enter__(self) -> WeightsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def take(self, name: str, *shape: int, more_rows: bool = False) -> Tensor:
        """Read an array, float32, onto the device.

        :param shape: That it must have by the options.
        :param more_rows: Whether it may have further rows, which are left out.
        :raises EncoderError: If it is not there, has another shape, or is damaged.
        """
        try:
            weights = torch.from_numpy(self._read(name, shape, more_rows=more_rows))
        except _DAMAGE as error:
            raise EncoderError(f"{self._where}: {name!r} cannot be read ({error}): the file is damaged") from error
        if not torch.isfinite(weights).all():
            raise EncoderError(f"{self._where}: {name!r} holds numbers that are not finite: the file is damaged")
        self.num_parameters += math.prod(shape)
        return weights.to(self._device)

    def _read(self, name: str, shape: tuple[int, ...], *, more_rows: bool) -> FloatArray:
        dataset = self._file.get(name)
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
            names = ", ".join(sorted(self._file)[:9]) or "nothing"
            raise EncoderError(
                f"{self._where} has no array of numbers {name!r}, which encoder.options_file asks for; it has {names}. Are "
                "options and weights of the same model?"
            )
        found = tuple(dataset.shape or ())
        if found != shape and not (more_rows and found[1:] == shape[1:] and found[0] > shape[0]):
            raise EncoderError(
                f"{self._where}: {name!r} has the shape {_by(found)}; by encoder.options_file, {_by(shape)} was expected. Are "
                "options and weights of the same model?"
            )
        values: FloatArray = dataset[: shape[0]].astype("float32")
        return values


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
