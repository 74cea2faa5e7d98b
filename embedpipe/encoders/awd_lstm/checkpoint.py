"""Reads the weights of an AWD-LSTM out of fastai's files, without running anything that a pickle might hold."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor

# Of a language model, its encoder alone, or a classifier; with and without the copy that dropout was last applied to.
_EMBEDDING = re.compile(r"(?:0\.)?(?:module\.)?encoder\.weight")
_WEIGHT = re.compile(r"(?:0\.)?(?:module\.)?rnns\.(\d+)\.(?:module\.)?((?:weight|bias)_[ih]h_l0)(_raw)?")
_PARTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

_OPTIMIZER_GLOBALS = (
    "fastcore.foundation.L",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)


class _Inert:
    """Stands for what fastai's optimizers have saved beside the weights; nothing is made of it."""

    def __init__(self, *args: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The weights of one model, float32.

    :param embedding: *Shape:* ``(vocabulary_size, sizes[0])``.
    :param lstms: By name of :class:`torch.nn.LSTM`, the weights of each layer.
    """

    embedding: Tensor
    lstms: tuple[Mapping[str, Tensor], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Width of each layer, of the embedding first."""
        return (self.embedding.shape[1], *(lstm["weight_hh_l0"].shape[1] for lstm in self.lstms))


def read_checkpoint(path: Path, setting: str, *, shapes_only: bool = False) -> Checkpoint:
    """Read fastai's .pth, of a model alone or with its optimizer, or a .safetensors with the same names.

    :param setting: What named the file, for the messages.
    :param shapes_only: Leave the weights unread: they are then tensors without numbers (of the device "meta").
    :raises EncoderError: If it is damaged, or is not a model of this kind.
    """
    where = f"{setting}: {str(path)!r}"
    weights = _read(path, where, shapes_only=shapes_only)
    if isinstance(weights, Mapping) and isinstance(weights.get("model"), Mapping):
        weights = weights["model"]
    if not isinstance(weights, Mapping) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise EncoderError(f"{where} holds a {type(weights).__name__}; expected the weights of a model by name")
    if shapes_only:
        weights = {name: weight.to("meta") for name, weight in weights.items()}
    checkpoint = _sort_out(weights, where)
    _require_shapes(checkpoint, where)
    return checkpoint


def _read(path: Path, where: str, *, shapes_only: bool) -> Any:
    try:
        if path.suffix == ".safetensors":
            return _shapes_of_safetensors(path) if shapes_only else load_file(path)
        is_mapped = shapes_only and zipfile.is_zipfile(path)  # torch before 1.6 wrote files that cannot be mapped
        with torch.serialization.safe_globals([(_Inert, name) for name in _OPTIMIZER_GLOBALS]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mapped)
    except Exception as error:  # a damaged file can raise anything
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):  # what torch advises there is not safe
            raise EncoderError(
                f"{where} is a pickle that asks for {found[1]}, which could run code; only weights are read. Write them alone, "
                "with fastai: learn.save(name, with_opt=False)"
            ) from None
        reason = (
            "" if isinstance(error, pickle.UnpicklingError) else f": {str(error).split(chr(10))[0] or type(error).__name__}"
        )
        raise EncoderError(f"{where} is damaged, or no file of weights{reason}") from error


def _shapes_of_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in file.keys()}  # noqa: SIM118


def _sort_out(weights: Mapping[str, Tensor], where: str) -> Checkpoint:
    embedding = next((value for name, value in weights.items() if _EMBEDDING.fullmatch(name)), None)
    layers: dict[int, dict[str, Tensor]] = {}
    for name in sorted(weights):  # a raw weight comes behind the copy that dropout was applied to, and takes its place
        if match := _WEIGHT.fullmatch(name):
            layers.setdefault(int(match[1]), {})[match[2]] = weights[name].float()
    if embedding is None or not layers:
        raise EncoderError(f"{where} is no AWD-LSTM of fastai: {_why_not(weights)}")
    wanted = [(layer, part) for layer in range(max(layers) + 1) for part in _PARTS]
    lacking = [f"rnns.{layer}: {part}" for layer, part in wanted if part not in layers.get(layer, ())]
    if lacking:
        raise EncoderError(f"{where} lacks {len(lacking)} weights, among them {lacking[0]}; the file is not complete")
    return Checkpoint(embedding.float(), tuple(layers[layer] for layer in sorted(layers)))


def _why_not(weights: Mapping[str, Tensor]) -> str:
    names = list(weights)
    if any("linear" in name and "rnns" in name for name in names):
        return "its layers are QRNNs, which are not supported; only LSTMs are"
    found = f"it has {', '.join(names[:3])}, ..." if names else "it is empty"
    return f"expected weights such as 0.encoder.weight and 0.rnns.0.weight_hh_l0_raw, and {found}"


def _require_shapes(checkpoint: Checkpoint, where: str) -> None:
    if checkpoint.embedding.ndim != 2:
        raise EncoderError(f"{where}: the embedding has {checkpoint.embedding.ndim} dimensions; expected two")
    entering = checkpoint.embedding.shape[1]
    for layer, lstm in enumerate(checkpoint.lstms):
        size = lstm["weight_hh_l0"].shape[-1]
        expected = dict(zip(_PARTS, [(4 * size, entering), (4 * size, size), (4 * size,), (4 * size,)], strict=True))
        for part, shape in expected.items():
            if (found := tuple(lstm[part].shape)) != shape:
                expectation = f"expected {shape}, as in an LSTM of one direction"
                raise EncoderError(f"{where}: rnns.{layer}: {part} has the shape {found}; {expectation}")
        entering = size
