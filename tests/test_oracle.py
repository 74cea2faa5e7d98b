"""The whole flow against numbers computed straight from transformers' ``output_hidden_states``, sentence by sentence."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, NUM_LAYERS, WITH_CLS
from transformers import AutoModel, AutoTokenizer

from embedpipe.batching import Batching
from embedpipe.dataflow import Block, Sentence
from embedpipe.encoders import Transformer
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED, Concat, Layer, Mean, ScalarMix, Stack, Sum, WeightedSum
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View

TOLERANCE = 1e-5
WEIGHTS = (0.5, -1.0, 2.0, 0.25, 1.5)
COMBINATIONS = {
    **NAMED,
    "layer": Layer(2),
    "sum": Sum((0, -1)),
    "mean": Mean((1, 3)),
    "concat": Concat((3, 0)),
    "weighted_sum": WeightedSum(WEIGHTS),
    "scalar_mix": ScalarMix((0.0, 1.0, -1.0, 0.5, 2.0), gamma=0.7),
    "stack": Stack((4, 1)),
}
SENTENCES = [
    "The quick brown fox jumps over the lazy dog .",
    "Berlin .",
    "don't re-entry 3.14 $5 unbelievable tokenization isn't",
    "She put the stick in the spring ; and waited ( quietly ) near the river bank !",
    "a",
    "café naïve ß ﬁne 😀 — “quoted” …",
]


def oracle_combination(name: str, states: list[np.ndarray]) -> np.ndarray:
    """The combination in numpy, written down from its definition."""
    softmax = np.exp([0.0, 1.0, -1.0, 0.5, 2.0]) / np.exp([0.0, 1.0, -1.0, 0.5, 2.0]).sum()
    definitions = {
        "embeddings": lambda: states[0],
        "first": lambda: states[1],
        "second_to_last": lambda: states[-2],
        "last": lambda: states[-1],
        "sum_last_four": lambda: sum(states[-4:]),
        "mean_last_four": lambda: np.mean(states[-4:], axis=0),
        "concat_last_four": lambda: np.concatenate(states[-4:], axis=-1),
        "sum_all": lambda: sum(states[1:]),
        "mean_all": lambda: np.mean(states[1:], axis=0),
        "all": lambda: np.stack(states, axis=1),
        "layer": lambda: states[2],
        "sum": lambda: states[0] + states[-1],
        "mean": lambda: (states[1] + states[3]) / 2,
        "concat": lambda: np.concatenate([states[3], states[0]], axis=-1),
        "weighted_sum": lambda: sum(weight * state for weight, state in zip(WEIGHTS, states, strict=True)),
        "scalar_mix": lambda: 0.7 * sum(weight * state for weight, state in zip(softmax, states, strict=True)),
        "stack": lambda: np.stack([states[4], states[1]], axis=1),
    }
    return definitions[name]()


def oracle_words(text: str, spans: list[tuple[int, int]], offsets: np.ndarray) -> list[list[int]]:
    """The subwords that share a character with each word, by looking at every character."""
    return [
        [index for index, (start, end) in enumerate(offsets) if any(start <= char < end for char in range(*span))]
        for span in spans
    ]


@cache
def oracle(folder: Path, text: str) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Hidden states of the text's own subwords, their offsets, and the hidden states at [CLS] (empty without one)."""
    tokenizer, model = _loaded(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True, return_special_tokens_mask=True)
    inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        states = model(**inputs, output_hidden_states=True).hidden_states
    own = encoded["special_tokens_mask"][0].numpy() == 0
    has_cls = tokenizer.cls_token_id is not None and encoded["input_ids"][0, 0] == tokenizer.cls_token_id
    cls = [state[0, 0].numpy() for state in states] if has_cls else []
    return [state[0].numpy()[own] for state in states], encoded["offset_mapping"][0].numpy()[own], cls


@cache
def _loaded(folder: Path) -> tuple:
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    return AutoTokenizer.from_pretrained(folder), model.get_encoder() if model.config.is_encoder_decoder else model


