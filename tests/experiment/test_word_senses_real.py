"""A word of several senses, in real sentences: static vectors cannot tell them apart, contextual ones can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import embedpipe
from embedpipe.corpus import Tsv
from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.encoders import Transformer
from embedpipe.engines.static_vectors import StaticVectors

K = 5


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """The 41 occurrences of "stick" in SemCor and MASC, each with its sense in the New Oxford American Dictionary."""
    source = Path(__file__).resolve().parents[3] / "shared" / "data" / "wsd" / "noad_masc_semcor" / "lexical_sample.tsv"
    if not source.is_file():
        pytest.skip("the reference data of the developers is not on this machine")
    header, *lines = source.read_text("utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("senses") / "stick.tsv"
    path.write_text(header + "".join(line for line in lines if line.startswith("stick\t")), "utf-8")
    return path


@pytest.fixture(scope="module")
def sentences(table) -> list[Sentence]:
    return list(Tsv(str(table), **FIELDS).sentences(ReadLog()))


FIELDS = {"text": "sentence", "word_index": "token_index", "word_labels": {"sense": "noad_sense"}}


@pytest.fixture(scope="module")
def senses(sentences) -> np.ndarray:
    return np.array([sense for sentence in sentences for sense in sentence.labels["sense"] if sense != "_"])


@pytest.fixture(scope="module")
def forms(sentences) -> list[str]:
    pairs = [pair for sentence in sentences for pair in zip(sentence.words, sentence.labels["sense"], strict=True)]
    return [word for word, sense in pairs if sense != "_"]


@pytest.fixture(scope="module")
def contextual(table, tmp_path_factory) -> np.ndarray:
    """*Shape:* ``(num_layers + 1, num_occurrences, hidden_size)``."""
    config = {
        "corpus": {"type": "tsv", "path": str(table), **FIELDS},
        "encoder": {"type": "transformer", "model": "minilm", "device": "cpu"},
        "views": {"all": {"layers": "all", "pooling": "mean"}},
    }
    with embedpipe.extract(config, tmp_path_factory.mktemp("store") / "stick.h5") as store:
        label = store.label("sense")
        rows = np.flatnonzero(label.codes != label.vocabulary.index("_"))
        return store.matrix("all")[rows].transpose(1, 0, 2)


@pytest.fixture(scope="module")
def static(forms) -> np.ndarray:
    vectors = StaticVectors({"minilm": Transformer("minilm", device="cpu")})("minilm", forms)
    assert vectors is not None
    return vectors


def num_right(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often most of the K nearest others, by the cosine, have an occurrence's own label; of several the nearest one's.

    :param labels: *Shape:* ``(..., num_occurrences)``.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = (unit @ unit.T).round(6)
    np.fill_diagonal(near, -np.inf)
    neighbors = labels[..., np.argsort(-near, axis=1, kind="stable")[:, :K]]  # (..., num_occurrences, K)
    votes = (neighbors[..., :, None] == neighbors[..., None, :]).sum(axis=-1)
    told = np.take_along_axis(neighbors, votes.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return (told == labels).sum(axis=-1)


def chance(vectors: np.ndarray, senses: np.ndarray) -> int:
    """What 999 of 1,000 shufflings of the senses do not exceed."""
    random = np.random.default_rng(0)
    return int(np.quantile(num_right(vectors, np.stack([random.permutation(senses) for _ in range(1000)])), 0.999))


def test_there_are_41_occurrences_of_five_senses(senses, forms):
    assert sorted(np.unique(senses, return_counts=True)[1].tolist()) == [3, 3, 7, 14, 14]
    assert {form.lower() for form in forms} == {"stick", "sticks", "stuck", "sticking"}


def test_static_vectors_of_a_form_are_equal_wherever_it_stands(static, contextual, forms):
    by_form: dict[str, list[int]] = {}
    for place, form in enumerate(forms):
        by_form.setdefault(form.lower(), []).append(place)  # the model's tokenizer lowers
    for places in by_form.values():
        assert np.ptp(static[places], axis=0).max() == 0
        for layer in contextual[1:]:
            assert len(np.unique(layer[places], axis=0)) == len(places)


@pytest.mark.parametrize("layer", range(1, 7))
def test_neighbours_of_contextual_vectors_share_the_sense_more_often_than_chance(contextual, static, senses, layer):
    right = num_right(contextual[layer], senses)
    assert right > chance(contextual[layer], senses)
    assert right > 14  # the most frequent sense
    assert right > num_right(static, senses)


def test_neighbours_of_static_vectors_and_of_the_embedding_layer_do_not(contextual, static, senses):
    for vectors in (static, contextual[0]):
        assert num_right(vectors, senses) <= chance(vectors, senses)


def test_the_first_layer_knows_less_than_later_ones(contextual, senses):
    right = [int(num_right(layer, senses)) for layer in contextual]  # 15, 23, 30, 29, 28, 29, 27 of 41
    assert right[0] < right[1] < min(right[2:])
