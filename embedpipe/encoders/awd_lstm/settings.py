"""What a config says of an AWD-LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.encoders.model_files import ModelFiles
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.encoders.awd_lstm.loaded import LoadedAwdLstm
    from embedpipe.encoders.outline import EncoderOutline


@dataclass(frozen=True)
class AwdLstm:
    """The language model of ULMFiT (Howard and Ruder 2018; Merity et al. 2017), from files that fastai has saved.

    Layer 0 is the embedding, 1 and up are the LSTMs; their widths differ (400, 1152, 1152, 400 in the published models), so
    that layers can be taken singly, concatenated, or stacked, narrower ones filled up with zeros, but not added. With both
    directions, each layer is the forward model's vector and behind it the backward model's.

    :param vocabulary: The words that the rows of the embedding stand for: fastai's pickled list (itos.pkl, of which nothing
        but lists, dicts, strings and integers is read), a JSON list, or a text file with one a line.
    :param weights: The forward model: fastai's .pth (of a language model, its encoder, or a classifier), or its weights under
        the same names as .safetensors.
    :param backward_weights: The backward model, which has read its texts from the end. At least one of the two must be given.
    :param backward_vocabulary: Of the backward model; left out: the same.
    :param device: auto, cpu, cuda, cuda:N or mps. auto takes the best that the machine has.
    """

    vocabulary: str
    weights: str | None = None
    backward_weights: str | None = None
    backward_vocabulary: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.weights is None and self.backward_weights is None:
            raise ValueError("weights: give a forward model, or a backward one with 'backward_weights', or both")
        if self.backward_vocabulary is not None and self.backward_weights is None:
            raise ValueError("backward_vocabulary: there are no 'backward_weights' that it could be the vocabulary of")

    def find(self) -> ModelFiles:
        """Find the files.

        :raises EncoderError: If one is not there.
        """
        names = ("weights", "backward_weights", "vocabulary", "backward_vocabulary")
        given = {name: Path(path).expanduser() for name in names if (path := getattr(self, name)) is not None}
        for name, path in given.items():
            if not path.is_file():
                found = "is a folder" if path.is_dir() else "does not exist"
                raise EncoderError(f"encoder.{name}: {str(path)!r} {found}; give a file that fastai has saved")
        files = tuple(dict.fromkeys(given.values()))
        self._require_unlike_names(given)
        name = " + ".join(path for path in (self.weights, self.backward_weights) if path is not None)
        return ModelFiles(name, files[0].parent, None, files)

    def is_causal(self, files: ModelFiles) -> bool:
        """Whether there is a forward model, in which only the last unit of a word knows all of it; no file is read."""
        return self.weights is not None

    def outline(self, files: ModelFiles) -> EncoderOutline:
        """Its shape, by the shapes of its weights, which stay unread (those of a .pth of torch before 1.6 are read).

        :raises EncoderError: If a file is damaged or something else.
        """
        from embedpipe.encoders.awd_lstm.outline import outline

        return outline(self, files)

    def load(self, files: ModelFiles) -> LoadedAwdLstm:
        """Load the weights.

        :raises EncoderError: If a file is damaged or something else, or the device is not to be had.
        """
        from embedpipe.encoders.awd_lstm.loaded import load

        return load(self, files)

    def _require_unlike_names(self, given: dict[str, Path]) -> None:
        """A store knows a model's files by their names, without folders."""
        taken: dict[str, tuple[str, Path]] = {}
        for name, path in given.items():
            other, where = taken.setdefault(path.name, (name, path))
            if where != path:
                raise EncoderError(
                    f"encoder.{name}: {str(path)!r} has the same file name as encoder.{other}, and a store tells the files of "
                    "a model by their names; rename one, or leave it out where they are the same"
                )
