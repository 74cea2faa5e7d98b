"""How far a training is: everything that it needs to go on as if it had never been interrupted.

Random numbers are not among it: those of an epoch come from the seed and the epoch's number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from embedpipe.downstream.heads.head import Epoch

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.downstream.heads.network import Network
    from embedpipe.downstream.heads.training import Training

_NETWORK, _BEST, _OPTIMIZER = "network.", "best.", "optimizer."


@dataclass
class State:
    """A network in training.

    :param epochs: Those that are done.
    :param updates: Steps of the optimizer that are done.
    :param best: The network's state after the best of them.
    :param best_number: Its number.
    :param best_rank: What epochs are compared by; see :func:`embedpipe.downstream.heads.judge.rank`.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    epochs: list[Epoch] = field(default_factory=list)
    updates: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    best_number: int = 0
    best_rank: tuple[float, float] = (-1.0, 0.0)

    def ended(self, training: Training) -> bool:
        """Whether there is no epoch to come."""
        out_of_patience = len(self.epochs) - self.best_number >= training.patience and self.updates >= training.min_updates
        return out_of_patience or len(self.epochs) >= training.epochs

    def add(self, loss: float, rank: tuple[float, float]) -> Epoch:
        """Take an epoch's result; of equals, the earlier one is the best."""
        number = len(self.epochs) + 1
        if number == 1 or rank > self.best_rank:
            self.best_number, self.best_rank = number, rank
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        self.epochs.append(Epoch(number, loss, rank[0], self.best_rank[0]))
        return self.epochs[-1]

    def tensors(self) -> dict[str, Tensor]:
        """All of its numbers that are in tensors."""
        tensors = {_NETWORK + name: tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {_BEST + name: tensor for name, tensor in self.best.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}.{name}": tensor for name, tensor in moments.items()}
        return tensors

    def facts(self) -> dict[str, Any]:
        """Everything else, as JSON takes it."""
        epochs = [asdict(epoch) for epoch in self.epochs]
        return {"epochs": epochs, "updates": self.updates, "best_number": self.best_number, "best_rank": list(self.best_rank)}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go back to where :meth:`tensors` and :meth:`facts` were taken."""
        self.network.load_state_dict(_part(tensors, _NETWORK))
        device = next(self.network.parameters()).device
        self.best = {name: tensor.to(device) for name, tensor in _part(tensors, _BEST).items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, _OPTIMIZER).items():
            index, moment = name.split(".", 1)
            moments.setdefault(int(index), {})[moment] = tensor
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        self.epochs = [Epoch(**epoch) for epoch in facts["epochs"]]
        self.updates = facts["updates"]
        self.best_number = facts["best_number"]
        self.best_rank = (facts["best_rank"][0], facts["best_rank"][1])


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
