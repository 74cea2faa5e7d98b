from __future__ import annotations

import shutil

import pytest

from embedpipe.config import load_config
from embedpipe.engines.identity import Identity


@pytest.fixture
def make(tiny_model, tmp_path):
    """The identity of a small run, with a corpus and a model of its own."""
    model = shutil.copytree(tiny_model("bert"), tmp_path / "model")

    def identity(corpus="the dog\n", name="corpus.txt", **changes):
        path = tmp_path / name
        path.write_text(corpus, encoding="utf-8")
        config = {
            "corpus": {"type": "words", "path": str(path)},
            "encoder": {"type": "transformer", "model": str(model), "device": "cpu"},
            "views": {"last": {"layers": "last"}},
        }
        return Identity.of(load_config(config | changes))

    return identity


def provenance_of(identity):
    return {"config": identity.config, "inputs": identity.inputs, "fingerprint": identity.fingerprint}


def test_equal_runs_have_equal_identities(make):
    assert make() == make()
    assert make().changes_since(provenance_of(make())) == ["something that its provenance does not say"]


@pytest.mark.parametrize("store", [{"path": "elsewhere.h5"}, {"single_file": False}])
def test_where_the_store_is_and_in_how_many_files_does_not_matter(make, store):
    assert make(store=store).fingerprint == make().fingerprint


def test_every_change_is_named_by_its_path(make):
    before = provenance_of(make())
    changed = make("another\n", views={"last": {"layers": "first"}, "mean": {"layers": "last", "unit": "sentence"}})
    changes = changed.changes_since(before)
    assert [change.split(": ")[0] for change in changes] == [
        "config.views.last.layers.type",
        "config.views.mean",
        "inputs.corpus/0",
    ]
    assert changes[0] == "config.views.last.layers.type: was 'last', is 'first'"


def test_a_changed_weight_or_vocabulary_is_another_run(make, tmp_path):
    before = make()
    for name in ("model.safetensors", "tokenizer.json"):
        file = tmp_path / "model" / name
        file.write_bytes(file.read_bytes() + b" ")
        (change,) = make().changes_since(provenance_of(before))
        assert change.startswith(f"inputs.model/{name}: was '")
        before = make()
