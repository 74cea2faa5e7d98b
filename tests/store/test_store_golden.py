"""Stores that were written by earlier versions can be read for ever. ``write_golden`` made them; it is not run again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_samples import VIEWS, fixed_sample

from embedpipe.store import Store, open_store

GOLDEN = Path(__file__).parents[1] / "golden" / "stores"


def content(store: Store) -> dict[str, Any]:
    """All that is in a store, as JSON has it; vectors as a digest and their first row."""
    return {
        "provenance": store.provenance,
        "shards": [[shard.name, shard.start, shard.stop] for shard in store.shards],
        "views": {
            name: {
                "unit": info.unit,
                "vector_size": info.vector_size,
                "layers": list(info.layers),
                "dtype": info.dtype,
                "combination": info.combination,
                "pooling": info.pooling,
                "stacked": info.stacked,
                "shape": list(store.matrix(name).shape),
                "first_row": np.asarray(store.matrix(name)[0], np.float64).tolist(),
                "sha256": hashlib.sha256(np.asarray(store.matrix(name)).tobytes()).hexdigest(),
            }
            for name, info in store.views.items()
        },
        "sentences": [
            {
                "id": sentence.id,
                "document": sentence.document,
                "text": sentence.text,
                "words": list(sentence.words),
                "spans": [list(span) for span in sentence.spans],
                "labels": {name: list(v) if isinstance(v, tuple) else v for name, v in sentence.labels.items()},
                "flags": int(sentence.flags),
                "word_flags": [int(flag) for flag in sentence.word_flags],
                "subword_ids": list(sentence.subword_ids),
                "word_subwords": [list(span) for span in sentence.word_subwords],
                "space_after": sentence.space_after,
            }
            for sentence in store
        ],
    }


def write_golden(folder: Path) -> None:
    """Write the golden stores of this version, once: ``python -c "import test_store_golden as t; t.write_golden(...)"``."""
    for name, size in (("single", 1000), ("shards", 4)):
        path = fixed_sample(11).write(folder / f"{name}.h5", size=size, provenance={"made_by": "write_golden"})
        with open_store(path) as store:
            (folder / f"{name}.json").write_text(json.dumps(content(store), indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_golden_growth(folder: Path) -> None:
    """The same for the store that has grown: from one file, and then from shards."""
    path = fixed_sample(11).grow(folder / "grown.h5", (3, 6, 11), size=4)
    with open_store(path) as store:
        path.with_suffix(".json").write_text(json.dumps(content(store), indent=1, ensure_ascii=False) + "\n", "utf-8")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.h5")), ids=lambda path: f"{path.parent.name} {path.stem}")
def test_store_of_every_format_version_reads_as_it_was_written(path: Path) -> None:
    with open_store(path) as store:
        assert content(store) == json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert store.format_version == int(path.parent.name[1:])


def test_there_are_golden_stores_of_every_kind() -> None:
    assert {path.stem for path in GOLDEN.glob("v1/*.h5")} >= {"single", "shards", "grown"}
    files = [file for file in GOLDEN.rglob("*") if file.is_file()]
    assert len([file for file in files if file.parent.name == "shards.h5.shards"]) == 4
    assert sum(file.stat().st_size for file in files) < 200_000


def test_golden_stores_hold_what_the_sample_gave() -> None:
    sample = fixed_sample(11)
    for name in ("single", "shards", "grown"):
        with open_store(GOLDEN / "v1" / f"{name}.h5") as store:
            assert [sentence.words for sentence in store] == [sentence.words for sentence in sample.sentences]
            for view in VIEWS:
                np.testing.assert_array_equal(store.matrix(view), sample.rows[view])
