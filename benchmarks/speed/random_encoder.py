"""Encoders of any size with random weights, which are as fast as trained ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

HIDDEN_OF_A_HEAD = 64


def save_random_encoder(
    folder: Path, tokenizer: Path, *, num_layers: int, width: int, hidden_of_a_head: int = HIDDEN_OF_A_HEAD
) -> Path:
    """A BERT of random weights.

    :param tokenizer: The folder of a model whose tokenizer it has.
    :returns: The folder.
    """
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=json.loads((tokenizer / "config.json").read_text())["vocab_size"],
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=max(1, width // hidden_of_a_head),
        num_hidden_layers=num_layers,
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (tokenizer / name).exists():
            shutil.copy(tokenizer / name, folder)
    return folder
