"""The vectors that an encoder has for words before it has seen any context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Sentence

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray
    from embedpipe.job import EncoderSettings


class StaticVectors:
    """Mean rows of the subword embedding table: one vector a word form, wherever it stands. Tables are loaded once.

    (Layer 0 is not that: position and type embeddings are added there, and normalised.)

    :param encoders: By name.
    """

    def __init__(self, encoders: Mapping[str, EncoderSettings]) -> None:
        self._encoders = encoders
        self._tables: dict[str, tuple[object, FloatArray]] = {}

    def __call__(self, encoder_name: str, words: Sequence[str]) -> FloatArray | None:
        """Vectors of words.

        :returns: *Shape:* ``(num_words, vector_size)``, zeros for a word without subwords; ``None`` where the encoder has no
            such table.
        """
        from embedpipe.subwords import SubwordTokenizer

        encoder = self._encoders[encoder_name]
        load = getattr(encoder, "load_trainable", None)
        if load is None:
            return None
        files = encoder.find()
        if encoder_name not in self._tables:
            table = load(files).get_input_embeddings().weight.detach().float().cpu().numpy()
            self._tables[encoder_name] = (SubwordTokenizer(files.folder), table)
        tokenizer, table = self._tables[encoder_name]
        assert isinstance(tokenizer, SubwordTokenizer)
        sentences = (Sentence.from_words(str(index), str(index), [word]) for index, word in enumerate(words))
        rows = [table[aligned.subword_ids] for aligned in tokenizer.tokenize(sentences)]
        zero = np.zeros(table.shape[1], np.float32)
        return np.stack([part.mean(axis=0) if len(part) else zero for part in rows]) if rows else zero[None][:0]
