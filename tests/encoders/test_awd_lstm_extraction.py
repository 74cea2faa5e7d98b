"""An AWD-LSTM the whole way: extract, verify, resume, read, compare; its layers differ in width."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import embedpipe
from embedpipe.dataflow import WordFlag
from embedpipe.downstream import StoreFeatures, TextFeatures
from embedpipe.errors import ConfigError, FeaturesError
from embedpipe.layers import Concat, Layer, Sum
from embedpipe.store.verify import verify

GOLDEN = Path(__file__).parents[1] / "golden" / "awd_lstm"
ENCODER = {
    "type": "awd_lstm",
    "vocabulary": str(GOLDEN / "itos.pkl"),
    "weights": str(GOLDEN / "forward.pth"),
    "backward_weights": str(GOLDEN / "backward.pth"),
    "device": "cpu",
}
SIZES = (24, 40, 40, 24)
NUMBERS = np.load(GOLDEN / "layers.npz")
TEXTS = json.loads((GOLDEN / "texts.json").read_text(encoding="utf-8"))
VIEWS = {
    "all": {"layers": "all"},
    "last": {"layers": "last"},
    "middle": {"layers": {"type": "sum", "layers": [1, 2]}},
    "ends": {"layers": {"type": "concat", "layers": [0, 1, 3]}},
    "units": {"layers": "last", "unit": "subword"},
    "mean": {"layers": "embeddings", "unit": "sentence"},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    rows = [{"words": text.split(), "topic": "ab"[number % 2]} for number, text in enumerate(TEXTS)]
    rows.append({"words": ["Berlin", "", "is"], "topic": "a"})
    path = tmp_path_factory.mktemp("corpus") / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "corpus": {"type": "jsonl", "path": str(path), "words": "words", "labels": ["topic"]},
        "encoder": ENCODER,
        "views": VIEWS,
        "batching": {"budget_subwords": 64},
    }


@pytest.fixture(scope="module")
def store(config, tmp_path_factory):
    with embedpipe.extract(config, output=tmp_path_factory.mktemp("store") / "s.h5") as opened:
        yield opened


def layer_of(number, layer):
    return np.concatenate([NUMBERS[f"{number}.{name}.{layer}"] for name in ("forward", "backward")], axis=1)[1:]


def test_the_store_holds_each_layer_in_its_own_width_and_is_sound(store):
    sizes = {name: (info.vector_size, info.stacked) for name, info in store.views.items()}
    assert sizes == {
        "all": (40, True),
        "last": (24, False),
        "middle": (40, False),
        "ends": (24 + 40 + 24, False),
        "units": (24, False),
        "mean": (24, False),
    }
    for number in range(len(TEXTS)):
        id = store.ids[number]
        units = [layer_of(number, layer) for layer in range(4)]
        np.testing.assert_allclose(store.vectors("units", id), units[3], atol=1e-5)
        np.testing.assert_allclose(store.vectors("mean", id), units[0].mean(axis=0), atol=1e-5)
    assert list(verify(store.path)) == []


def test_a_word_is_its_last_unit_and_a_stack_is_filled_up_with_zeros(store):
    id = store.ids[0]  # xxmaj berlin is the capital of xxmaj germany .
    last_units = [1, 2, 3, 4, 5, 7, 8]
    assert store.views["last"].pooling == "last"
    np.testing.assert_allclose(store.vectors("last", id), layer_of(0, 3)[last_units], atol=1e-5)
    np.testing.assert_allclose(store.vectors("middle", id), (layer_of(0, 1) + layer_of(0, 2))[last_units], atol=1e-5)
    joined = np.concatenate([layer_of(0, layer) for layer in (0, 1, 3)], axis=1)[last_units]
    np.testing.assert_allclose(store.vectors("ends", id), joined, atol=1e-5)
    stacked = store.vectors("all", id)
    assert stacked.shape == (7, 4, 40)
    for layer, size in enumerate(SIZES):
        np.testing.assert_allclose(stacked[:, layer, :size], layer_of(0, layer)[last_units], atol=1e-5)
        assert not stacked[:, layer, size:].any()


def test_a_word_without_units_has_zeros_and_a_flag(store):
    vectors = store.vectors("last", store.ids[-1])
    assert not vectors[1].any()
    assert vectors[0].any()
    assert store.words_frame()["flags"].tolist()[-3:] == [0, WordFlag.NO_SUBWORDS, 0]


@pytest.mark.parametrize(
    ("layers", "view"), [("last", "last"), (Layer(3), "last"), (Sum((1, 2)), "middle"), (Concat((0, 1, 3)), "ends")]
)
def test_what_is_made_of_a_stack_is_the_view_that_was_extracted(store, layers, view):
    rows = np.arange(store.matrix(view).shape[0])
    made = StoreFeatures(store, view="all", layers=layers).fit_transform(rows)
    np.testing.assert_allclose(made, StoreFeatures(store, view=view).fit_transform(rows), atol=1e-5)
    assert len(StoreFeatures(store, view="all", layers=layers).get_feature_names_out()) == made.shape[1]


def test_text_gives_the_vectors_of_the_store(store):
    features = TextFeatures(store, view="all", layers="last")
    np.testing.assert_allclose(features.fit_transform([TEXTS[0]]), store.vectors("last", store.ids[0]), atol=1e-5)


UNLIKE = (
    "layers of unlike width cannot be added, and layer 1 has 40, 2 has 40, 3 has 24 numbers; take one layer, concat or stack"
)


def test_layers_of_unlike_width_are_not_added(config, store, tmp_path):
    views = {"sum": {"layers": "sum_all"}, "mix": {"layers": {"type": "scalar_mix", "scalars": [0, 0, 0, 0]}}}
    with pytest.raises(ConfigError) as failure:
        embedpipe.extract(config | {"views": views}, output=tmp_path / "s.h5")
    assert f"views.sum.layers: {UNLIKE}" in str(failure.value)
    assert "views.mix.layers: layers of unlike width" in str(failure.value)
    with pytest.raises(FeaturesError, match=UNLIKE):
        StoreFeatures(store, view="all", layers="mean_all").fit(np.arange(3))


def test_an_interrupted_run_goes_on_to_the_same_bytes(config, store, tmp_path):
    def stop(progress):
        if progress.num_sentences >= 2:
            raise KeyboardInterrupt

    small = config | {"store": {"shard_size": "2 KiB"}}
    with embedpipe.extract(small, output=tmp_path / "whole.h5") as whole:
        assert whole.provenance["run"]["num_shards_kept"] == 0
    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(small, output=tmp_path / "s.h5", on_progress=stop)
    with embedpipe.extract(small, output=tmp_path / "s.h5") as resumed:
        assert resumed.provenance["run"]["num_shards_kept"] > 0
    shards = [{p.name: p.read_bytes() for p in (tmp_path / f"{name}.h5.shards").glob("*.h5")} for name in ("whole", "s")]
    assert shards[0] == shards[1]
    assert len(shards[0]) > 2


def test_the_stores_identity_has_all_the_files(store):
    assert set(store.provenance["inputs"]["model"]) == {"forward.pth", "backward.pth", "itos.pkl"}


def test_a_comparison_takes_each_layer_in_its_width_and_leaves_sums_out(tmp_path):
    rows = [{"words": text.split(), "tags": [str(len(w) % 2) for w in text.split()]} for text in TEXTS * 2]
    parts = {}
    for part in ("train", "dev", "test"):
        path = tmp_path / f"{part}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        parts[part] = {"type": "jsonl", "path": str(path), "words": "words", "labels": ["tags"]}
    comparison = {
        "task": {"type": "word_labels", "label": "tags"},
        "splits": {"type": "files", **parts},
        "encoders": {"ulmfit": ENCODER},
        "choices": ["paper", "layers", "mixes"],
        "heads": {"logistic": {"type": "logistic_regression"}},
        "seeds": [0],
    }
    results = embedpipe.compare(comparison, tmp_path / "out")
    sizes = {choice.name: choice.vector_size for choice in results.choices["ulmfit"]}
    assert sizes == {
        "embeddings": 24,
        "second_to_last": 40,
        "last": 24,
        **{f"layer_{layer}": size for layer, size in enumerate(SIZES)},
    }
    assert any(note.startswith("sum_all is left out for ulmfit: layers of unlike width") for note in results.notes)
    with pytest.raises(ConfigError, match="choices: 'mix_all' is not for encoder 'ulmfit': layers of unlike width"):
        embedpipe.compare(comparison | {"choices": ["last", "mix_all"]}, tmp_path / "out")
