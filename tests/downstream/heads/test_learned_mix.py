from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from allennlp_light.modules.scalar_mix import ScalarMix as AllenNlpScalarMix
from made_stores import make_store, random_tags, separable
from tiny_models import NUM_LAYERS

import embedpipe
from embedpipe.dataflow import ViewInfo
from embedpipe.downstream import NerTagger, StoreFeatures, TextFeatures
from embedpipe.downstream.examples import read_examples
from embedpipe.downstream.heads import LinearHead, MlpHead, Training
from embedpipe.downstream.heads.inputs import Inputs
from embedpipe.downstream.heads.mix import Mix
from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.downstream.selection import select
from embedpipe.errors import FeaturesError
from embedpipe.layers import ScalarMix

VIEWS = {
    "all": ViewInfo("word", 8, (0, 1, 2, 3, 4), "float32", "all", "mean", stacked=True),
    "last": ViewInfo("word", 8, (4,), "float32", "last", "mean"),
    "ends": ViewInfo("word", 8, (0, 4), "float32", "stack", "mean", stacked=True),
}


@pytest.mark.parametrize(
    ("view", "layers", "mixed"),
    [
        ("all", "learned_mix", (0, 1, 2, 3, 4)),
        ("all", LearnedMix(), (0, 1, 2, 3, 4)),
        ("all", LearnedMix((-4, -3, -2, -1)), (1, 2, 3, 4)),
        ("all", LearnedMix((3, 0)), (3, 0)),
        ("ends", LearnedMix(), (0, 4)),
        ("ends", LearnedMix((-1,)), (4,)),
    ],
)
def test_a_learned_mix_keeps_the_layers_that_it_names_apart(view, layers, mixed):
    selection = select("here", VIEWS, view, layers, 4)
    rows = np.random.default_rng(0).normal(size=(3, *VIEWS[view].row_shape)).astype(np.float16)
    assert selection.learned
    assert selection.mixed_layers == mixed
    assert selection.vector_size == 8
    assert selection.shape == (len(mixed), 8)
    vectors = selection.vectors(rows)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, rows[:, [VIEWS[view].layers.index(layer) for layer in mixed]])


@pytest.mark.parametrize(
    ("view", "layers", "num_layers", "message"),
    [
        ("last", "learned_mix", 4, "combined already"),
        ("ends", LearnedMix((1,)), 4, "layer 1 is needed, and the view holds only 0, 4"),
        ("all", LearnedMix((7,)), 4, "layer 7 does not exist"),
        ("all", LearnedMix((-1,)), None, "count them from 0"),
    ],
)
def test_layers_that_cannot_be_mixed_are_refused(view, layers, num_layers, message):
    with pytest.raises(FeaturesError, match=message):
        select("here", VIEWS, view, layers, num_layers)


@pytest.mark.parametrize("layers", [(), (1, 1)])
def test_a_mix_names_each_layer_once(layers):
    with pytest.raises(ValueError, match="layers: "):
        LearnedMix(layers)


