"""An AWD-LSTM in memory: one direction or both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from embedpipe.encoders.awd_lstm.network import AwdLstmNetwork
from embedpipe.encoders.awd_lstm.outline import architecture, sizes_together
from embedpipe.encoders.awd_lstm.parts import read_parts, vocabulary_of
from embedpipe.encoders.device import choose_device
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, HiddenStates
    from embedpipe.encoders.awd_lstm.settings import AwdLstm
    from embedpipe.encoders.awd_lstm.vocabulary import AwdLstmVocabulary
    from embedpipe.encoders.model_files import ModelFiles


class LoadedAwdLstm:
    """A frozen AWD-LSTM; see :class:`embedpipe.dataflow.Encoder`.

    :param networks: The directions; their vectors stand one behind the other in this order.
    """

    max_window: int | None = None

    def __init__(
        self, files: ModelFiles, networks: Iterable[AwdLstmNetwork], vocabulary: AwdLstmVocabulary, device: torch.device
    ) -> None:
        self._files = files
        self._networks = [network.eval().requires_grad_(False).to(device) for network in networks]
        self._device = device
        self.vocabulary = vocabulary

    @property
    def files(self) -> tuple[Path, ...]:
        return self._files.all

    @property
    def description(self) -> Mapping[str, Any]:
        return {
            "model": self._files.name,
            "revision": None,
            "architecture": architecture(network.backward for network in self._networks),
            "num_layers": self.num_layers,
            "hidden_size": self.hidden_size,
            "layer_sizes": list(self.layer_sizes),
            "num_parameters": sum(weight.numel() for network in self._networks for weight in network.parameters()),
            "precision": "float32",
            "device": str(self._device),
            "device_name": torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else self._device.type,
        }

    @property
    def num_layers(self) -> int:
        return len(self.layer_sizes) - 1

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Width of each layer, of the embedding first."""
        return sizes_together(network.sizes for network in self._networks)

    @property
    def hidden_size(self) -> int:
        """Width of the widest layer."""
        return max(self.layer_sizes)

    @property
    def is_causal(self) -> bool:
        """Whether there is a forward model, in which only the last unit of a word knows all of it."""
        return not all(network.backward for network in self._networks)

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        """Run the directions up to the highest of ``layers``.

        :returns: *Shape:* ``(num_windows, length, layer_sizes[layer])`` for each layer.
        :raises EncoderError: If the memory does not suffice.
        """
        wanted = frozenset(layers)
        ids, lengths = batch.input_ids.to(self._device), batch.attention_mask.sum(dim=1).to(self._device)
        try:
            with torch.inference_mode():
                directions = [network(ids, lengths, max(wanted)) for network in self._networks]
                return {layer: torch.cat([states[layer] for states in directions], dim=-1) for layer in wanted}
        except RuntimeError as error:
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            out_of_memory = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            rows, length = batch.input_ids.shape
            reason = "out of memory; lower batching.budget_subwords" if out_of_memory else str(error).split("\n", 1)[0]
            windows = "a window" if rows == 1 else f"{rows} windows"
            raise EncoderError(f"encoding {windows} of {length} units on {self._device}: {reason}") from error


def load(settings: AwdLstm, files: ModelFiles) -> LoadedAwdLstm:
    """Read weights and vocabularies.

    :raises EncoderError: If they are damaged, do not fit each other, or the device is not to be had.
    """
    device = choose_device(settings.device)
    parts = read_parts(settings)
    vocabulary = vocabulary_of(parts)
    networks = [AwdLstmNetwork(part.checkpoint, vocabulary.numbers_in(part.words), backward=part.backward) for part in parts]
    return LoadedAwdLstm(files, networks, vocabulary, device)
