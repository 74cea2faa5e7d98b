"""The encoder type ``elmo``: the biLMs that AllenNLP has published, and others in their format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from embedpipe.encoders.elmo.named_file import require_file
from embedpipe.encoders.model_files import ModelFiles

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.loaded import LoadedElmo
    from embedpipe.encoders.outline import EncoderOutline


@dataclass(frozen=True)
class Elmo:
    """ELMo: a character CNN and a bidirectional language model (biLM), as AllenNLP publishes them, in float32.

    Layer 0 is the output of the character CNN, twice side by side, so that it is as wide as the biLM's layers, which follow:
    two in the published models. A word is one unit, whatever it is; one longer than the model's limit (48 bytes of UTF-8) is
    known to it by its beginning alone, and has the flag CUT.

    :param options_file: The model's options.json.
    :param weight_file: The model's weights.hdf5.
    :param stateful: Carry the biLM's state from batch to batch, as AllenNLP does: a sentence's vectors then depend on all
        those before it. Left out: the state is reset, and they depend on the sentence alone.
    :param batch_sentences: With stateful, how many consecutive sentences of the corpus are a batch: each goes on from the
        state that the sentence so many places before it has left. Without, it has no effect.
    :param device: auto, cpu, cuda, cuda:N or mps. auto takes the best that the machine has.
    """

    options_file: str
    weight_file: str
    stateful: bool = False
    batch_sentences: Annotated[int, Gt(0)] = 64
    device: str = "auto"

    def find(self) -> ModelFiles:
        """Find the two files.

        :raises EncoderError: If one of them is not there.
        """
        options = require_file("encoder.options_file", self.options_file, "the options.json of an ELMo")
        weights = require_file("encoder.weight_file", self.weight_file, "the weights.hdf5 that belongs to options_file")
        return ModelFiles(self.weight_file, weights.parent, None, (options, weights))

    def outline(self, files: ModelFiles) -> EncoderOutline:
        """Its shape, by its options; the weights stay unread.

        :raises EncoderError: If the options are not those of an ELMo.
        """
        from embedpipe.encoders.elmo.options import read_options
        from embedpipe.encoders.elmo.vocabulary import SpelledWords
        from embedpipe.encoders.outline import EncoderOutline

        options = read_options(files.named[0])
        return EncoderOutline(
            files=files.all,
            description={"model": files.name, "revision": None, "architecture": "ELMo"},
            num_layers=options.num_layers,
            hidden_size=options.hidden_size,
            max_window=None,
            is_causal=False,
            vocabulary=SpelledWords(options.max_characters),
            batch_sentences=self._batch_sentences,
        )

    def load(self, files: ModelFiles) -> LoadedElmo:
        """Load the weights.

        :raises EncoderError: If a file is not what it should be, the two do not fit, or the device is not to be had.
        """
        from embedpipe.encoders.elmo.loaded import load_elmo

        return load_elmo(files, device=self.device, batch_sentences=self._batch_sentences)

    @property
    def _batch_sentences(self) -> int | None:
        return self.batch_sentences if self.stateful else None
