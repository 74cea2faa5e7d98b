"""A comparison with a real encoder, which is fine-tuned as well."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_samples import Given, comparison, sentences
from threadpoolctl import threadpool_limits

from embedpipe.downstream.fine_tune import FineTune
from embedpipe.downstream.heads import LogisticRegressionHead
from embedpipe.encoders import Transformer
from embedpipe.experiment import runs
from embedpipe.experiment.compare import compare
from embedpipe.experiment.features import ExtractionRequest
from embedpipe.experiment.splits import RandomSplits
from embedpipe.experiment.tasks import SentenceLabels
from embedpipe.job import Job
from embedpipe.store import Store, StoreWriter, open_store

SENTENCES = sentences(30)


def extract(request: ExtractionRequest) -> Store:
    if not request.path.exists():
        job = Job(request.corpus, request.encoder, request.views, context=request.context, batching=request.batching)
        embedder = job.load()
        with StoreWriter(request.path, embedder.view_infos) as writer:
            for block in embedder.embed(SENTENCES):
                writer.append(block, 0)
            facts = {"encoder": dict(embedder.encoder.description), "fingerprint": hashlib.sha256(b"tiny").hexdigest()}
            writer.finish(facts)
    return open_store(request.path)


@pytest.fixture(scope="module")
def asked(tiny_model):
    return comparison(
        splits=RandomSplits(Given(SENTENCES)),
        encoders={"tiny": Transformer(str(tiny_model("bert")), device="cpu")},
        choices=("embeddings", "last"),
        heads={"logistic": LogisticRegressionHead()},
        fine_tune=FineTune(epochs=1, learning_rate=0.01),
    )


@pytest.fixture(scope="module")
def done(asked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fine-tuned")
    with threadpool_limits(1):
        return compare(asked, folder, extract=extract), folder


def test_a_fine_tuned_encoder_stands_beside_the_choices(done):
    results, _ = done
    row = results.rows[-1]
    assert (row.choice, row.head, row.pooling, row.num_seeds, row.best) == ("fine_tuned", "fine_tuned", "first", 2, False)
    info = results.choices["tiny"][-1]
    assert (info.name, info.kind, info.bytes_per_row, info.paper_score) == ("fine_tuned", "fine_tuned", 0, 0.964)
    assert [run.best_epoch for run in results.runs if run.choice == "fine_tuned"] == [1, 1]


def test_each_choice_is_compared_with_the_fine_tuned_encoder(done):
    pairs = [(pair.choice, pair.head) for pair in done[0].paired if pair.against == "fine_tuned"]
    assert sorted(pairs) == [("embeddings", "logistic"), ("last", "logistic")]
    assert {confusion.choice for confusion in done[0].confusions} >= {"fine_tuned"}


def test_the_encoder_is_described_and_fine_tuned_once_a_seed(done, asked, monkeypatch):
    results, folder = done
    assert (results.encoders["tiny"]["num_layers"], results.encoders["tiny"]["hidden_size"]) == (4, 32)
    monkeypatch.setattr(runs.FineTuning, "__call__", lambda *arguments: pytest.fail("it is trained again"))
    before = (folder / "results.json").read_bytes()
    compare(asked, folder, extract=extract)
    assert (folder / "results.json").read_bytes() == before


def test_labels_of_sentences_are_fine_tuned_over_the_classification_subword(asked, tmp_path: Path):
    with threadpool_limits(1):
        results = compare(
            replace(asked, task=SentenceLabels("topic"), choices=("last",), seeds=(0,)), tmp_path, extract=extract
        )
    assert results.rows[-1].pooling == "cls"
    assert 0 <= results.rows[-1].mean <= 1
