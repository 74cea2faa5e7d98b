"""What this machine multiplies at best, and what of it an encoder needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from embedpipe.encoders.packed_linear import PackedLinear, pays
from speed.turns import timed

ROWS = (512, 1024, 2048, 4096, 8192)
SQUARE = 4096
_LEAST_SECONDS = 0.3
Prepare: TypeAlias = Callable[[Tensor, Tensor], Callable[[], object]]


def linear_layers(model: PreTrainedModel) -> list[nn.Linear]:
    """The linear layers that every subword goes through: the pooler's, for which nobody asks, left out."""
    return [layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and "pooler" not in name]


def useful_flop(model: PreTrainedModel, lengths: Iterable[int]) -> int:
    """Floating-point operations of one forward pass, padding not counted.

    Two for each weight of the linear layers and each subword; for attention, in each layer, four for each pair of subwords of
    a window and each of the hidden units: the products of queries and keys, and of weights and values.

    :param lengths: Subwords of each window, special ones counted.
    """
    num_weights = sum(layer.weight.numel() for layer in linear_layers(model))
    config: Any = model.config
    attention = 4 * config.hidden_size * config.num_hidden_layers
    return sum(2 * num_weights * length + attention * length**2 for length in lengths)


def matrix_ceiling(model: PreTrainedModel) -> dict[str, Any]:
    """The highest rate of a matrix product in the model's precision, over its linear layers' shapes and one large square.

    It is that of ``torch.mm``, or of oneDNN with weights laid out before, where embedpipe uses it.

    :returns: ``flops`` (per second), the ``shape`` that reached it: rows, inputs, outputs; the highest ``flops_of_torch_mm``;
        and the rate of each shape, the higher one of the two.
    """
    sizes = sorted({(layer.in_features, layer.out_features) for layer in linear_layers(model)})
    shapes = [(rows, *size) for size in sizes for rows in ROWS] + [(SQUARE, SQUARE, SQUARE)]
    with torch.inference_mode():
        of_mm = {shape: _best_rate(*shape, model.dtype, model.device, _product_of_torch) for shape in shapes}
        packed = shapes if model.device.type == "cpu" and pays(model.dtype) else []
        of_packed = {shape: _best_rate(*shape, model.dtype, model.device, _packed_product) for shape in packed}
    rates = {shape: max(rate, of_packed.get(shape, 0.0)) for shape, rate in of_mm.items()}
    shape, flops = max(rates.items(), key=lambda item: item[1])
    gigaflops = {"x".join(map(str, each)): round(rate / 1e9, 1) for each, rate in rates.items()}
    return {"flops": flops, "shape": shape, "flops_of_torch_mm": max(of_mm.values()), "gigaflops_by_shape": gigaflops}


def _best_rate(rows: int, inputs: int, outputs: int, dtype: torch.dtype, device: torch.device, prepare: Prepare) -> float:
    """Operations per second of the fastest product."""
    left: Tensor = torch.randn(rows, inputs).to(device, dtype)
    right: Tensor = torch.randn(outputs, inputs).to(device, dtype)  # as a linear layer has its weights
    multiply = prepare(left, right)
    product = timed(lambda: _times(multiply, device), device)
    product()
    fastest, until = float("inf"), time.perf_counter() + _LEAST_SECONDS
    while time.perf_counter() < until:
        fastest = min(fastest, product())
    return 2 * rows * inputs * outputs * _products(device) / fastest


def _product_of_torch(left: Tensor, right: Tensor) -> Callable[[], object]:
    transposed = right.t()
    return lambda: torch.mm(left, transposed)


def _packed_product(left: Tensor, right: Tensor) -> Callable[[], object]:
    layer = nn.Linear(right.shape[1], right.shape[0], bias=False, dtype=right.dtype)
    layer.weight = nn.Parameter(right)
    packed = PackedLinear(layer)
    return lambda: packed(left)


def _times(multiply: Callable[[], object], device: torch.device) -> None:
    for _ in range(_products(device)):
        multiply()


def _products(device: torch.device) -> int:
    """How many at a time: a GPU works off what it is asked for, and to ask takes longer than a small product."""
    return 1 if device.type == "cpu" else 50
