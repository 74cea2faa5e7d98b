"""Encoders: pretrained models, frozen, that turn batches of subwords into hidden states."""

from embedpipe.encoders.model_files import EMBEDDED, ModelFiles, find_model
from embedpipe.encoders.transformer import Transformer

__all__ = ["EMBEDDED", "ModelFiles", "Transformer", "find_model"]
