from __future__ import annotations

import shutil

import pytest
import torch
from tiny_models import ARCHITECTURES

from embedpipe.dataflow import Batch
from embedpipe.encoders import Transformer
from embedpipe.errors import EncoderError


@pytest.fixture
def without_weights(tiny_model, tmp_path):
    def copy(name):
        folder = tmp_path / name
        shutil.copytree(tiny_model(name), folder)
        (folder / "model.safetensors").write_bytes(b"")
        return Transformer(str(folder), device="cpu")

    return copy


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_outline_says_without_weights_what_the_loaded_model_says(architecture, tiny_model, without_weights, capfd):
    bare = without_weights(architecture)
    outline = bare.outline(bare.find())
    whole = Transformer(str(tiny_model(architecture)), device="cpu")
    loaded = whole.load(whole.find())
    for name in ("num_layers", "hidden_size", "max_window"):
        assert getattr(outline, name) == getattr(loaded, name)
    assert outline.description["architecture"] == loaded.description["architecture"]
    assert [path.name for path in outline.files] == [path.name for path in loaded.files]
    assert capfd.readouterr() == ("", "")


def test_an_outline_encodes_nothing(without_weights):
    settings = without_weights("bert")
    outline = settings.outline(settings.find())
    with pytest.raises(EncoderError, match="known in outline only"):
        outline.encode(Batch(torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.int64)), [4])


@pytest.mark.parametrize("config", ["{}", "{broken", '{"model_type": "no-such-architecture"}'])
def test_a_config_that_is_not_of_transformers_is_named(config, without_weights):
    settings = without_weights("bert")
    files = settings.find()
    (files.folder / "config.json").write_text(config)
    with pytest.raises(EncoderError, match=r"encoder\.model: .* cannot be understood: "):
        settings.outline(files)
