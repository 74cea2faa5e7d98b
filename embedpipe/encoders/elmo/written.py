"""A file of the command ``allennlp elmo``, as an encoder that looks vectors up."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import torch

from embedpipe.dataflow import SpecialSubwords, Units
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, FloatArray, HiddenStates
    from embedpipe.encoders.model_files import ModelFiles

INDEX = "sentence_to_index"
_LARGEST_ID = 2**31 - 1
_EXPECTED = "expected the HDF5 file of the command allennlp elmo, with its index (not made with --forget-sentences)"


class WordList:
    """The words of a corpus, numbered as they come; see :class:`embedpipe.dataflow.Vocabulary`."""

    special = SpecialSubwords(prefix=(), suffix=(), pad_id=0, cls_index=None)
    description: Mapping[str, Any] = {"class": "words", "unit": "word", "ids": "crc32 of UTF-8, without its highest bit"}

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.words: list[str] = []

    def units(self, word: str) -> Units:
        """One unit, but for an empty word, which no line of such a file's input can hold."""
        if not word:
            return Units((), ())
        number = self._numbers.setdefault(word, len(self.words))
        if number == len(self.words):
            self.words.append(word)
        return Units((zlib.crc32(word.encode("utf-8", "replace")) & _LARGEST_ID,), (number,))


class WrittenElmo:
    """See :class:`embedpipe.dataflow.Encoder`.

    :raises EncoderError: If the file is something else, or damaged.
    """

    max_window: int | None = None

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._where = f"encoder.path: {files.name!r}"
        self.vocabulary = WordList()
        try:
            self._file = h5py.File(files.named[0], "r")
            index = json.loads(self._file[INDEX][0])
            self._keys = {tuple(sentence.split()): key for sentence, key in index.items()}
            shape = self._file[next(iter(index.values()))].shape
        except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, StopIteration) as error:
            reason = "it has no such index, or an empty one" if isinstance(error, KeyError | StopIteration) else str(error)
            raise EncoderError(f"{self._where} cannot be used ({reason}); {_EXPECTED}") from error
        if shape is None or len(shape) not in (2, 3):
            raise EncoderError(f"{self._where} has vectors of shape {shape}; {_EXPECTED}")
        self._num_stacked = shape[0] if len(shape) == 3 else 1
        self._is_stacked = len(shape) == 3
        self._size = int(shape[-1])

    @property
    def files(self) -> tuple[Path, ...]:
        return self._files.all

    @property
    def description(self) -> Mapping[str, Any]:
        return {
            "model": self._files.name,
            "revision": None,
            "architecture": "file of allennlp elmo",
            "num_layers": self.num_layers,
            "hidden_size": self.hidden_size,
            "num_known_sentences": len(self._keys),
            "precision": "float32",
            "device": "cpu",
            "device_name": "file",
        }

    @property
    def num_layers(self) -> int:
        return self._num_stacked - 1

    @property
    def hidden_size(self) -> int:
        return self._size

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        """Look sentences up.

        :raises EncoderError: If the file does not have one of them, or is damaged.
        """
        wanted = sorted(layers)
        lengths = batch.attention_mask.sum(dim=1).tolist()
        num_rows, length = batch.input_ids.shape
        hidden = {layer: torch.zeros(num_rows, length, self._size) for layer in wanted}
        for row, (numbers, count) in enumerate(zip(batch.input_ids.tolist(), lengths, strict=True)):
            vectors = self._vectors(tuple(self.vocabulary.words[number] for number in numbers[:count]))
            for layer in wanted:
                hidden[layer][row, :count] = torch.from_numpy(vectors[layer])
        return hidden

    def _vectors(self, words: tuple[str, ...]) -> FloatArray:
        """*Shape:* ``(num_layers + 1, num_words, hidden_size)``."""
        sentence = " ".join(words)
        shown = repr(sentence if len(sentence) <= 60 else f"{sentence[:57]}...")
        if (key := self._keys.get(words)) is None:
            raise EncoderError(
                f"{self._where} has no sentence of the words {shown}; the corpus must have the words that the file was made "
                "of, split at white space, each sentence whole (no context.window, no context of the type document)"
            )
        try:
            vectors = np.asarray(self._file[key], dtype=np.float32)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise EncoderError(f"{self._where}: the vectors of {shown} (dataset {key!r}) cannot be read: {error}") from error
        vectors = vectors if self._is_stacked else vectors[None]
        if vectors.shape != (self._num_stacked, len(words), self._size):
            raise EncoderError(
                f"{self._where}: the vectors of {shown} (dataset {key!r}) have the shape {vectors.shape}; expected "
                f"{(self._num_stacked, len(words), self._size)}"
            )
        return vectors
