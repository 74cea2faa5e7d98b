"""Stores of given vectors and tags, to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedpipe.dataflow import Block, Sentence, ViewInfo
from embedpipe.store import Store, StoreWriter, open_store

BIO = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def make_store(
    path: Path,
    tags: Sequence[Sequence[str] | None],
    vectors: np.ndarray,
    *,
    label: str = "ner",
    unit: str = "word",
    dtype: str = "float32",
    provenance: dict[str, Any] | None = None,
    sentences_a_document: int = 10,
) -> Store:
    """A store with one view, ``"vectors"``.

    :param tags: Of each sentence; ``None`` for a sentence without the label, one tag for a label of sentences.
    :param vectors: One a row; stacked with three axes.
    """
    sentences, first = [], 0
    for number, of_sentence in enumerate(tags):
        num_words = len(of_sentence) if of_sentence is not None else 3
        if unit == "sentence":
            num_words = 2
        labels = {} if of_sentence is None else {label: of_sentence[0] if unit == "sentence" else tuple(of_sentence)}
        words = [f"w{first + place}" for place in range(num_words)]
        first += num_words
        sentences.append(Sentence.from_words(f"s{number}", f"d{number // sentences_a_document}", words, labels=labels))
    stacked = vectors.ndim == 3
    layers = tuple(range(vectors.shape[1])) if stacked else (1,)
    info = ViewInfo(unit, vectors.shape[-1], layers, dtype, "all" if stacked else "last", "mean", stacked)
    block = Block(
        tuple(sentences),
        sentence_flags=np.zeros(len(sentences), np.int64),
        word_flags=np.zeros(first, np.int64),
        num_subwords=np.array([len(sentence.words) for sentence in sentences], np.int64),
        subword_ids=np.arange(first),
        word_offsets=np.concatenate(
            [np.arange(len(s.words))[:, None] + [0, 1] for s in sentences] + [np.zeros((0, 2), np.int64)]
        ),
        views={"vectors": vectors.astype(dtype)},
    )
    with StoreWriter(path, {"vectors": info}) as writer:
        writer.append(block, 0)
        writer.finish({"encoder": {"num_layers": max(layers)}, "fingerprint": path.stem, **(provenance or {})})
    return open_store(path)


def random_tags(generator: np.random.Generator, num_sentences: int, longest: int = 12) -> list[list[str]]:
    """Legal BIO, mostly ``O``, with some empty sentences."""
    sentences = []
    for _ in range(num_sentences):
        tags: list[str] = []
        for _ in range(int(generator.integers(0, longest + 1))):
            entity = tags[-1][2:] if tags and tags[-1] != "O" else ""
            chance = generator.random()
            tags.append(
                f"I-{entity}"
                if entity and chance < 0.5
                else str(generator.choice(BIO[1::2]))
                if chance < 0.8 and chance > 0.55
                else "O"
            )
        sentences.append(tags)
    return sentences


def separable(generator: np.random.Generator, tags: Sequence[Sequence[str]], size: int, noise: float = 0.3) -> np.ndarray:
    """Vectors that are a direction of their own for each tag, and noise."""
    names = sorted({tag for sentence in tags for tag in sentence})
    directions = np.random.default_rng(0).normal(size=(len(names), size))
    rows = [directions[names.index(tag)] for sentence in tags for tag in sentence]
    return (np.array(rows).reshape(-1, size) + noise * generator.normal(size=(len(rows), size))).astype(np.float32)
