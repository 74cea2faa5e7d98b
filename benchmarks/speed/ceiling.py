"""What this machine multiplies at best, and what of it an encoder needs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from speed.turns import timed

ROWS = (512, 1024, 2048, 4096, 8192)
SQUARE = 4096
_LEAST_SECONDS = 0.5


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
    """The highest rate of ``torch.mm`` in the model's precision, over its linear layers' shapes and one large square.

    :returns: ``flops`` (per second), the ``shape`` that reached it: rows, inputs, outputs; and the rate of each shape.
    """
    sizes = sorted({(layer.in_features, layer.out_features) for layer in linear_layers(model)})
    shapes = [(rows, *size) for size in sizes for rows in ROWS] + [(SQUARE, SQUARE, SQUARE)]
    with torch.inference_mode():
        rates = {shape: _best_rate(*shape, model.dtype, model.device) for shape in shapes}
    shape, flops = max(rates.items(), key=lambda item: item[1])
    gigaflops = {"x".join(map(str, each)): round(rate / 1e9, 1) for each, rate in rates.items()}
    return {"flops": flops, "shape": shape, "gigaflops_by_shape": gigaflops}


def _best_rate(rows: int, inputs: int, outputs: int, dtype: torch.dtype, device: torch.device) -> float:
    """Operations per second of the fastest product."""
    left: Tensor = torch.randn(rows, inputs).to(device, dtype)
    right: Tensor = torch.randn(outputs, inputs).to(device, dtype).t()  # as a linear layer has its weights
    product = timed(lambda: _times(left, right), device)
    product()
    fastest, until = float("inf"), time.perf_counter() + _LEAST_SECONDS
    while time.perf_counter() < until:
        fastest = min(fastest, product())
    return 2 * rows * inputs * outputs * _products(device) / fastest


def _times(left: Tensor, right: Tensor) -> None:
    for _ in range(_products(left.device)):
        torch.mm(left, right)


def _products(device: torch.device) -> int:
    """How many at a time: a GPU works off what it is asked for, and to ask takes longer than a small product."""
    return 1 if device.type == "cpu" else 50
