"""What a head is: settings in, a fitted model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training sentences.

    :param number: From 1.
    :param loss: Mean of the batches, without the penalty.
    :param score: On the development sentences: entity F1 for BIO tags, else accuracy; 0 to 1.
    :param best_score: The best one up to here.
    """

    number: int
    loss: float
    score: float
    best_score: float


OnEpoch: TypeAlias = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class MixWeights:
    """A mix of layers that was learned: ``gamma * sum_j weights_j h_j``, as a config's ``scalar_mix`` writes it.

    :param layers: Indices of the layers, 0 being the embedding layer.
    :param scalars: One a layer, before the softmax.
    :param weights: Their softmax.
    """

    layers: tuple[int, ...]
    scalars: tuple[float, ...]
    weights: tuple[float, ...]
    gamma: float

    def as_config(self) -> dict[str, Any]:
        """The layer combination that computes the same mix in an extraction."""
        return {"type": "scalar_mix", "layers": list(self.layers), "scalars": list(self.scalars), "gamma": self.gamma}


class FittedHead(Protocol):
    """A model that was fitted on examples.

    ``mix`` are the learned weights of the layers, where the selection is a learned mix; ``epochs`` how the training went, empty
    for a model without epochs.
    """

    mix: MixWeights | None
    epochs: tuple[Epoch, ...]

    def predict(self, examples: Examples) -> IntArray:
        """Codes of the tags. *Shape:* ``(num_rows,)``."""


class Head(Protocol):
    """The settings of a model over vectors: a frozen dataclass that a config names by its type (role ``head``)."""

    @property
    def learns_mix(self) -> bool:
        """Whether it can train a mix of layers with itself."""

    @property
    def uses_seed(self) -> bool:
        """Whether the seed makes a difference; it does not for a convex or a lazy model."""

    def fit(
        self,
        train: Examples,
        dev: Examples,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | None = None,
    ) -> FittedHead:
        """Train on ``train``, choose the best epoch on ``dev``.

        The same examples, settings and seed give the same model, on the same machine and number of threads.

        :param checkpoint: A file that holds the state after every epoch, from which an interrupted training goes on; removed
            at the end. Left out: none is kept.
        :raises FeaturesError: If there is nothing to learn from: no label, or only one tag.
        """


def settings_of(head: Head) -> Mapping[str, Any]:
    """The fields of a head as plain JSON, with its class's name; they determine, with data and seed, what it learns."""
    import dataclasses

    fields: dict[str, Any] = dataclasses.asdict(head)  # type: ignore[call-overload]
    return {"head": type(head).__name__} | fields
