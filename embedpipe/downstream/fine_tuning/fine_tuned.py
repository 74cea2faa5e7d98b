"""What a fine-tuning ends with: a model that tags sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.downstream.fine_tuning.memory import Budget
from embedpipe.downstream.fine_tuning.prediction import predict_codes

if TYPE_CHECKING:
    from embedpipe.dataflow import Sentence
    from embedpipe.downstream.fine_tuning.inputs import Reader
    from embedpipe.downstream.fine_tuning.model import FineTunedModel
    from embedpipe.downstream.heads.head import Epoch


class FineTuned:
    """A fine-tuned encoder with its linear layer.

    :param fallback: The tag of a word (or sentence) without subwords.
    :param epochs: How the training went.
    :param budget_subwords: How much goes through the encoder at a time.
    """

    def __init__(
        self,
        reader: Reader,
        model: FineTunedModel,
        tags: tuple[str, ...],
        fallback: str,
        epochs: tuple[Epoch, ...],
        budget_subwords: int,
    ) -> None:
        self._reader = reader
        self._model = model
        self._fallback = fallback
        self._budget = Budget(budget_subwords)
        self.tags = tags
        self.epochs = epochs

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the epoch whose weights these are: the first with the best score."""
        return max(self.epochs, key=lambda epoch: epoch.score).number

    def predict(self, sentences: Iterable[Sentence]) -> list[list[str]] | list[str]:
        """Tag new sentences; labels that they have are not looked at.

        :param sentences: In the order of their documents, which matters for a context of documents.
        :returns: A list with one tag a word for each sentence; where sentences are labelled, one tag each.
        :raises EncoderError: If one sentence alone does not fit into memory.
        """
        inputs = self._reader.read(sentences)
        names = np.array([*self.tags, self._fallback], object)  # NO_CODE is the last
        codes = predict_codes(self._model, inputs, self._budget, self._reader.special.pad_id)
        rows: list[list[str]] = [names[predicted].tolist() for predicted in codes]
        return rows if self._reader.unit == "word" else [tag for row in rows for tag in row]