def embed(folder: Path, views: Mapping[str, View], sentences: list[Sentence], budget: int = 4096) -> list[Block]:
    settings = Transformer(model=str(folder), device="cpu")
    embedder = Embedder(SubwordTokenizer(folder), settings.load(settings.find()), views, batching=Batching(budget))
    return list(embedder.embed(sentences))


def pooled(vectors: np.ndarray, subwords: list[int], mode: str) -> np.ndarray:
    own = vectors[subwords]
    return {"first": own[0], "last": own[-1], "mean": own.mean(axis=0), "max": own.max(axis=0)}[mode]


@pytest.mark.parametrize("name", [*ARCHITECTURES, "minilm"])
def test_every_combination_and_pooling_equals_transformers_own_hidden_states(name, tiny_model):
    if name == "minilm":
        folder = Transformer().find().folder
        combinations = {key: NAMED[key] for key in NAMED}
    else:
        folder, combinations = tiny_model(name), COMBINATIONS
    num_layers = 6 if name == "minilm" else NUM_LAYERS
    has_cls = name in WITH_CLS
    views = {}
    for combination, layers in combinations.items():
        for pooling in ("first", "last", "mean", "max"):
            views[f"{combination}/word/{pooling}"] = View(layers, "word", pooling)
        for pooling in ("mean", "max", "last", "cls") if has_cls else ("mean", "max", "last"):
            views[f"{combination}/sentence/{pooling}"] = View(layers, "sentence", pooling)
        views[f"{combination}/subword/"] = View(layers, "subword")
    texts = SENTENCES * 2
    random.Random(0).shuffle(texts)
    sentences = [Sentence.from_words(str(index), "d", text.split(" ")) for index, text in enumerate(texts)]
    (block,) = embed(folder, views, sentences, budget=64)
    expected: dict[str, list[np.ndarray]] = {view: [] for view in views}
    for sentence in sentences:
        states, offsets, cls_states = oracle(folder, sentence.text)
        assert len(states) == num_layers + 1
        words = oracle_words(sentence.text, list(sentence.spans), offsets)
        for combination in combinations:
            vectors = oracle_combination(combination, states)
            for view in (view for view in views if view.startswith(f"{combination}/")):
                _, unit, mode = view.split("/")
                if unit == "word":
                    expected[view] += [pooled(vectors, subwords, mode) for subwords in words]
                elif unit == "subword":
                    expected[view] += list(vectors)
                elif mode == "cls":
                    expected[view] += [oracle_combination(combination, [state[None] for state in cls_states])[0]]
                else:
                    expected[view] += [pooled(vectors, list(range(len(vectors))), mode)]
    for view, rows in expected.items():
        np.testing.assert_allclose(block.views[view], np.stack(rows), atol=TOLERANCE, rtol=TOLERANCE, err_msg=view)


@pytest.mark.parametrize(
    "name", ["bert", "roberta", "deberta-v2", "modernbert", "gpt2", "llama", "bloom", "t5", "bart", "minilm"]
)
@pytest.mark.parametrize("budget", [1, 17, 100_000])
def test_a_sentence_has_the_same_vectors_whatever_shares_its_batch(name, budget, tiny_model):
    folder = Transformer().find().folder if name == "minilm" else tiny_model(name)
    views = {"all": View(NAMED["all"], "word", "mean"), "mean": View(NAMED["last"], "sentence", "mean")}
    sentences = [Sentence.from_words(str(index), "d", text.split(" ")) for index, text in enumerate(SENTENCES)]
    (alone,) = embed(folder, views, sentences)
    shuffled = sentences[::-1]
    (other,) = embed(folder, views, shuffled, budget)
    lengths = [len(sentence.spans) for sentence in shuffled]
    pieces = np.split(other.views["all"], np.cumsum(lengths)[:-1])
    np.testing.assert_allclose(np.concatenate(pieces[::-1]), alone.views["all"], atol=TOLERANCE, rtol=TOLERANCE)
    np.testing.assert_allclose(other.views["mean"][::-1], alone.views["mean"], atol=TOLERANCE, rtol=TOLERANCE)
