"""What is known of an encoder without its weights: how many layers, how wide, how long a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, Vocabulary
    from embedpipe.encoders.model_files import ModelFiles


_LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""How configs say it, the binding one first."""

_TRAINED_ON = {"bloom": 2048, "t5": 512, "mt5": 512, "umt5": 512, "xlnet": 512}
"""By architecture with relative positions, whose configs may be silent."""


@dataclass(frozen=True, slots=True)
class EncoderOutline:
    """Stands for an :class:`embedpipe.dataflow.Encoder` where nothing is encoded.

    :param files: The model's files.
    :param description: Its model, revision and architecture.
    :param num_layers: Encoder layers, the embedding layer not counted.
    :param hidden_size: Width of every layer; where they differ, of the widest.
    :param max_window: Longest sequence with special subwords; ``None`` where the model sets no limit.
    :param is_causal: Whether a subword is computed from those before it only.
    :param vocabulary: Of an encoder without a tokenizer of transformers: what counts its units. It need not be that of the
        loaded encoder.
    :param unlike_sizes: Width of each layer, of the embedding layer first, where they differ.
    :param batch_sentences: Of one that carries a state from batch to batch, consecutive sentences of a batch.
    """

    files: tuple[Path, ...]
    description: Mapping[str, Any]
    num_layers: int
    hidden_size: int
    max_window: int | None
    is_causal: bool
    vocabulary: Vocabulary | None = None
    unlike_sizes: tuple[int, ...] = ()
    batch_sentences: int | None = None

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Width of each layer, of the embedding layer first."""
        return self.unlike_sizes or (self.hidden_size,) * (self.num_layers + 1)

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
    """Of a transformer: build it from its config.json alone, in no memory, and look at its shape.

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
    num_layers, hidden_size = layers_and_width(model, files)
    return EncoderOutline(
        files=files.all,
        description={"model": files.name, "revision": files.revision, "architecture": type(model).__name__},
        num_layers=num_layers,
        hidden_size=hidden_size,
        max_window=longest_window(model, model.config),
        is_causal=is_causal(model, model.config),
    )


def layers_and_width(model: Any, files: ModelFiles) -> tuple[int, int]:
    """How many layers a model of transformers has, and how wide they are.

    :raises EncoderError: If it is not a model of text, which has both; or its layers are not of one width.
    """
    where = f"encoder.model: {files.name!r} ({files.folder})"
    num_layers, hidden_size = (getattr(model.config, name, None) for name in ("num_hidden_layers", "hidden_size"))
    if num_layers is None or hidden_size is None:
        raise EncoderError(
            f"{where} is a {type(model).__name__}, whose config says no num_hidden_layers and hidden_size; expected a model of "
            "text alone"
        )
    if (projected := getattr(model.config, "word_embed_proj_dim", hidden_size)) != hidden_size:
        raise EncoderError(
            f"{where} has layers of {hidden_size} and a last one of {projected} (word_embed_proj_dim); all have to be of one "
            "width. Take a model of another size"
        )
    return int(num_layers), int(hidden_size)


def longest_window(model: nn.Module, config: Any) -> int | None:
    """Longest sequence that a model takes, in subwords with special ones; ``None`` for no limit.

    That is what its position table holds. A model of relative positions takes any sequence: its limit is what its config says
    that it was trained on, or is known of its architecture.

    :param config: The model's, of transformers.
    """
    limit = _stated_limit(config)
    for name, table in model.named_modules():
        # RoBERTa and MPNet start counting behind the padding index, so their table has rows that no position uses.
        if limit is not None and isinstance(table, nn.Embedding) and "position" in name and table.num_embeddings == limit:
            return limit - (0 if table.padding_idx is None else table.padding_idx + 1)
    return limit


def _stated_limit(config: Any) -> int | None:
    stated = [getattr(config, name, None) for name in _LIMITS]
    known = [*(limit for limit in stated if isinstance(limit, int) and limit > 0), _TRAINED_ON.get(config.model_type)]
    return known[0]


def is_causal(model: nn.Module, config: Any) -> bool:
    """Whether a subword is computed from those before it only, as in a decoder.

    Most attention modules of transformers say so. A model whose modules do not is causal if it is made for writing text and not
    for filling gaps.

    :param config: The model's, of transformers.
    """
    marks = [module.is_causal for module in model.modules() if hasattr(module, "is_causal")]
    if marks:
        return any(marks)
    if config.is_encoder_decoder or config.model_type == "xlnet":  # which writes text, and sees both sides
        return False
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING
