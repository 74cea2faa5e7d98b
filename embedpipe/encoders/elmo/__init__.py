"""ELMo (Peters et al. 2018): characters, a convolution over each word's, and a bidirectional language model above it."""

from embedpipe.encoders.elmo.settings import Elmo
from embedpipe.encoders.elmo.written_settings import AllenNlpElmoFile

__all__ = ["AllenNlpElmoFile", "Elmo"]
