"""The training itself: updates, epochs, the best of them, and going on after an interruption."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from embedpipe.downstream.checkpoint import Checkpoint, identity_of
from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.fine_tuning.batches import learning_rate_share, shuffled_batches
from embedpipe.downstream.fine_tuning.memory import Budget
from embedpipe.downstream.fine_tuning.model import FineTunedModel, as_tensors
from embedpipe.downstream.fine_tuning.prediction import predict_codes
from embedpipe.downstream.heads.head import Epoch
from embedpipe.downstream.metrics import score_tags
from embedpipe.downstream.reproducible import epoch_seed, reproducible
from embedpipe.errors import NonFiniteError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.fine_tune import FineTune
    from embedpipe.downstream.fine_tuning.inputs import Inputs, Part
    from embedpipe.downstream.fine_tuning.memory import Pieces
    from embedpipe.downstream.fine_tuning.targets import Targets
    from embedpipe.downstream.heads.head import OnEpoch

_BETAS, _EPSILON = (0.9, 0.999), 1e-6  # BERT's
_VANISHED, _STEPS_BETWEEN_CLEARING = 1e-30, 128  # within so many steps, a moment does not fall from there to a denormal number


class Training:
    """A model on its way.

    :param encoder: Of transformers, with gradients.
    :param pad_id: Fills a batch up to its longest window.
    :param inputs: Sentences to train on; those without a label that can be learned are left out.
    """

    def __init__(
        self, settings: FineTune, encoder: nn.Module, pad_id: int, inputs: Inputs, targets: Targets, seed: int
    ) -> None:
        self._settings = settings
        self._pad_id = pad_id
        self._inputs = inputs
        self._targets = targets
        self._seed = seed
        with reproducible(seed, next(encoder.parameters()).device):
            self.model = FineTunedModel(encoder, len(targets.tags), settings.dropout)
        self._parts = [_labelled(parts, targets) for parts in inputs.parts if _labelled(parts, targets)]
        self._optimizer = _optimizer(self.model, settings)
        self._budget = Budget(settings.budget_subwords)
        self._epochs: list[Epoch] = []
        self._best: dict[str, Tensor] = {}

    def run(self, dev: Inputs, dev_targets: Targets, on_epoch: OnEpoch | None, checkpoint: Path | None) -> tuple[Epoch, ...]:
        """Train all epochs; the model is then as it was after the best one.

        :returns: How each epoch went.
        :raises NonFiniteError: If the training diverges.
        """
        kept = Checkpoint(checkpoint, self._identity(dev, dev_targets) if checkpoint else "")
        self._resume(kept)
        for number in range(len(self._epochs) + 1, self._settings.epochs + 1):
            with reproducible(epoch_seed(self._seed, number), self.model.device):
                loss = self._train_epoch(number)
                score = self._score(dev, dev_targets)
            self._finish_epoch(number, loss, score)
            if number < self._settings.epochs:
                self._keep(kept)
            if on_epoch is not None:
                on_epoch(self._epochs[-1])
        if self._best:
            self.model.restore(self._best)
        kept.remove()
        return tuple(self._epochs)

    def gradient(self, parts: Sequence[Part]) -> float:
        """Leave in the weights the gradient of the mean loss over all labelled rows of ``parts``.

        :returns: The mean loss.
        """
        device = self.model.device
        num_labelled = sum(int((self._codes(part) != NO_CODE).sum()) for part in parts)

        def accumulate(pieces: Pieces) -> float:
            self._optimizer.zero_grad()
            total = 0.0
            for piece in pieces:
                codes = torch.from_numpy(np.concatenate([self._codes(part) for part in piece])).to(device)
                scores = self.model(as_tensors(piece, self._pad_id, device))
                loss = nn.functional.cross_entropy(scores, codes, ignore_index=NO_CODE, reduction="sum") / num_labelled
                torch.autograd.backward(loss)
                total += loss.item()
            return total

        return self._budget.run(parts, accumulate)

    def _codes(self, part: Part) -> IntArray:
        return self._targets.codes[part.sentence][part.rows]

    def _train_epoch(self, number: int) -> float:
        """One pass. :returns: The mean loss of its batches."""
        lengths = [sum(part.num_subwords for part in parts) for parts in self._parts]
        batches = shuffled_batches(lengths, self._settings.batch_sentences, seed=self._seed, epoch=number)
        losses = []
        self.model.train()
        for index, chosen in enumerate(batches):
            step = (number - 1) * len(batches) + index
            share = learning_rate_share(step, self._settings.epochs * len(batches), self._settings.warmup)
            loss = self.gradient([part for sentence in chosen for part in self._parts[sentence]])
            length = float(nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.max_gradient_norm))
            if not (math.isfinite(loss) and math.isfinite(length)):
                raise NonFiniteError(self._diverged(f"batch {index + 1} of {len(batches)}, epoch {number}", loss, length))
            for group in self._optimizer.param_groups:
                group["lr"] = self._settings.learning_rate * share
            self._optimizer.step()
            if step % _STEPS_BETWEEN_CLEARING == 0:
                _clear_vanished(self._optimizer)
            losses.append(loss)
        self._optimizer.zero_grad()
        return math.fsum(losses) / len(losses)

    def _diverged(self, where: str, loss: float, length: float) -> str:
        return (
            f"fine-tuning, {where}: the loss is {loss:g} and its gradient's length {length:g}; expected finite numbers. "
            f"Lower fine_tune.learning_rate (now {self._settings.learning_rate:g}), or raise fine_tune.warmup."
        )

    def _score(self, dev: Inputs, targets: Targets) -> float:
        """F1 of entities for BIO tags, else accuracy."""
        predicted = predict_codes(self.model, dev, self._budget, self._pad_id)
        gold_names = np.array([*targets.tags, None], object)  # NO_CODE is the last
        names = np.array([*targets.tags, self._targets.fallback], object)
        scores = score_tags(
            [gold_names[codes].tolist() for codes in targets.codes],
            [names[codes].tolist() for codes in predicted],
            targets.tags,
        )
        return scores["f1"] if "f1" in scores else scores["accuracy"]

    def _finish_epoch(self, number: int, loss: float, score: float) -> None:
        is_best = all(score > epoch.score for epoch in self._epochs)
        best_score = score if is_best else self._epochs[-1].best_score
        self._epochs.append(Epoch(number, loss, score, best_score))
        if is_best:  # the last epoch's weights need not be set aside
            ends = number == self._settings.epochs
            self._best = {} if ends else {name: tensor.cpu().clone() for name, tensor in self.model.tensors().items()}

    def _keep(self, checkpoint: Checkpoint) -> None:
        tensors = {f"model/{name}": tensor for name, tensor in self.model.tensors().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self._best.items()}
        for name, parameter in self.model.named_parameters():
            state = self._optimizer.state.get(parameter, {})
            tensors |= {f"optimizer/{name}/{key}": tensor for key, tensor in state.items()}
        epochs = [dataclasses.asdict(epoch) for epoch in self._epochs]
        checkpoint.save(tensors, {"epochs": epochs, "budget_subwords": self._budget.subwords})

    def _resume(self, checkpoint: Checkpoint) -> None:
        if (state := checkpoint.load()) is None:
            return
        tensors, facts = state
        self._epochs = [Epoch(**epoch) for epoch in facts["epochs"]]
        self._budget.subwords = facts["budget_subwords"]
        self._best = _under("best/", tensors)
        self.model.restore(_under("model/", tensors))
        for name, parameter in self.model.named_parameters():
            if saved := _under(f"optimizer/{name}/", tensors):
                self._optimizer.state[parameter] = {key: tensor.to(parameter.device) for key, tensor in saved.items()}

    def _identity(self, dev: Inputs, dev_targets: Targets) -> str:
        facts: dict[str, Any] = {"settings": dataclasses.asdict(self._settings), "seed": self._seed}
        facts |= {"tags": self._targets.tags, "train": _digest(self._inputs, self._targets), "dev": _digest(dev, dev_targets)}
        return identity_of(facts, self.model.tensors())


def _labelled(parts: Sequence[Part], targets: Targets) -> list[Part]:
    return [part for part in parts if (targets.codes[part.sentence][part.rows] != NO_CODE).any()]


def _optimizer(model: nn.Module, settings: FineTune) -> torch.optim.Optimizer:
    """AdamW with BERT's constants; what has one dimension (biases, norms) is not decayed."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    fused = matrices[0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=_BETAS, eps=_EPSILON, fused=fused)


def _clear_vanished(optimizer: torch.optim.Optimizer) -> None:
    """Set to 0 the moments of weights long without a gradient (rare subwords): as denormal numbers they make updates slow."""
    for state in optimizer.state.values():
        for tensor in state.values():
            tensor.masked_fill_(tensor.abs() < _VANISHED, 0.0)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _digest(inputs: Inputs, targets: Targets) -> str:
    digest = hashlib.sha256()
    for parts, codes in zip(inputs.parts, targets.codes, strict=True):
        digest.update(codes.tobytes() + b"|")
        for part in parts:
            for array in (*(window.input_ids for window in part.windows), part.rows, part.picked, part.counts):
                digest.update(array.tobytes() + b",")
    return digest.hexdigest()
