"""The encoder type ``allennlp_elmo_file``: vectors that ``allennlp elmo`` has written, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedpipe.encoders.elmo.named_file import require_file
from embedpipe.encoders.model_files import ModelFiles

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.written import WrittenElmo


@dataclass(frozen=True)
class AllenNlpElmoFile:
    """Old features: the HDF5 file of the command ``allennlp elmo``, so that its vectors can be stored and compared.

    A sentence is looked up by its words, with one space between each two, in the file's own index, so that the corpus must have
    the very words that the file was made of. Of sentences with the same words, the index knows the last one only. A file of
    --all has layers 0 to 2, one of --top or --average layer 0 alone.

    :param path: The file.
    """

    path: str

    def find(self) -> ModelFiles:
        """Find the file.

        :raises EncoderError: If it is not there.
        """
        path = require_file("encoder.path", self.path, "the HDF5 file of the command allennlp elmo")
        return ModelFiles(self.path, path.parent, None, (path,))

    def load(self, files: ModelFiles) -> WrittenElmo:
        """Open the file and read its index.

        :raises EncoderError: If it is something else.
        """
        from embedpipe.encoders.elmo.written import WrittenElmo

        return WrittenElmo(files)
