"""The encoder type ``transformer``: any encoder, decoder, or encoder of an encoder-decoder of transformers, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from embedpipe.encoders.causal import is_causal
from embedpipe.encoders.model_files import EMBEDDED, ModelFiles, find_model

if TYPE_CHECKING:
    from torch import nn

    from embedpipe.encoders.loaded import LoadedTransformer
    from embedpipe.encoders.outline import EncoderOutline


@dataclass(frozen=True)
class Transformer:
    """A model of transformers: an encoder (BERT, RoBERTa, DistilBERT, MPNet, ELECTRA, DeBERTa, ModernBERT, XLM-R, ALBERT, ...),
    a decoder (GPT, GPT-2, Llama, Mistral, Qwen, Gemma, OPT, Pythia, BLOOM, ...), or the encoder of an encoder-decoder (T5,
    UMT5, BART, mBART, Marian, Pegasus, ...).

    In a decoder a subword has seen what stands before it and nothing behind: words are then their last subword unless a view
    says otherwise. A decoder that an encoder-decoder has is not kept in memory. Models of relative positions take windows as
    long as their config says that they were trained on: T5's, and where it says nothing, 512. mBART's language is the src_lang
    of its tokenizer_config.json.

    :param model: A local folder with config.json and model.safetensors, a hub id such as "bert-base-cased", or "minilm", the
        model that the extra [minilm] brings (all-MiniLM-L6-v2: 6 layers of 384).
    :param revision: Branch, tag or commit of the hub's model; the provenance keeps the commit.
    :param precision: What the encoder computes in: float32, bfloat16, or float16 (not on a CPU; where it overflows, that is an
        error). The weights take as much memory, and hardly more while they are loaded. Combination and pooling are computed in
        float32.
    :param device: auto, cpu, cuda, cuda:N or mps. auto takes the best that the machine has.
    :param allow_pickle: Also read weights that are a pickle (pytorch_model.bin). Only for files that you trust.
    """

    model: str = EMBEDDED
    revision: str | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    allow_pickle: bool = False

    def find(self) -> ModelFiles:
        """Find the model's files, on disk or through the hub.

        :raises EncoderError: If they are not there.
        """
        return find_model(self.model, self.revision, allow_pickle=self.allow_pickle)

    def outline(self, files: ModelFiles) -> EncoderOutline:
        """Its shape, without the weights; an encoder type that has no such method is loaded where its shape is asked for.

        :raises EncoderError: If the config is not one of transformers.
        """
        from embedpipe.encoders.outline import outline

        return outline(files)

    def is_causal(self, files: ModelFiles) -> bool:
        """Whether it computes a subword from those before it only, as a decoder does.

        :raises EncoderError: If the config is not one of transformers.
        """
        return is_causal(files)

    def load(self, files: ModelFiles) -> LoadedTransformer:
        """Load the weights.

        :raises EncoderError: If they do not fit the model, or the device or precision is not to be had.
        """
        from embedpipe.encoders.loaded import LoadedTransformer

        return LoadedTransformer(files, precision=self.precision, device=self.device, allow_pickle=self.allow_pickle)

    def load_trainable(self, files: ModelFiles) -> nn.Module:
        """Load the weights to be trained further: transformers' own model, on the device, in float32 whatever ``precision`` is.

        :raises EncoderError: If they do not fit the model, or the device is not to be had.
        """
        import torch

        from embedpipe.encoders.device import choose_device
        from embedpipe.encoders.loaded import load_model

        device = choose_device(self.device)
        return load_model(files, torch.float32, allow_pickle=self.allow_pickle).requires_grad_().to(device)
