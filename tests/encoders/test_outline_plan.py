"""Plans for encoders that take words: what they say is what is stored, and they need no weights for it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from elmo_samples import write_elmo
from static_files import VECTORS, WORDS, text_of, write

import embedpipe
from embedpipe.config import load_config
from embedpipe.encoders import AwdLstm, Elmo, Static
from embedpipe.engines.plan import make_plan

GOLDEN = Path(__file__).parents[1] / "golden" / "awd_lstm"
TEXTS = [["Berlin", "", "is", "LARGE", "x" * 60], [], ["the", "quick", "fox"] * 40, ["a", "qwertz", "café"]]


@pytest.fixture(params=["elmo", "stateful elmo", "awd_lstm", "static"])
def config(request, tmp_path):
    corpus = tmp_path / "c.jsonl"
    rows = [{"words": words, "document": "d", "id": str(index)} for index, words in enumerate(TEXTS * 3)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if "elmo" in request.param:
        options, weights = write_elmo(tmp_path)
        encoder = {"type": "elmo", "options_file": str(options), "weight_file": str(weights), "device": "cpu"}
        encoder |= {"stateful": True, "batch_sentences": 4} if "stateful" in request.param else {}
    elif request.param == "awd_lstm":
        encoder = {"type": "awd_lstm", "vocabulary": str(GOLDEN / "itos.pkl"), "weights": str(GOLDEN / "forward.pth")}
    else:
        path = write(tmp_path / "vectors.txt", text_of(WORDS, VECTORS, header=True))
        encoder = {"type": "static", "path": str(path), "unknown": "random"}
    views = {
        "all": {"layers": "all"},
        "last": {"layers": "last", "unit": "subword"},
        "mean": {"layers": "last", "unit": "sentence"},
    }
    return {
        "corpus": {"type": "jsonl", "path": str(corpus), "words": "words", "document": "document", "id": "id"},
        "encoder": encoder,
        "views": views,
    }


@pytest.fixture
def without_weights(monkeypatch):
    def fail(self, files):
        raise AssertionError("the weights are loaded")

    with monkeypatch.context() as patch:
        for kind in (Elmo, AwdLstm, Static):
            patch.setattr(kind, "load", fail)
        yield patch


def test_a_plan_without_weights_has_the_counts_and_bytes_of_the_store_that_is_made(config, without_weights, tmp_path):
    plan = make_plan(load_config(config), device_rate=1000)
    without_weights.undo()
    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        summary, infos, encoder = store.summary(), dict(store.views), store.provenance["encoder"]
        shapes = {name: store.matrix(name).shape for name in infos}
    planned = plan.survey
    assert summary.counts == {name: getattr(planned, f"num_{name}") for name in summary.counts}
    assert summary.flags.get("NO_SUBWORDS", 0) == planned.num_words_without_subwords
    assert summary.flags.get("CUT", 0) == planned.num_cut_words
    assert {name: view.info for name, view in plan.views.items()} == infos
    assert {name: view.size_bytes for name, view in plan.views.items()} == {
        name: 4 * math.prod(shape) for name, shape in shapes.items()
    }
    assert {name: encoder[name] for name in plan.encoder} == plan.encoder
    assert (plan.num_layers, plan.hidden_size) == (encoder["num_layers"], encoder["hidden_size"])


@pytest.mark.parametrize("context", [{"type": "sentence"}, {"type": "document", "window": 50}])
def test_calibration_runs_the_words_of_the_corpus_through_the_loaded_encoder(config, context, monkeypatch):
    if config["encoder"].get("stateful"):
        context = {"type": "sentence"}
    loaded = load_config(config | {"context": context})
    seen = []
    kind = type(loaded.job.encoder)
    load = kind.load

    def watched(self, files):
        encoder = load(self, files)
        units = encoder.vocabulary.units

        def units_of(word):
            seen.append(word)
            return units(word)

        encoder.vocabulary.units = units_of
        return encoder

    monkeypatch.setattr(kind, "load", watched)
    plan = make_plan(loaded)
    assert plan.time.source == "calibration" and plan.time.subwords_per_second > 1
    assert set(seen) == {word for words in TEXTS for word in words}
