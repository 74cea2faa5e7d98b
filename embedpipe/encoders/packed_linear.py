"""Linear layers whose weights are laid out once as the CPU's bfloat16 kernels want them, and not anew for every batch.

The products are the same, bit for bit where the kernels add in the same order. In float32 they would be other kernels than
transformers' own, for a twentieth of the time at most; so float32 stays as it is.

For each number of rows that it has not seen oneDNN makes a kernel, in 2 to 6 ms, and keeps it. So batches should have few
different numbers of subwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_OPERATORS = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
"""Of torch, that its compiler uses; they have no public name, so another version may lack them."""

_NUM_ROWS = 2048
"""Subwords that the layout is best for; the default budget of a batch on a CPU."""


BATCH_MULTIPLE = 16
"""Of which the number of subwords of a batch should be a multiple: with the default budget there are 128 of them."""


class PackedLinear(nn.Module):
    """Does what a :class:`torch.nn.Linear` in bfloat16 does, and takes as much memory; for inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _NUM_ROWS)

    @property
    def weight(self) -> Tensor:
        """The weights as they were, a copy: some models look at their dtype. *Shape:* ``(out_features, in_features)``."""
        weight: Tensor = self._packed.to_dense()
        return weight

    def forward(self, inputs: Tensor) -> Tensor:
        """*Shape:* ``(..., in_features)`` to ``(..., out_features)``."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, self.bias, "none", [], "")
        return outputs


def pack_weights(model: nn.Module) -> bool:
    """Pack the linear layers of a frozen model, one after the other, where this machine has kernels for it.

    :returns: Whether there were any to pack.
    """
    if _has_kernels():
        _pack(model)
    return any(isinstance(module, PackedLinear) for module in model.modules())


def _pack(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.Linear and child.weight.dtype == torch.bfloat16 and child.weight.device.type == "cpu":
            setattr(module, name, PackedLinear(child))
        else:
            _pack(child)


def _has_kernels() -> bool:
    """Whether torch is built with oneDNN, and has the operators, and the CPU multiplies bfloat16."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    has_operators = has_onednn and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)
    return has_operators and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
