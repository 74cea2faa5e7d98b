"""A run: one training and its test, and what determines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from embedpipe.experiment.tasks import task_settings

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.heads.head import Epoch, MixWeights, OnEpoch
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.store import Store

RUN_FORMAT = 1
"""Raised whenever the same settings may give other results."""


@dataclass(frozen=True)
class Outcome:
    """What a training ends with.

    :param dev: Codes of the predicted tags, in the order of the training tags. *Shape:* ``(num_rows,)``.
    :param test: Likewise.
    :param mix: The learned one.
    :param epochs: None for a model without.
    """

    dev: IntArray
    test: IntArray
    mix: MixWeights | None
    epochs: tuple[Epoch, ...]

    @property
    def best_epoch(self) -> int:
        """From 1; 0 for a model without epochs."""
        return max(self.epochs, key=lambda epoch: epoch.score).number if self.epochs else 0


Train: TypeAlias = "Callable[[OnEpoch, Path], Outcome]"
"""Trains and predicts; the file holds the state of an interrupted training."""


@dataclass(frozen=True)
class Run:
    """A training that the comparison needs.

    :param encoder: As the comparison has it; so are ``context``, ``pooling``, ``choice`` and ``head``.
    :param seed: The first one for a head that makes no use of it.
    :param identity: Everything that determines the outcome, as plain JSON.
    """

    encoder: str
    context: str
    pooling: str
    choice: str
    head: str
    seed: int
    identity: Mapping[str, Any]
    train: Train

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Encoder, context, pooling and head: within it, choices are compared."""
        return self.encoder, self.context, self.pooling, self.head

    @cached_property
    def key(self) -> str:
        """The sha256 of the identity."""
        return digest(self.identity)

    @property
    def name(self) -> str:
        """For people who wait."""
        return f"{self.encoder}/{self.context} {self.pooling} {self.choice} {self.head}, seed {self.seed}"


def identity_of_data(labelled: Labelled, stores: Mapping[str, Store]) -> dict[str, Any]:
    """What the data contributes to the identity of a run; the names that encoder and context have in a config do not."""
    return {
        "format": RUN_FORMAT,
        "task": task_settings(labelled.task),
        "parts": {
            name: {"features": fingerprint_of(stores[part.corpus]), "sentences": digest(part.sentences.tolist())}
            for name, part in labelled.parts.items()
        },
    }


def fingerprint_of(store: Store) -> str:
    """The sha256 of everything that determines a store."""
    provenance = store.provenance
    fingerprint: str = provenance.get("fingerprint") or digest(provenance)
    return fingerprint


def digest(value: Any) -> str:
    """The sha256 of plain JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
