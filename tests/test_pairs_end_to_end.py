"""Pairs of texts from a corpus into a store that grows, out of it again, and into a comparison."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embedpipe
from embedpipe.store.verify import verify

ANIMALS, PLACES = ("fox", "dog"), ("bank", "river", "spring")


def write_pairs(path: Path, number: int) -> list[dict[str, str]]:
    chance = random.Random(3)
    pairs = []
    for index in range(number):
        animal, place, other = chance.choice(ANIMALS), chance.choice(PLACES), chance.choice(ANIMALS)
        first, second = f"The quick {animal} waited near the {place}.", f"the {other}"
        pairs.append({"id": f"p{index}", "a": first, "b": second, "same": "yes" if animal == other else "no"})
    path.write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs), encoding="utf-8")
    return pairs


def config_of(path: Path, model: Path, **store: Any) -> dict[str, Any]:
    return {
        "corpus": {"type": "jsonl", "path": str(path), "text": "a", "second": "b", "id": "id", "labels": ["same"]},
        "encoder": {"type": "transformer", "model": str(model), "device": "cpu"},
        "views": {
            "word": {"layers": "last"},
            "cls": {"unit": "sentence", "layers": "last", "pooling": "cls"},
            "second": {"unit": "sentence", "layers": "last", "pooling": "mean", "of": "second"},
        },
        "store": store,
    }


@pytest.mark.parametrize("shard_size", ["8 KiB", "1 MiB"])
def test_pairs_go_into_a_store_that_grows_and_come_out_as_they_were(
    shard_size: str, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    path, output = tmp_path / "pairs.jsonl", tmp_path / "s.h5"
    config = config_of(path, tiny_model("roberta"), shard_size=shard_size)
    write_pairs(path, 9)
    embedpipe.extract(config, output=output)
    pairs = write_pairs(path, 14)
    store = embedpipe.extract(config, output=output, append=True)
    assert list(verify(output)) == []
    assert [(s.id, *s.texts, s.labels["same"]) for s in store] == [tuple(pair.values()) for pair in pairs]
    assert [s.words[s.second_from :] for s in store] == [tuple(s.texts[1].split()) for s in store]
    assert store.views["second"].pooling == "mean of second"
    sides = store.words_frame().groupby("sentence_id", observed=True)["text"].agg(list)
    assert all(side == [1] * s.second_from + [2] * (s.num_words - s.second_from) for s, side in zip(store, sides, strict=True))
    again = embedpipe.extract(config, output=tmp_path / "again.h5")
    for view in store.views:
        np.testing.assert_allclose(np.asarray(store.matrix(view)), np.asarray(again.matrix(view)), atol=1e-5)


def test_a_comparison_can_be_about_pairs(tmp_path: Path, tiny_model: Callable[[str], Path]) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, 40)
    config = config_of(path, tiny_model("roberta"))
    results = embedpipe.compare(
        {
            "task": {"type": "sentence_labels", "label": "same"},
            "splits": {"type": "random", "corpus": config["corpus"]},
            "encoders": {"tiny": config["encoder"]},
            "choices": ["embeddings", "last"],
            "heads": {"neighbours": {"type": "k_nearest"}},
            "fine_tune": {"epochs": 1},
            "seeds": [0],
        },
        tmp_path / "comparison",
    )
    assert [row.choice for row in results.rows] == ["embeddings", "last", "fine_tuned"]
