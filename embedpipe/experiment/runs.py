"""Which runs a comparison needs: every choice with every head and seed, for every encoder, context and pooling."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Sentence
from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.head import settings_of
from embedpipe.downstream.selection import known_sizes, select
from embedpipe.experiment.choices import FINE_TUNED
from embedpipe.experiment.labelled import read_part
from embedpipe.experiment.run import Outcome, Run, identity_of_data
from embedpipe.job import knows_the_past_only
from embedpipe.views import default_word_pooling

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.fine_tune import FineTune
    from embedpipe.downstream.heads.head import Head, OnEpoch
    from embedpipe.experiment.choices import Choice
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.features import Stores
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.job import EncoderSettings
    from embedpipe.store import Store
    from embedpipe.store.sentence import StoredSentence
    from embedpipe.subwords import Context


@dataclass(frozen=True)
class HeadTraining:
    """Trains a head on frozen vectors."""

    head: Head
    seed: int
    examples: Mapping[str, Examples]

    def __call__(self, on_epoch: OnEpoch, checkpoint: Path) -> Outcome:
        fitted = self.head.fit(
            self.examples["train"], self.examples["dev"], seed=self.seed, on_epoch=on_epoch, checkpoint=checkpoint
        )
        return Outcome(
            fitted.predict(self.examples["dev"]), fitted.predict(self.examples["test"]), fitted.mix, tuple(fitted.epochs)
        )


@dataclass(frozen=True)
class FineTuning:
    """Trains an encoder itself."""

    settings: FineTune
    encoder: EncoderSettings
    context: Context
    seed: int
    labelled: Labelled
    stores: Mapping[str, Store]

    def __call__(self, on_epoch: OnEpoch, checkpoint: Path) -> Outcome:
        from embedpipe.downstream.fine_tune import fine_tune

        task = self.labelled.task
        fitted = fine_tune(
            self.settings,
            self.encoder,  # type: ignore[arg-type]  # that it can be trained was asked before
            self._sentences("train"),
            self._sentences("dev"),
            label=task.label,
            unit=task.unit,
            seed=self.seed,
            tags=self.labelled.tags,
            context=self.context,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
        )
        dev, test = (self._codes(fitted.predict(self._sentences(part))) for part in ("dev", "test"))
        return Outcome(dev, test, None, tuple(fitted.epochs))

    def _sentences(self, part: str) -> list[Sentence]:
        place = self.labelled.parts[part]
        return [_as_read(sentence) for sentence in read_part(self.stores[place.corpus], place)]

    def _codes(self, predicted: list[list[str]] | list[str]) -> IntArray:
        code_of = {tag: code for code, tag in enumerate(self.labelled.tags)}
        tags = (tag for one in predicted for tag in ([one] if isinstance(one, str) else one))
        return np.fromiter((code_of.get(tag, NO_CODE) for tag in tags), np.int64)


def all_runs(
    comparison: Comparison, labelled: Labelled, stores: Stores, choices: Mapping[str, tuple[Choice, ...]]
) -> list[Run]:
    """Every run, in the order of the table; choices that are the same vectors have runs with the same key."""
    runs: list[Run] = []
    for (encoder, context), of_corpora in stores.items():
        data = identity_of_data(labelled, of_corpora)
        for pooling in comparison.pooling_names(encoder):
            examples = labelled.examples(of_corpora, pooling)
            for choice in choices[encoder]:
                selected = _selected(examples, choice)
                for head_name, head in comparison.heads.items():
                    if choice.kind == "learned_mix" and not head.learns_mix:
                        continue
                    for seed in comparison.seeds if head.uses_seed else comparison.seeds[:1]:
                        identity = data | _of_head(examples, choice, head, seed)
                        train = HeadTraining(head, seed, selected)
                        runs.append(Run(encoder, context, pooling, choice.name, head_name, seed, identity, train))
        runs += _fine_tuned_runs(comparison, labelled, of_corpora, encoder, context, data)
    return runs


def _of_head(examples: Mapping[str, Examples], choice: Choice, head: Head, seed: int) -> dict[str, Any]:
    return {
        "kind": "head",
        "pooling": examples["train"].selection.info.pooling,
        "vectors": dict(choice.identity),
        "head": dict(settings_of(head)),
        "seed": seed if head.uses_seed else None,
    }


def _selected(examples: Mapping[str, Examples], choice: Choice) -> dict[str, Examples]:
    """The examples with the vectors of a choice."""
    made = {}
    for name, part in examples.items():
        view, views = part.selection.view, part.store.views
        num_layers, sizes = len(views[view].layers) - 1, known_sizes(part.store.provenance)
        made[name] = replace(part, selection=select(part.store.source, views, view, choice.vectors, num_layers, sizes))
    return made


def _fine_tuned_runs(
    comparison: Comparison,
    labelled: Labelled,
    stores: Mapping[str, Store],
    encoder: str,
    context: str,
    data: Mapping[str, Any],
) -> Iterator[Run]:
    """Fine-tune with every seed; the paper puts its layer over the first subword of a word, and over [CLS].

    Of a decoder, it is put over the last subword of a word, and over the mean of a sentence.
    """
    if (settings := comparison.fine_tune) is None:
        return
    is_causal = knows_the_past_only(comparison.encoders[encoder])
    pooling = default_word_pooling(is_causal=is_causal) if labelled.task.unit == "word" else "mean" if is_causal else "cls"
    for seed in comparison.seeds:
        identity = {**data, "kind": FINE_TUNED, "settings": dataclasses.asdict(settings), "seed": seed}
        train = FineTuning(settings, comparison.encoders[encoder], comparison.contexts[context], seed, labelled, stores)
        yield Run(encoder, context, pooling, FINE_TUNED, FINE_TUNED, seed, identity, train)


def _as_read(sentence: StoredSentence) -> Sentence:
    """The sentence as the corpus had it."""
    labels = {name: value for name, value in sentence.labels.items() if value is not None}
    return Sentence(
        sentence.id,
        sentence.document,
        sentence.text,
        sentence.spans,
        labels,  # type: ignore[arg-type]  # a word without one has None
        sentence.space_after,
        sentence.flags,
        sentence.second_start,
    )
