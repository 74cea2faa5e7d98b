"""Sentences that a tiny encoder learns in a moment, and the trainings of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embedpipe.dataflow import Sentence
from embedpipe.downstream.fine_tune import FineTune, fine_tune
from embedpipe.downstream.fine_tuning.fine_tuned import FineTuned
from embedpipe.downstream.fine_tuning.inputs import Reader
from embedpipe.downstream.fine_tuning.targets import read_targets
from embedpipe.downstream.fine_tuning.training import Training
from embedpipe.encoders import Transformer
from embedpipe.subwords import Context, SentenceContext

TAG_OF = {
    "fox": "B-ANIMAL",
    "dog": "B-ANIMAL",
    "Berlin": "B-PLACE",
    "river": "O",
    "the": "O",
    "quick": "O",
    "bank": "O",
    "over": "O",
}
NO_SUBWORDS = "\u0001"  # BERT's normalizer deletes it
QUICK = FineTune(epochs=2, learning_rate=2e-3, batch_sentences=4, dropout=0.0)
LONGER = replace(QUICK, epochs=6)


def sentence(words: Sequence[str], id: str = "s", **labels: Any) -> Sentence:
    """Words with ``tag`` (of ``TAG_OF``) a word, and ``kind``: whether there is an animal."""
    tags = tuple(TAG_OF.get(word, "O") for word in words)
    made = {"tag": tags, "kind": "animal" if "B-ANIMAL" in tags else "none"} | labels
    return Sentence.from_words(id, "d", words, labels={name: value for name, value in made.items() if value is not None})


def sentences(count: int, *, seed: int = 0, longest: int = 8) -> list[Sentence]:
    random = np.random.default_rng(seed)
    known = list(TAG_OF)
    return [
        sentence([known[index] for index in random.integers(len(known), size=random.integers(2, longest + 1))], f"s{number}")
        for number in range(count)
    ]


def without_dropout(folder: Path, copy: Path) -> Path:
    """The same model, which has too few weights to learn quickly while some are dropped."""
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config |= {name: 0.0 for name in config if name.endswith(("dropout_prob", "pdrop"))}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def trained(
    folder: Path,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    settings: FineTune = QUICK,
    *,
    label: str = "tag",
    unit: Literal["word", "sentence"] = "word",
    seed: int = 0,
    **more: Any,
) -> FineTuned:
    encoder = Transformer(model=str(folder), device="cpu")
    return fine_tune(settings, encoder, train, train if dev is None else dev, label=label, unit=unit, seed=seed, **more)


def training(
    folder: Path,
    train: Sequence[Sentence],
    settings: FineTune = QUICK,
    *,
    label: str = "tag",
    unit: Literal["word", "sentence"] = "word",
    context: Context | None = None,
) -> tuple[Training, Reader]:
    """One that has not begun."""
    encoder = Transformer(model=str(folder), device="cpu")
    files = encoder.find()
    weights = encoder.load_trainable(files)
    reader = Reader.of(files, weights, context or SentenceContext(), unit)
    inputs = reader.read(train)
    targets = read_targets(inputs, label, unit, None, purpose="training")
    return Training(settings, weights, reader.special.pad_id, inputs, targets, 0), reader
