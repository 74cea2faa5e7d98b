"""A batch as a model of transformers takes it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from embedpipe.dataflow import Batch


def inputs_of(model: nn.Module, batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """The arguments of a model's ``forward``; the segments of pairs are among them only for a model that tells them apart."""
    inputs = {"input_ids": batch.input_ids.to(device), "attention_mask": batch.attention_mask.to(device)}
    if batch.segment_ids is not None and takes_segments(model):
        inputs["token_type_ids"] = batch.segment_ids.to(device)
    return inputs


def takes_segments(model: nn.Module) -> bool:
    """Whether a model has more than one segment. DistilBERT has none, RoBERTa has a table of one, which tells nothing."""
    config: Any = model.config
    parameters = inspect.signature(model.forward).parameters
    return int(getattr(config, "type_vocab_size", 2)) > 1 and "token_type_ids" in parameters
