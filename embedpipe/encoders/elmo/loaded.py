"""An ELMo in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from embedpipe.encoders.device import choose_device
from embedpipe.encoders.elmo.bilm import BiLm
from embedpipe.encoders.elmo.carried_states import CarriedStates
from embedpipe.encoders.elmo.char_cnn import CharacterCnn
from embedpipe.encoders.elmo.options import ElmoOptions, read_options
from embedpipe.encoders.elmo.packed import Packing
from embedpipe.encoders.elmo.vocabulary import SpelledWords
from embedpipe.encoders.elmo.weights_file import WeightsFile
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, HiddenStates
    from embedpipe.encoders.model_files import ModelFiles


def load_elmo(files: ModelFiles, *, device: str, batch_sentences: int | None) -> LoadedElmo:
    """Read the options and the weights that belong to them.

    :param files: With options and weights as the named ones.
    :param batch_sentences: Of a batch, where the state is carried from batch to batch; ``None`` where it is not.
    :raises EncoderError: If a file is not what it should be, the two do not fit, or the device is not to be had.
    """
    chosen = choose_device(device)
    options_file, weight_file = files.named
    options = read_options(options_file)
    with WeightsFile(weight_file, chosen) as weights:
        cnn, bilm = CharacterCnn.load(options, weights), BiLm.load(options, weights)
        return LoadedElmo(files, options, cnn, bilm, batch_sentences=batch_sentences, num_parameters=weights.num_parameters)


class LoadedElmo:
    """A frozen ELMo; see :class:`embedpipe.dataflow.Encoder`, and where the state is carried, :mod:`embedpipe.in_order`."""

    def __init__(
        self,
        files: ModelFiles,
        options: ElmoOptions,
        cnn: CharacterCnn,
        bilm: BiLm,
        *,
        batch_sentences: int | None,
        num_parameters: int,
    ) -> None:
        self._files = files
        self._options = options
        self._cnn = cnn
        self._bilm = bilm
        self._device = cnn.bias.device
        self._num_parameters = num_parameters
        self.vocabulary = SpelledWords(options.max_characters)
        self.batch_sentences = batch_sentences
        """Consecutive sentences of a batch, where the state is carried from batch to batch; ``None`` where it is not."""
        self.carried = None if batch_sentences is None else CarriedStates(bilm)
        self.is_thread_safe = batch_sentences is None
        """Whether threads may encode batches side by side: where no batch goes on from another."""

    @property
    def files(self) -> tuple[Path, ...]:
        return self._files.all

    @property
    def description(self) -> Mapping[str, Any]:
        in_order = {"batch_sentences": self.batch_sentences, "order": "corpus"} if self.batch_sentences else {}
        return {
            "model": self._files.name,
            "revision": None,
            "architecture": "ELMo",
            "num_layers": self.num_layers,
            "hidden_size": self.hidden_size,
            "num_parameters": self._num_parameters,
            "precision": "float32",
            "device": str(self._device),
            "device_name": torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else self._device.type,
            "stateful": self.batch_sentences is not None,
        } | in_order

    @property
    def num_layers(self) -> int:
        return self._options.num_layers

    @property
    def hidden_size(self) -> int:
        return self._options.hidden_size

    @property
    def max_window(self) -> int | None:
        return None

    def start_over(self) -> None:
        """Forget the state: the next batch is the first one of a corpus."""
        if self.batch_sentences is not None:
            self.carried = CarriedStates(self._bilm)

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        """Run the layers that are needed.

        Stateful, row after row goes on from the state that the same row of the batch before has left.

        :raises EncoderError: If there is not enough memory; the carried state is then what it was.
        """
        try:
            with torch.inference_mode():
                return self._encode(batch, frozenset(layers))
        except RuntimeError as error:
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            out_of_memory = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            less = "encoder.batch_sentences" if self.batch_sentences else "batching.budget_subwords"
            reason = f"out of memory; lower {less}" if out_of_memory else str(error).split("\n", 1)[0]
            rows, length = batch.input_ids.shape
            raise EncoderError(f"encoding {rows} windows of {length} words on {self._device}: {reason}") from error

    def _encode(self, batch: Batch, wanted: frozenset[int]) -> HiddenStates:
        packing = Packing.of(batch.attention_mask)
        words = self._vectors(batch.input_ids.flatten()[packing.places])
        num_rows = len(packing.order)
        states = self._bilm.new_states(num_rows) if self.carried is None else self.carried.take(packing.order)
        outputs = self._outputs(words, self._bilm(words, packing.num_active, states), max(wanted))
        hidden_states = {layer: packing.unpack(output) for layer, output in outputs if layer in wanted}
        if self.carried is not None:
            self.carried.put(packing.order, states)
        return hidden_states

    def _outputs(self, words: Tensor, above: Iterator[Tensor], highest: int) -> Iterator[tuple[int, Tensor]]:
        """The layers up to the highest one; none above it is run."""
        yield 0, torch.cat([words, words], dim=1)
        for layer in range(1, highest + 1):
            yield layer, next(above)

    def _vectors(self, numbers: Tensor) -> Tensor:
        """Vectors of words, each of which is spelled once, however often it stands in the batch.

        :param numbers: The vocabulary's. *Shape:* ``(num_packed,)``, int64.
        :returns: *Shape:* ``(num_packed, projection_size)``.
        """
        different, places = torch.unique(numbers, return_inverse=True)
        spelled = self._cnn(self.vocabulary.spellings(different.tolist()))
        return spelled[places.to(spelled.device)]
