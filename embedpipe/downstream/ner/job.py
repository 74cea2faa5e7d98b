"""The settings of a training: which vectors of which store, which label, which head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedpipe.downstream.heads import BiLstmCrfHead, Head
from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.layers import LayerCombination

if TYPE_CHECKING:
    from embedpipe.downstream.ner.tagger import NerTagger


@dataclass(frozen=True)
class TaggerJob:
    """A tagger to be trained on a store.

    :param train: Path of the store to train on.
    :param dev: Path of the store by which the best epoch is chosen. Left out: a tenth of the training documents.
    :param test: Path of a store to test on at the end.
    :param label: The label to be told: BIO tags (scored by entities), or any other.
    :param view: Name of a view of the stores. Left out: the only one.
    :param layers: For a stacked view, how its layers become one vector.
    :param learned_mix: For a stacked view, and instead of ``layers``: a mix of its layers that is trained with the head;
        ``{}`` for all of them.
    :param head: The model.
    :param seed: Stores, settings and seed determine the tagger.
    """

    train: str
    dev: str | None = None
    test: str | None = None
    label: str = "ner"
    view: str | None = None
    layers: LayerCombination | None = None
    learned_mix: LearnedMix | None = None
    head: Head = field(default_factory=BiLstmCrfHead)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.layers is not None and self.learned_mix is not None:
            raise ValueError("learned_mix: stands beside layers; give one of the two")

    def tagger(self) -> NerTagger:
        """The tagger, not yet trained."""
        from embedpipe.downstream.ner.tagger import NerTagger

        layers = self.layers if self.learned_mix is None else self.learned_mix
        return NerTagger(self.head, self.view, layers, self.label, self.seed)