@pytest.mark.parametrize("layers", ["learned_mix", LearnedMix((1, 2))])
def test_transformers_without_a_tagger_refuse_a_learned_mix(store, config, layers):
    with pytest.raises(FeaturesError, match="no weights before a tagger has trained them"):
        StoreFeatures(store, "all_layers", layers).fit([0])
    with pytest.raises(FeaturesError, match="no weights before a tagger has trained them"):
        TextFeatures(config, "all_layers", layers).transform(["a fox"])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 200.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_mix_starts_as_the_mean_of_the_layers_with_unit_scale(scale, standardize):
    rows = scale * (1 + torch.randn(500, 3, 6, generator=torch.Generator().manual_seed(0)))
    inputs = Inputs((3, 6))
    inputs.measure(rows.split(100), standardize=standardize)
    mixed = inputs.mix(rows)
    assert float(mixed.detach().square().mean()) == pytest.approx(1, rel=1e-4)
    torch.testing.assert_close(mixed / inputs.mix.scalar_mix.gamma, rows.mean(1))
    out = inputs(rows).detach()
    if standardize:
        torch.testing.assert_close(out.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
        torch.testing.assert_close(out.std(0, correction=0), torch.ones(6), atol=1e-4, rtol=0)
    else:
        torch.testing.assert_close(out, mixed.detach())


@pytest.mark.parametrize("signal", [0, 2, 4])
@pytest.mark.parametrize("head", [LinearHead, MlpHead])
def test_the_learned_weights_find_the_layer_that_has_the_signal(tmp_path, signal, head):
    generator = np.random.default_rng(signal)
    tags = random_tags(generator, 400)
    vectors = generator.normal(size=(sum(map(len, tags)), 5, 16)).astype(np.float32)
    vectors[:, signal] = separable(generator, tags, 16, noise=0.5)
    vectors *= np.array([1, 3, 0.5, 2, 1], np.float32)[:, None]  # layers have scales of their own
    with make_store(tmp_path / "mix.h5", tags, vectors) as store:
        examples = read_examples(store, select("it", store.views, None, LearnedMix(), 4), "ner")
        dev, train = examples.take(np.arange(40)), examples.take(np.arange(40, 400))
        training = Training(epochs=25, patience=25, device="cpu", mix_learning_rate=0.1)
        fitted = head(training=training).fit(train, dev, seed=0)
    assert fitted.mix.layers == (0, 1, 2, 3, 4)
    assert fitted.mix.weights[signal] > 0.8
    assert sum(fitted.mix.weights) == pytest.approx(1)
    assert np.exp(fitted.mix.scalars) / np.exp(fitted.mix.scalars).sum() == pytest.approx(fitted.mix.weights)


def test_an_extraction_with_the_exported_mix_equals_the_taggers_own(store, config, write_store, tmp_path):
    head = LinearHead(training=Training(epochs=6, mix_learning_rate=0.1, device="cpu"))
    tagger = NerTagger(head, "all_layers", LearnedMix((-1, 0, 2))).fit(store)
    assert tagger.mix.layers == (NUM_LAYERS, 0, 2)
    assert max(tagger.mix.weights) - min(tagger.mix.weights) > 0.01
    snippet = json.loads(json.dumps(tagger.mix.as_config()))
    config["views"] = {"mixed": {"layers": snippet, "pooling": "mean"}}
    rows = np.asarray(store.matrix("all_layers"))[:, [NUM_LAYERS, 0, 2]]
    with torch.no_grad():
        own = tagger.trained.fitted.network.inputs.mix(torch.from_numpy(rows)).numpy()
    with embedpipe.open_store(write_store(tmp_path / "mixed.h5", config)) as mixed:
        np.testing.assert_allclose(np.asarray(mixed.matrix("mixed")), own, atol=1e-5, rtol=1e-5)


GOLDEN_MIXES = {"zero": ((0.0, 0.0, 0.0), 1.0), "p": ((0.3, -0.7, 1.2), 1.7), "one": ((-100.0, 100.0, -100.0), 1.0)}


@pytest.mark.parametrize("norm", [0, 1])
@pytest.mark.parametrize("name", GOLDEN_MIXES)
def test_mixes_equal_those_of_the_real_allennlp(name, norm, shared):
    golden, layers = np.load(shared / "goldens" / "elmo_scalarmix.npz"), np.load(shared / "goldens" / "elmo_nasty_reset.npz")
    batches = json.loads(str(layers["tokens_json"]))
    place = {json.dumps(words): (batch, row) for batch, rows in enumerate(batches) for row, words in enumerate(rows)}
    states = torch.zeros(3, *golden["ln0_keep1_p"].shape)  # (num_layers, num_sentences, max_length, size)
    mask = torch.zeros(states.shape[1:3], dtype=torch.bool)
    for number, words in enumerate(json.loads(str(golden["tokens_json"]))):
        batch, row = place[json.dumps(words)]
        length = len(words) + 2
        mask[number, :length] = True
        for layer in range(3):
            states[layer, number, :length] = torch.from_numpy(layers[f"b{batch:02d}_layer{layer}"][row, :length])
    scalars, gamma = GOLDEN_MIXES[name]
    expected = golden[f"ln{norm}_keep1_{name}"][mask]
    mixes = [AllenNlpScalarMix(3, do_layer_norm=bool(norm), initial_scalar_parameters=list(scalars))]
    if not norm:  # with statistics over the whole batch, which embedpipe does not offer
        mixes.append(Mix(3).scalar_mix)
        mixes[1].load_state_dict({**mixes[0].state_dict()})
        stored = ScalarMix(scalars, gamma=gamma).combine(list(states))
        np.testing.assert_allclose(stored[mask].numpy(), expected, atol=1e-5)
    for mix in mixes:
        torch.nn.init.constant_(mix.gamma, gamma)
        with torch.no_grad():
            mixed = mix(list(states), mask)
        np.testing.assert_allclose(mixed[mask].numpy(), expected, atol=1e-5)
        inner = mask[:, 2:]  # without the sentence's boundaries
        np.testing.assert_allclose(mixed[:, 1:-1][inner].numpy(), golden[f"ln{norm}_keep0_{name}"][inner.numpy()], atol=1e-5)
