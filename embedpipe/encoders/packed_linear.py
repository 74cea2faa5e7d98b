"""Linear layers whose weights are laid out once as oneDNN's kernels want them, and not anew for every batch.

In bfloat16 torch has its products from oneDNN anyway: these are the same, bit for bit where the kernels add in the same order.
In float32 it has them from MKL, which takes 2.3 times as long as oneDNN on AMD's processors with AVX-512: there they are packed
too, and differ from MKL's in the last digits. On Intel's processors a twentieth of the time is at stake, and float32 stays as
transformers has it.

For each number of rows that it has not seen oneDNN makes a kernel of half a megabyte, in 2 to 6 ms, and keeps it. So batches
should have few different numbers of subwords; and in float32, where a layer in pieces takes little longer than in one go, rows
are cut into pieces of few sizes.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from embedpipe.encoders.pieces import piece_sizes

if TYPE_CHECKING:
    from torch import Tensor

_OPERATORS = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
"""Of torch, that its compiler uses; they have no public name, so another version may lack them."""

_NUM_ROWS = 2048
"""Subwords that the layout is best for; the default budget of a batch on a CPU."""

_LEADING_BITS, _LEAST_PIECE = 4, 64
"""Of the numbers of rows of a piece: with the default budget, and multiples of 16, there are 27 of them."""

BATCH_MULTIPLE = 16
"""Of which the number of subwords of a batch should be a multiple: with the default budget there are 128 of them."""


class PackedLinear(nn.Module):
    """Does what a :class:`torch.nn.Linear` does, and takes as much memory; for inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _NUM_ROWS)
        self._in_pieces = linear.weight.dtype == torch.float32

    @property
    def weight(self) -> Tensor:
        """The weights as they were, a copy: some models look at their dtype. *Shape:* ``(out_features, in_features)``."""
        weight: Tensor = self._packed.to_dense()
        return weight

    def forward(self, inputs: Tensor) -> Tensor:
        """*Shape:* ``(..., in_features)`` to ``(..., out_features)``."""
        if not self._in_pieces:
            return self._product(inputs)
        rows = inputs.reshape(-1, self.in_features)
        sizes = piece_sizes(len(rows), bits=_LEADING_BITS, least=_LEAST_PIECE)
        if len(sizes) <= 1:
            return self._product(inputs)
        outputs = rows.new_empty(len(rows), self.out_features)
        start = 0
        for size in sizes:
            outputs[start : start + size] = self._product(rows[start : start + size])
            start += size
        return outputs.view(*inputs.shape[:-1], self.out_features)

    def _product(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, self.bias, "none", [], "")
        return outputs


def pack_weights(model: nn.Module) -> bool:
    """Pack the linear layers of a frozen model, one after the other, where that makes them faster on this machine.

    :returns: Whether there were any to pack.
    """
    _pack(model)
    return any(isinstance(module, PackedLinear) for module in model.modules())


def _pack(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.Linear and child.weight.device.type == "cpu" and pays(child.weight.dtype):
            setattr(module, name, PackedLinear(child))
        else:
            _pack(child)


def pays(dtype: torch.dtype) -> bool:
    """Whether oneDNN's products of this type are torch's own, or faster."""
    if not _has_operators():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32 and _mkl_is_slow()


def _has_operators() -> bool:
    """Whether torch is built with oneDNN, and has the operators."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)


def _mkl_is_slow() -> bool:
    """Whether this is an AMD processor with AVX-512; measured on a Zen 5 with MKL 2024.2."""
    has_mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return has_mkl and torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in _processor()


@functools.cache
def _processor() -> str:
    """What the system says of its first processor, the vendor's name among it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return lines.readline() + lines.readline()
    except OSError:
        return platform.processor()
