"""A transformer in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging as transformers_logging

from embedpipe.encoders.capture import LayerCapture, outermost_layers
from embedpipe.encoders.device import Precision, choose_device, choose_dtype
from embedpipe.encoders.gelu_in_pieces import split_gelus
from embedpipe.encoders.inputs import inputs_of
from embedpipe.encoders.outline import is_causal, layers_and_width, longest_window
from embedpipe.encoders.packed_linear import BATCH_MULTIPLE, pack_weights
from embedpipe.encoders.padded_keys import pad_keys
from embedpipe.encoders.saturation import SaturationWatch
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, HiddenStates
    from embedpipe.encoders.model_files import ModelFiles


class LoadedTransformer:
    """A frozen encoder of transformers; see :class:`embedpipe.dataflow.Encoder`."""

    is_thread_safe = True
    """Whether threads may encode batches side by side."""

    def __init__(self, files: ModelFiles, *, precision: Precision, device: str, allow_pickle: bool) -> None:
        self._files = files
        self._device = choose_device(device)
        self._precision = precision
        dtype = choose_dtype(precision, self._device)
        self._model = load_model(files, dtype, allow_pickle=allow_pickle).eval().requires_grad_(False).to(self._device)
        self._num_parameters = sum(parameter.numel() for parameter in self._model.parameters())
        self.batch_multiple = BATCH_MULTIPLE if pack_weights(self._model) else 1
        """Of which the number of subwords of a batch should be a multiple."""
        split_gelus(self._model)
        config: Any = self._model.config
        self._config = config
        self.num_layers, self.hidden_size = layers_and_width(self._model, files)
        self.is_causal = is_causal(self._model, config)
        """Whether a subword is computed from those before it only."""
        self._attention = config._attn_implementation
        if not self.is_causal:
            with _quiet():
                pad_keys(self._model)
        self._capture = LayerCapture(self._model, self.num_layers)
        layers = outermost_layers(self._model) if dtype == torch.float16 and self._capture.hooks_work else None
        self._watch = None if layers is None else SaturationWatch(layers)

    @property
    def files(self) -> tuple[Path, ...]:
        return self._files.all

    @property
    def description(self) -> Mapping[str, Any]:
        return {
            "model": self._files.name,
            "revision": self._files.revision,
            "architecture": type(self._model).__name__,
            "num_layers": self.num_layers,
            "hidden_size": self.hidden_size,
            "num_parameters": self._num_parameters,
            "precision": self._precision,
            "device": str(self._device),
            "device_name": torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else self._device.type,
            "attention": self._attention,
        }

    @property
    def max_window(self) -> int | None:
        return longest_window(self._model, self._config)

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        inputs = inputs_of(self._model, batch, self._device)
        try:
            with torch.inference_mode():
                if self._watch is None:
                    return self._capture.run(layers, **inputs)
                self._watch.start()
                return self._watch.mark(self._capture.run(layers, **inputs), inputs["attention_mask"])
        except (RuntimeError, IndexError) as error:
            out_of_memory = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            rows, length = batch.input_ids.shape
            reason = "out of memory; lower batching.budget_subwords" if out_of_memory else _first_line(error)
            windows = "a window" if rows == 1 else f"{rows} windows"
            raise EncoderError(f"encoding {windows} of {length} subwords on {self._device}: {reason}") from error


def load_model(files: ModelFiles, dtype: torch.dtype, *, allow_pickle: bool) -> nn.Module:
    """The encoder as transformers has it, neither frozen nor moved to a device.

    :raises EncoderError: If its weights cannot be read, or do not fit.
    """
    where = f"encoder.model: {files.name!r} ({files.folder})"
    with _quiet():
        try:
            config = _without_decoder(AutoConfig.from_pretrained(files.folder, trust_remote_code=False))
            model, report = _from_pretrained(files.folder, config, dtype, allow_pickle=allow_pickle)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
            raise EncoderError(f"{where} cannot be loaded: {_first_line(error)}") from error
        except Exception as error:  # safetensors' own error is a bare Exception
            if type(error).__module__.split(".")[0] not in ("safetensors", "safetensors_rust", "huggingface_hub", "builtins"):
                raise
            raise EncoderError(f"{where} has damaged weights: {_first_line(error)}") from error
    encoder: Any = model.get_encoder() if config.is_encoder_decoder else model
    encoder.config.use_cache = False  # which decoders fill for the words to come
    if missing := _missing(report["missing_keys"], model, encoder):
        raise EncoderError(
            f"{where}: {len(missing)} weights are missing from the file, among them {missing[0]!r}; "
            f"the vectors would be random. Are these the weights of a {type(model).__name__}?"
        )
    loaded: nn.Module = encoder
    return loaded


def _without_decoder(config: Any) -> Any:
    """Leave the layers of an encoder-decoder's decoder out, so that they take no memory while the encoder is loaded."""
    for name in ("decoder_layers", "num_decoder_layers"):
        if config.is_encoder_decoder and hasattr(config, name):
            setattr(config, name, 0)
    return config


def _missing(names: Iterable[str], model: nn.Module, encoder: nn.Module) -> list[str]:
    """Which of the weights that a file lacks the encoder computes with: not a decoder's, and not a pooler's."""
    of_model = dict(model.named_parameters(remove_duplicate=False))
    of_encoder = {id(parameter) for parameter in encoder.parameters()}
    needed = (name for name in names if name not in of_model or id(of_model[name]) in of_encoder)
    return sorted(name for name in needed if "pooler" not in name)


def _from_pretrained(folder: Path, config: Any, dtype: torch.dtype, *, allow_pickle: bool) -> tuple[Any, Mapping[str, Any]]:
    has_safetensors = any(folder.glob("*.safetensors"))
    settings = {
        "config": config,
        "dtype": dtype,
        "use_safetensors": has_safetensors or not allow_pickle,
        "trust_remote_code": False,
        "output_loading_info": True,
    }
    try:
        loaded: tuple[Any, Mapping[str, Any]] = AutoModel.from_pretrained(folder, attn_implementation="sdpa", **settings)
    except ValueError as error:
        if "scaled_dot_product_attention" not in str(error):
            raise
        loaded = AutoModel.from_pretrained(folder, attn_implementation="eager", **settings)
    return loaded


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and load reports off the terminal; what matters in them is an error here."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
