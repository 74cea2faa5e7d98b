"""Against what the real AllenNLP has computed (2.10.1, and the command of 0.9.0), where the developers' files are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from allennlp_light.modules.scalar_mix import ScalarMix as AllenNlpScalarMix

import embedpipe
from embedpipe.dataflow import Batch
from embedpipe.encoders import Elmo
from embedpipe.encoders.elmo.spelling import character_ids, spell
from embedpipe.layers import ScalarMix
from embedpipe.store import export_store

TOLERANCE = 1e-5


@pytest.fixture
def goldens(shared: Path) -> Path:
    return shared / "goldens"


def load(goldens, name="options.json", **more):
    settings = Elmo(str(goldens / name), str(goldens / "lm_weights.hdf5"), device="cpu", **more)
    return settings.load(settings.find())


def batch_of(encoder, sentences, length):
    """A batch with the boundaries of sentences."""
    special = encoder.vocabulary.special
    ids, mask = torch.zeros(2, len(sentences), length, dtype=torch.int64)
    for row, words in enumerate(sentences):
        numbers = [*special.prefix, *(encoder.vocabulary.units(word).inputs[0] for word in words), *special.suffix]
        ids[row, : len(numbers)] = torch.tensor(numbers)
        mask[row, : len(numbers)] = 1
    return Batch(ids, mask)


def joined(states, part):
    return np.stack([torch.cat([getattr(left, part), getattr(right, part)], dim=1).numpy() for left, right in states])


@pytest.mark.parametrize(
    ("name", "options", "is_stateful"),
    [
        ("fixture30_stateful", "options.json", True),
        ("fixture30_reset", "options.json", False),
        ("nasty_stateful", "options.json", True),
        ("nasty_reset", "options.json", False),
        ("clip_reset", "options_clip.json", False),
        ("noclip_reset", "options_noclip.json", False),
    ],
)
def test_every_layer_and_state_is_that_of_allennlp(name, options, is_stateful, goldens):
    golden, encoder = np.load(goldens / f"elmo_{name}.npz"), load(goldens, options, stateful=is_stateful)
    for number, sentences in enumerate(json.loads(str(golden["tokens_json"]))):
        key = f"b{number:02d}"
        batch = batch_of(encoder, sentences, golden[f"{key}_mask"].shape[1])
        assert batch.attention_mask.bool().tolist() == golden[f"{key}_mask"].tolist()
        for layer, found in encoder.encode(batch, range(3)).items():
            np.testing.assert_allclose(found.numpy(), golden[f"{key}_layer{layer}"], atol=TOLERANCE, err_msg=f"{key} {layer}")
        if is_stateful:
            np.testing.assert_allclose(joined(encoder.carried.states, "hidden"), golden[f"{key}_state_h"], atol=TOLERANCE)
            np.testing.assert_allclose(joined(encoder.carried.states, "cell"), golden[f"{key}_state_c"], atol=TOLERANCE)


def test_characters_are_those_of_allennlp(goldens):
    golden = np.load(goldens / "elmo_charids.npz")
    words = json.loads(str(golden["tokens_json"]))
    assert len(words) == 62
    assert character_ids([spell(word, 50) for word in words], 50).tolist() == golden["ids"].tolist()


def test_the_character_cnn_is_that_of_allennlp(goldens):
    golden, encoder = np.load(goldens / "elmo_charencoder_vocab.npz"), load(goldens)
    words = [word for word in json.loads(str(golden["tokens_json"])) if word]
    sentences = [words[start : start + 50] for start in range(0, len(words), 50)]
    layer = encoder.encode(batch_of(encoder, sentences, 52), [0])[0][..., :16].numpy()
    expected, is_word = golden["token_embedding"], golden["mask"]
    np.testing.assert_allclose(layer[is_word], expected[is_word], atol=TOLERANCE)
    np.testing.assert_allclose(layer[0, 0], golden["bos"], atol=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "scalars", "gamma"),
    [("zero", (0.0, 0.0, 0.0), 1.0), ("p", (0.1, -0.9, 1.0), 1.7), ("one", (-1e4, 1.0, -1e4), 1.0)],
)
def test_scalar_mixes_are_those_of_allennlp(kind, scalars, gamma, goldens):
    golden, encoder = np.load(goldens / "elmo_scalarmix.npz"), load(goldens)
    sentences = json.loads(str(golden["tokens_json"]))
    batch = batch_of(encoder, sentences, golden["mask_keep1"].shape[1])
    layers = list(encoder.encode(batch, range(3)).values())
    theirs = AllenNlpScalarMix(3, do_layer_norm=True, initial_scalar_parameters=list(scalars), trainable=False)
    theirs.gamma.data[0] = gamma
    with torch.no_grad():
        normed = theirs(layers, batch.attention_mask.bool())  # no mix for a store: it depends on the whole batch
    for norm, mixed in ((0, ScalarMix(scalars, gamma=gamma).combine(layers)), (1, normed)):
        with_boundaries = golden[f"ln{norm}_keep1_{kind}"]
        is_word = golden["mask_keep1"]
        np.testing.assert_allclose(mixed.numpy()[is_word], with_boundaries[is_word], atol=TOLERANCE)
        for row, words in enumerate(sentences):
            expected = golden[f"ln{norm}_keep0_{kind}"][row, : len(words)]
            np.testing.assert_allclose(mixed[row, 1 : len(words) + 1].numpy(), expected, atol=TOLERANCE)


def test_the_files_of_the_command_allennlp_elmo_are_written_again(goldens, tmp_path):
    folder = goldens / "elmo_cmd_090"
    views = {
        "all": {"layers": "all"},
        "top": {"layers": "last"},
        "average": {"layers": {"type": "mean", "layers": [0, 1, 2]}},
    }
    for size, kinds in ((3, ("all", "top", "average")), (64, ("all",))):
        encoder = {
            "type": "elmo",
            "options_file": str(goldens / "options.json"),
            "weight_file": str(goldens / "lm_weights.hdf5"),
            "stateful": True,
            "batch_sentences": size,
        }
        corpus = {"type": "lines", "path": str(folder / "input.txt"), "words_by": "white_space"}
        config = {"corpus": corpus, "encoder": encoder, "views": views}
        embedpipe.extract(config, tmp_path / f"{size}.h5").close()
        for kind in kinds:
            made = tmp_path / f"{kind}_{size}.hdf5"
            export_store(tmp_path / f"{size}.h5", made, "allennlp-elmo", views=[kind])
            with h5py.File(made) as ours, h5py.File(folder / f"elmo_{kind}_b{size}.hdf5") as theirs:
                assert list(ours) == list(theirs)
                for name in theirs:
                    assert (ours[name].shape, ours[name].dtype) == (theirs[name].shape, theirs[name].dtype), name
                    if name == "sentence_to_index":
                        assert ours[name][0] == theirs[name][0]
                    else:
                        np.testing.assert_allclose(ours[name][...], theirs[name][...], atol=TOLERANCE, err_msg=name)
        imported = {"encoder": {"type": "allennlp_elmo_file", "path": str(folder / f"elmo_all_b{size}.hdf5")}}
        with (
            embedpipe.open_store(tmp_path / f"{size}.h5") as ours,
            embedpipe.extract(config | imported, tmp_path / f"old_{size}.h5") as old,
        ):
            last = {sentence.words: sentence.index for sentence in ours}
            for index in last.values():  # of equal sentences, the old file's index knows the last one
                np.testing.assert_allclose(old.vectors("all", index), ours.vectors("all", index), atol=TOLERANCE)


def test_equal_sentences_have_equal_vectors_unless_the_state_is_carried(goldens, tmp_path):
    config = {
        "corpus": {"type": "words", "path": str(goldens / "elmo_cmd_090" / "input.txt")},
        "encoder": {
            "type": "elmo",
            "options_file": str(goldens / "options.json"),
            "weight_file": str(goldens / "lm_weights.hdf5"),
        },
        "views": {"top": {"layers": "last"}},
    }
    with embedpipe.extract(config, tmp_path / "reset.h5") as store:
        np.testing.assert_allclose(store.vectors("top", 0), store.vectors("top", 32), atol=1e-6)
    config["encoder"] |= {"stateful": True, "batch_sentences": 3}
    with embedpipe.extract(config, tmp_path / "stateful.h5") as store:
        assert store[0].words == store[32].words
        assert np.abs(store.vectors("top", 0) - store.vectors("top", 32)).max() > 1e-3
