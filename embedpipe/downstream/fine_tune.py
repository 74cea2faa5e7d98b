"""The reference that frozen vectors are compared with: all weights of the encoder trained for the task.

As Devlin et al. 2019, sections 4 and 5.3: one new linear layer, over the last hidden state of each word's first subword, or of
the classification subword for labels of sentences (the mean of the subwords where an encoder has none). Of a decoder, the last
subword stands for a word, and the mean for a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from annotated_types import Ge, Gt, Lt

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from torch import nn

    from embedpipe.dataflow import Sentence
    from embedpipe.downstream.fine_tuning.fine_tuned import FineTuned
    from embedpipe.downstream.heads.head import OnEpoch
    from embedpipe.encoders import ModelFiles
    from embedpipe.subwords import Context


class TrainableEncoder(Protocol):
    """The settings of an encoder whose weights can be trained: the type ``transformer``."""

    def find(self) -> ModelFiles:
        """Find the model's files."""

    def load_trainable(self, files: ModelFiles) -> nn.Module:
        """Load the weights in float32, with gradients, on the device."""


@dataclass(frozen=True)
class FineTune:
    """Train the whole encoder for the task, with a linear layer on top, as Devlin et al. 2019. It runs on the encoder's device.

    The learning rate rises from 0 over the first ``warmup`` of all batches and then falls to 0, both linearly; weights are
    updated by AdamW. The epoch with the best score on the development sentences is kept.

    :param epochs: Passes over the training sentences. The paper tried 2, 3 and 4.
    :param learning_rate: The highest one. The paper tried 5e-5, 3e-5 and 2e-5; small encoders often need more.
    :param batch_sentences: Sentences of one update. The paper tried 16 and 32.
    :param budget_subwords: How many subwords go through the encoder at a time, padding counted. A batch with more is taken in
        pieces, with the same gradient, and so is one that does not fit into memory.
    :param warmup: Share of all updates in which the learning rate rises.
    :param weight_decay: Of weight matrices; biases and norms are not decayed.
    :param dropout: Before the linear layer. Within the encoder, its own configuration says.
    :param max_gradient_norm: A longer gradient is cut to this length.
    """

    epochs: Annotated[int, Gt(0)] = 3
    learning_rate: Annotated[float, Gt(0)] = 5e-5
    batch_sentences: Annotated[int, Gt(0)] = 32
    budget_subwords: Annotated[int, Gt(0)] = 4096
    warmup: Annotated[float, Ge(0), Lt(1)] = 0.1
    weight_decay: Annotated[float, Ge(0)] = 0.01
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    max_gradient_norm: Annotated[float, Gt(0)] = 1.0


def fine_tune(
    settings: FineTune,
    encoder: TrainableEncoder,
    train: Iterable[Sentence],
    dev: Iterable[Sentence],
    *,
    label: str,
    unit: Literal["word", "sentence"],
    seed: int,
    tags: Sequence[str] | None = None,
    context: Context | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | None = None,
) -> FineTuned:
    """Train on ``train``, choose the best epoch on ``dev``.

    The same sentences, settings and seed give the same model, on the same machine and number of threads. Words without
    subwords are not trained on, and are given ``O``, or the most frequent tag where there is no ``O``.

    :param encoder: The same settings that the frozen vectors were extracted with.
    :param train: In the order of their documents, which matters for a context of documents.
    :param label: Which of the sentences' labels to learn.
    :param tags: What it can be; other labels are taken for none. Left out: all that are in ``train``.
    :param context: What the encoder sees around a sentence. Left out: nothing.
    :param checkpoint: A file that holds the state after every epoch, from which an interrupted training goes on, bit for bit;
        removed at the end. Left out: none is kept.
    :raises FeaturesError: If there is nothing to learn from (no label, only one tag), the encoder's type cannot be trained, or
        the checkpoint is another training's.
    :raises EncoderError: If the model cannot be loaded, or one sentence alone does not fit into memory.
    :raises NonFiniteError: If the training diverges; names epoch and batch.
    """
    if not hasattr(encoder, "load_trainable"):
        raise FeaturesError(
            f"fine_tune: an encoder of type {type(encoder).__name__} cannot be fine-tuned; expected the type 'transformer'. "
            "Leave fine_tune out, or compare another encoder."
        )
    from embedpipe.downstream.fine_tuning.fine_tuned import FineTuned
    from embedpipe.downstream.fine_tuning.inputs import Reader
    from embedpipe.downstream.fine_tuning.targets import read_targets, require_two_tags
    from embedpipe.downstream.fine_tuning.training import Training
    from embedpipe.downstream.reproducible import reproducible
    from embedpipe.subwords import SentenceContext

    files = encoder.find()
    with reproducible(seed):  # weights that a file lacks and nothing uses, a pooler's, are random
        weights = encoder.load_trainable(files)
    reader = Reader.of(files, weights, context or SentenceContext(), unit)
    train_inputs = reader.read(train)
    targets = read_targets(train_inputs, label, unit, tags, purpose="training")
    require_two_tags(targets, label)
    dev_inputs = reader.read(dev)
    dev_targets = read_targets(dev_inputs, label, unit, targets.tags, purpose="development")
    training = Training(settings, weights, reader.special.pad_id, train_inputs, targets, seed)
    epochs = training.run(dev_inputs, dev_targets, on_epoch, checkpoint)
    return FineTuned(reader, training.model, targets.tags, targets.fallback, epochs, settings.budget_subwords)
