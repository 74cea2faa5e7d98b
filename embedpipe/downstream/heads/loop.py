"""The loop that trains every head: epochs over shuffled batches, a score after each, and the best one in the end."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from embedpipe.downstream.checkpoint import Checkpoint, identity_of
from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.fitted import FittedNetwork
from embedpipe.downstream.heads.groups import tags_of_groups
from embedpipe.downstream.heads.head import settings_of
from embedpipe.downstream.heads.judge import rank
from embedpipe.downstream.heads.packed import Batches
from embedpipe.downstream.heads.state import State
from embedpipe.downstream.reproducible import epoch_seed, reproducible
from embedpipe.encoders.device import choose_device
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch.nn import Parameter

    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.head import OnEpoch
    from embedpipe.downstream.heads.network import Network
    from embedpipe.downstream.heads.packed import PackedBatch
    from embedpipe.downstream.heads.trained import TrainedHead
    from embedpipe.downstream.heads.training import Training


def fit(
    head: TrainedHead, train: Examples, dev: Examples, *, seed: int, on_epoch: OnEpoch | None, checkpoint: Path | None
) -> FittedNetwork:
    """Train a head; see :meth:`embedpipe.downstream.heads.head.Head.fit`."""
    train, dev, training = train.labelled(), dev.labelled(), head.training
    require_learnable(train)
    device, groups = choose_device(training.device, "training.device"), tags_of_groups(train)
    batches = Batches(train, device, training.memory_bytes, groups)
    dev_batches = Batches(dev, device, training.memory_bytes - batches.kept_bytes, groups)
    with reproducible(epoch_seed(seed, 0), device):
        network = head.network(train.selection.shape, train.tags)
    state = State(network.to(device), _optimizer(network, training))
    file = Checkpoint(checkpoint, _identity(head, train, dev, seed) if checkpoint else "")
    if found := file.load():
        state.restore(*found)
    else:
        network.inputs.measure((batch.vectors for batch in batches.in_order()), standardize=training.standardize)
    while not state.ended(training):
        number = len(state.epochs) + 1
        with reproducible(epoch_seed(seed, number), device):
            loss = _train_epoch(state, batches, training, np.random.default_rng((abs(seed), number)))
            epoch = state.add(loss, rank(network, dev_batches, loss))
        file.save(state.tensors(), state.facts())
        if on_epoch:
            on_epoch(epoch)
    network.load_state_dict(state.best)
    file.remove()
    fitted = FittedNetwork(head, network.eval(), train.tags, device, epochs=tuple(state.epochs), groups=groups)
    if network.inputs.mix is not None:
        fitted.mix = network.inputs.mix.weights(train.selection.mixed_layers)
    return fitted


def require_learnable(train: Examples) -> None:
    """Check that there is something to learn.

    :raises FeaturesError: If there is not.
    """
    used = np.unique(train.codes[train.codes != NO_CODE]).tolist()
    if len(used) < 2:
        found = f"all of them are {train.tags[used[0]]!r}" if used else "no row has a label"
        raise FeaturesError(
            f"there is nothing to learn from {train.store.source}: {len(train.sentences):,} training sentences, and {found}. "
            "At least two different labels are needed."
        )


def _optimizer(network: Network, training: Training) -> torch.optim.Optimizer:
    mix: list[Parameter] = []
    weights: list[Parameter] = []
    biases: list[Parameter] = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        (mix if name.startswith("inputs.mix.") else weights if parameter.ndim > 1 else biases).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": training.weight_decay},
        {"params": biases},
        {"params": mix, "lr": training.mix_learning_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=training.learning_rate, weight_decay=0.0)


def _train_epoch(state: State, batches: Batches, training: Training, order: np.random.Generator) -> float:
    """Train on every sentence once.

    :returns: The mean loss of a row.
    """
    state.network.train()
    parameters = [parameter for parameter in state.network.parameters() if parameter.requires_grad]
    total, count = torch.zeros(()), 0
    for batch in _shuffled(batches, training.batch_sentences, order):
        loss, num_rows = state.network.loss(batch), int((batch.codes != NO_CODE).sum())
        state.optimizer.zero_grad()
        torch.autograd.backward(loss / num_rows)
        torch.nn.utils.clip_grad_norm_(parameters, training.clip_norm)
        state.optimizer.step()
        state.updates += 1
        total, count = total.to(loss.device) + loss.detach(), count + num_rows
    mean = float(total) / count
    if not np.isfinite(mean):
        raise FeaturesError(
            f"training failed in epoch {len(state.epochs) + 1}: the loss is no finite number any more. Take a lower "
            f"training.learning_rate than {training.learning_rate}, and leave training.standardize on."
        )
    return mean


def _shuffled(batches: Batches, batch_sentences: int, order: np.random.Generator) -> Iterator[PackedBatch]:
    sentences = order.permutation(len(batches.examples.lengths))
    for start in range(0, len(sentences), batch_sentences):
        yield batches.take(sentences[start : start + batch_sentences])


def _identity(head: TrainedHead, train: Examples, dev: Examples, seed: int) -> str:
    """Of everything that determines what is learned."""
    data = [
        {
            "store": examples.store.provenance.get("fingerprint", examples.store.source),
            "view": [examples.selection.view, examples.selection.layers_name, str(examples.selection.combination)],
            "positions": examples.selection.positions,
            "tags": examples.tags,
            "rows": [hashlib.sha256(part.tobytes()).hexdigest() for part in (examples.codes, examples.starts)],
        }
        for examples in (train, dev)
    ]
    return identity_of({"head": dict(settings_of(head)), "seed": seed, "data": data}, {})
