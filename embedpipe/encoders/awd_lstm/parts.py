"""The models that an AWD-LSTM is put together of, as their files have them: a forward one, a backward one, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from embedpipe.encoders.awd_lstm.checkpoint import Checkpoint, read_checkpoint
from embedpipe.encoders.awd_lstm.vocabulary import AwdLstmVocabulary
from embedpipe.encoders.awd_lstm.vocabulary_file import read_vocabulary
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.encoders.awd_lstm.settings import AwdLstm


class Part(NamedTuple):
    """A model of one direction.

    :param words: Of its embedding's rows.
    :param backward: Whether it reads a text from its end.
    """

    checkpoint: Checkpoint
    words: tuple[str, ...]
    backward: bool


def read_parts(settings: AwdLstm, *, shapes_only: bool = False) -> list[Part]:
    """Read weights and vocabularies.

    :param shapes_only: Leave the weights unread: they are then tensors without numbers (of the device "meta").
    :returns: The models, a forward one first.
    :raises EncoderError: If they are damaged, or do not fit each other.
    """
    first_words = read_vocabulary(Path(settings.vocabulary).expanduser(), "encoder.vocabulary")
    parts = []
    if settings.weights is not None:
        checkpoint = _read(settings.weights, "encoder.weights", first_words, shapes_only)
        parts.append(Part(checkpoint, first_words, False))
    if settings.backward_weights is not None:
        words = first_words
        if settings.backward_vocabulary is not None:
            words = read_vocabulary(Path(settings.backward_vocabulary).expanduser(), "encoder.backward_vocabulary")
        checkpoint = _read(settings.backward_weights, "encoder.backward_weights", words, shapes_only)
        parts.append(Part(checkpoint, words, True))
    depths = [len(part.checkpoint.lstms) for part in parts]
    if len(set(depths)) > 1:
        raise EncoderError(
            f"encoder.backward_weights: the models have {depths[0]} and {depths[1]} layers; two that are put together layer by "
            "layer must have as many"
        )
    return parts


def vocabulary_of(parts: Sequence[Part]) -> AwdLstmVocabulary:
    """The words of all of them."""
    return AwdLstmVocabulary(*dict.fromkeys(part.words for part in parts))


def _read(path: str, setting: str, words: tuple[str, ...], shapes_only: bool) -> Checkpoint:
    checkpoint = read_checkpoint(Path(path).expanduser(), setting, shapes_only=shapes_only)
    if (num_rows := len(checkpoint.embedding)) != len(words):
        raise EncoderError(
            f"{setting}: {path!r} embeds {num_rows} words, and its vocabulary has {len(words)}; they do not belong together"
        )
    return checkpoint
