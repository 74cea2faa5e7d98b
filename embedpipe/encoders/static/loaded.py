"""Static vectors in memory, or rather mapped into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from embedpipe.encoders.static.cache import load_table
from embedpipe.encoders.static.table_file import DamagedTableError
from embedpipe.encoders.static.unknown import DrawnVectors, OneVector, SubwordVectors, UnknownWords
from embedpipe.encoders.static.vocabulary import Case, StaticVocabulary
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import Batch, FloatArray, HiddenStates, IntArray
    from embedpipe.encoders.model_files import ModelFiles
    from embedpipe.encoders.static.recognize import Format
    from embedpipe.encoders.static.table import Table

Unknown: TypeAlias = Literal["zero", "mean", "random", "subwords"]


class LoadedStatic:
    """A file of word vectors; see :class:`embedpipe.dataflow.Encoder`. It has no layers but its vectors, layer 0."""

    num_layers = 0
    max_window: int | None = None

    def __init__(
        self, files: ModelFiles, format: Format | None, *, case: Case, unknown: Unknown | None, normalize: bool
    ) -> None:
        self._files = files
        self._table = load_table(files.named[0], format)
        has_ngrams = self._table.ngrams.num_buckets > 0
        self._policy = choose_unknown(unknown, files.name, self._table.contents["format"], has_ngrams=has_ngrams)
        self._unknown = _unknown_words(self._policy, self._table)
        self._normalize = normalize
        self.vocabulary = StaticVocabulary(self._table, case, self._unknown)

    @property
    def files(self) -> tuple[Path, ...]:
        return self._files.all

    @property
    def hidden_size(self) -> int:
        return self._table.vector_size

    @property
    def description(self) -> Mapping[str, Any]:
        return {
            "model": self._files.name,
            "revision": None,
            "architecture": f"static vectors ({self._table.contents['format']})",
            "num_layers": self.num_layers,
            "hidden_size": self.hidden_size,
            "num_parameters": self._table.rows.size,
            "precision": "float32",
            "device": "cpu",
            "device_name": "cpu",
            "unknown": self._policy,
            "normalize": self._normalize,
        }

    def encode(self, batch: Batch, layers: Iterable[int]) -> HiddenStates:
        if above := set(layers) - {0}:
            raise EncoderError(f"encoding layer {max(above)}: {self._files.name!r} has word vectors only, layer 0")
        real = batch.attention_mask.bool().cpu()
        states = torch.zeros((*real.shape, self.hidden_size))  # (num_windows, length, hidden_size)
        inputs, places = np.unique(batch.input_ids.cpu()[real].numpy(), return_inverse=True)
        states[real] = torch.from_numpy(self._vectors(inputs)[places])
        return {0: states}

    def _vectors(self, inputs: IntArray) -> FloatArray:
        """Vectors of different words.

        :param inputs: Ascending. *Shape:* ``(num_words,)``, int64.
        :returns: *Shape:* ``(num_words, hidden_size)``, float32.
        """
        num_known = int(np.searchsorted(inputs, self._table.num_words))
        vectors = np.empty((len(inputs), self.hidden_size), np.float32)
        try:
            vectors[:num_known] = self._table.take(inputs[:num_known])
            for index in range(num_known, len(inputs)):
                vectors[index] = self._unknown.vector(int(inputs[index]) - self._table.num_words)
        except DamagedTableError:
            self._table.place.unlink(missing_ok=True)
            raise EncoderError(
                f"the table of {self._files.name!r} was damaged on the disk and is removed: {self._table.place}; run the same "
                "again, which makes a new one"
            ) from None
        return _of_length_one(vectors) if self._normalize else vectors


def choose_unknown(unknown: Unknown | None, name: str, format: str, *, has_ngrams: bool) -> Unknown:
    """What a word gets that a file does not have.

    :param unknown: As the config says; ``None`` where it does not.
    :param name: Of the file, for the message, as its format.
    :raises EncoderError: If it is to be made of n-grams, and the file has none.
    """
    if unknown == "subwords" and not has_ngrams:
        raise EncoderError(
            f"encoder.unknown: 'subwords', but {name!r} ({format}) has no character n-grams; take zero, mean or random, or a "
            "fastText model with n-grams (.bin)"
        )
    return unknown or ("subwords" if has_ngrams else "zero")


def _unknown_words(policy: Unknown, table: Table) -> UnknownWords:
    if policy == "subwords":
        return SubwordVectors(table)
    if policy == "random":
        return DrawnVectors(table.vector_size, table.contents["rms"])
    return OneVector(table.mean if policy == "mean" else np.zeros(table.vector_size, np.float32))


def _of_length_one(vectors: FloatArray) -> FloatArray:
    """Scale each row, zeros apart."""
    lengths = np.sqrt(np.square(vectors.astype(np.float64)).sum(axis=1, keepdims=True))
    scaled: FloatArray = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return scaled
