"""GELU on a CPU in pieces of few different sizes.

For every shape that it has not seen oneDNN makes a kernel, and keeps it, in some two hundred small pieces of memory. Every
batch has another shape; so these came to lie between what the batches had left free, which then fitted no other batch, and a
run grew to several times what it used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers.activations import GELUActivation

from embedpipe.encoders.pieces import piece_sizes

if TYPE_CHECKING:
    from torch import Tensor

_LEADING_BITS, _LEAST_PIECE = 3, 1024


class GeluInPieces(nn.Module):
    """Does what :func:`torch.nn.functional.gelu` does, exact and not approximated; for inference only."""

    def forward(self, inputs: Tensor) -> Tensor:
        """*Shape:* any, the same out as in."""
        flat = inputs.reshape(-1)
        outputs = torch.empty_like(flat)
        start = 0
        for size in piece_sizes(len(flat), bits=_LEADING_BITS, least=_LEAST_PIECE):
            torch.ops.aten.gelu.out(flat[start : start + size], out=outputs[start : start + size])
            start += size
        return outputs.view(inputs.shape)


def split_gelus(model: nn.Module) -> None:
    """Let the GELUs of a frozen model work in pieces, where it is on a CPU."""
    if all(parameter.device.type == "cpu" for parameter in model.parameters()):
        _split(model)


def _split(module: nn.Module) -> None:
    for name, child in module.named_children():
        if _is_exact_gelu(child):
            setattr(module, name, GeluInPieces())
        else:
            _split(child)


def _is_exact_gelu(module: nn.Module) -> bool:
    if type(module) is nn.GELU:
        return module.approximate == "none"
    return type(module) is GELUActivation and module.act is nn.functional.gelu
