"""The encoder type ``awd_lstm``: ULMFiT's language models, as fastai saves them."""

from embedpipe.encoders.awd_lstm.settings import AwdLstm

__all__ = ["AwdLstm"]
