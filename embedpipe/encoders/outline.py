"""What is known of a transformer without its weights: how many layers, how wide, how long a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch
    from embedpipe.encoders.model_files import ModelFiles


@dataclass(frozen=True, slots=True)
class EncoderOutline:
    """Stands for an :class:`embedpipe.dataflow.Encoder` where nothing is encoded.

    :param files: The model's files.
    :param description: Its model, revision and architecture.
    :param num_layers: Encoder layers, the embedding layer not counted.
    :param hidden_size: Width of every layer.
    :param max_window: Longest sequence with special subwords; ``None`` where the model sets no limit.
    """

    files: tuple[Path, ...]
    description: Mapping[str, Any]
    num_layers: int
    hidden_size: int
    max_window: int | None

    def encode(self, batch: Batch, layers: Iterable[int]) -> NoReturn:
        """Refuse: there are no weights.

        :raises EncoderError: Always.
        """
        rows, length = batch.input_ids.shape
        raise EncoderError(
            f"encoding {rows} windows of {length} subwords for layers {sorted(layers)}: {self.description['model']!r} is known "
            "in outline only; load its weights first"
        )


def outline(files: ModelFiles) -> EncoderOutline:
    """Build a model from its config.json alone, in no memory, and look at its shape.

    :raises EncoderError: If the config is not one of transformers.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(files.folder, trust_remote_code=False)
        with torch.device("meta"):
            whole = AutoModel.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise EncoderError(f"encoder.model: {files.name!r} ({files.folder}) cannot be understood: {reason}") from error
    model = whole.get_encoder() if config.is_encoder_decoder else whole
    return EncoderOutline(
        files=files.all,
        description={"model": files.name, "revision": files.revision, "architecture": type(model).__name__},
        num_layers=int(model.config.num_hidden_layers),
        hidden_size=int(model.config.hidden_size),
        max_window=longest_window(model, model.config),
    )


def longest_window(model: nn.Module, config: Any) -> int | None:
    """Longest sequence that a model's position table holds, in subwords with special ones; ``None`` for no limit.

    :param config: The model's, of transformers.
    """
    limit = getattr(config, "max_position_embeddings", None)
    for name, table in model.named_modules():
        # RoBERTa and MPNet start counting behind the padding index, so their table has rows that no position uses.
        if isinstance(table, nn.Embedding) and "position" in name and table.num_embeddings == limit:
            return int(limit) - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None if limit is None else int(limit)
