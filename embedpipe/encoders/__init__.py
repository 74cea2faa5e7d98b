"""Encoders: pretrained models, frozen, that turn batches of subwords into hidden states."""

from embedpipe.encoders.awd_lstm import AwdLstm
from embedpipe.encoders.elmo import AllenNlpElmoFile, Elmo
from embedpipe.encoders.model_files import EMBEDDED, ModelFiles, find_model
from embedpipe.encoders.static import Static
from embedpipe.encoders.transformer import Transformer

__all__ = ["EMBEDDED", "AllenNlpElmoFile", "AwdLstm", "Elmo", "ModelFiles", "Static", "Transformer", "find_model"]
