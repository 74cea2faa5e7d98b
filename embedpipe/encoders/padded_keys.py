"""Attention in bfloat16 on a CPU with keys filled up to a multiple of sixteen.

torch's kernel takes the keys of a subword sixteen at a time, and those that are left over one by one: fifteen keys take three
times as long as sixteen. Keys that are masked weigh exactly 0, so filling up changes nothing but the order of additions. In
float32 less is left over one by one and twice as much copied, so it hardly pays there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from torch import Tensor

_NAME = "embedpipe_padded_keys"
_AT_A_TIME = 16
_LEAST_LEFT_OVER = 5
"""Keys for which it pays; measured with heads of 32 and 64, windows of 3 to 510 subwords."""


def pad_keys(model: Any) -> None:
    """Let the attention of a frozen bidirectional encoder fill up, if it is in bfloat16, on a CPU, and torch's.

    :param model: One of transformers.
    """
    is_on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    if is_on_cpu and model.dtype == torch.bfloat16 and model.config._attn_implementation == "sdpa":
        AttentionInterface.register(_NAME, attend)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.set_attn_implementation(_NAME)  # which leaves a model alone that does not ask for its attention by name


def attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """Do what transformers' own function of the same arguments does.

    :param query: *Shape:* ``(batch_size, num_heads, num_subwords, head_size)``.
    :param key: And ``value``: the same, of as many heads or fewer.
    :param attention_mask: What may be attended to, or what is added. *Shape:* ``(batch_size or 1, num_heads or 1, num_subwords,
        num_subwords)``.
    :returns: *Shape:* ``(batch_size, num_subwords, num_heads, head_size)``.
    """
    num_keys = key.shape[2]
    if num_keys % _AT_A_TIME >= _LEAST_LEFT_OVER and _is_masked_only(module, attention_mask, kwargs):
        extra = -num_keys % _AT_A_TIME
        key, value = (functional.pad(each, (0, 0, 0, extra)) for each in (key, value))
        attention_mask = _hide(extra, attention_mask, query)
    outputs: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    return outputs


def _is_masked_only(module: torch.nn.Module, mask: Tensor | None, given: Mapping[str, Any]) -> bool:
    """Whether a mask says all about who attends to whom: no causal order beside it, no biases of positions."""
    is_causal = given.get("is_causal")
    ordered = mask is None and (getattr(module, "is_causal", True) if is_causal is None else is_causal)
    return not ordered and given.get("position_bias") is None


def _hide(extra: int, mask: Tensor | None, query: Tensor) -> Tensor:
    """A mask that hides as many keys more."""
    if mask is None:
        mask = torch.ones(1, 1, query.shape[2], query.shape[2], dtype=torch.bool)
    return functional.pad(mask, (0, extra), value=False if mask.dtype == torch.bool else float("-inf"))
