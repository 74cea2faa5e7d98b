"""The outlines of encoders that take words: the loaded encoder's numbers, while what is large stays unread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from elmo_samples import write_elmo
from safetensors.torch import save_file
from static_files import VECTORS, WORDS, binary_of, fasttext_of, fasttext_table, text_of

from embedpipe.encoders import AwdLstm, Elmo, Static
from embedpipe.encoders.awd_lstm import checkpoint
from embedpipe.encoders.static import cache, table_writer
from embedpipe.errors import EncoderError

GOLDEN = Path(__file__).parents[1] / "golden" / "awd_lstm"


def require_same(settings, outline):
    """Compare with the loaded encoder, after the outline was drawn."""
    loaded = settings.load(settings.find())
    for name in ("num_layers", "hidden_size", "max_window", "files"):
        assert getattr(outline, name) == getattr(loaded, name)
    assert outline.is_causal == getattr(loaded, "is_causal", False)
    assert outline.batch_sentences == getattr(loaded, "batch_sentences", None)
    assert outline.layer_sizes == getattr(loaded, "layer_sizes", (loaded.hidden_size,) * (loaded.num_layers + 1))
    assert outline.vocabulary.special == loaded.vocabulary.special
    for word in ("the", "Berlin", "", "Qxyz", "don't", "x" * 60, "AAAAAA"):
        ours, theirs = outline.vocabulary.units(word), loaded.vocabulary.units(word)
        assert (len(ours.ids), ours.cut) == (len(theirs.ids), theirs.cut)
    assert {name: loaded.description[name] for name in outline.description} == outline.description


# ELMo


@pytest.mark.parametrize("stateful", [False, True])
def test_the_outline_of_an_elmo_is_read_off_its_options_alone(stateful, tmp_path):
    options, weights = write_elmo(tmp_path)
    settings = Elmo(str(options), str(weights), stateful=stateful, batch_sentences=7, device="cpu")
    content = weights.read_bytes()
    weights.write_bytes(b"")
    outline = settings.outline(settings.find())
    with pytest.raises(EncoderError):
        settings.load(settings.find())
    weights.write_bytes(content)
    require_same(settings, outline)


def test_options_that_are_none_are_named_in_the_outline_of_an_elmo(tmp_path):
    options, weights = write_elmo(tmp_path)
    options.write_text("{}")
    settings = Elmo(str(options), str(weights))
    with pytest.raises(EncoderError, match=r"lstm\.dim: is missing"):
        settings.outline(settings.find())


# AWD-LSTM


@pytest.fixture
def golden(tmp_path):
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


DIRECTIONS = {
    "forward": ("weights",),
    "backward": ("backward_weights",),
    "both": ("weights", "backward_weights"),
}


def settings_of(folder, directions, ending=".pth"):
    files = {"weights": "forward", "backward_weights": "backward"}
    given = {name: str(folder / f"{files[name]}{ending}") for name in DIRECTIONS[directions]}
    return AwdLstm(str(folder / "itos.pkl"), **given, device="cpu")


def state_of(path):
    weights = checkpoint._read(path, "the test", shapes_only=False)
    return weights.get("model", weights)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_the_outline_of_an_awd_lstm_leaves_its_weights_unread(directions, golden, monkeypatch):
    load, num_loaded = torch.load, []

    def load_without_numbers(path, *, mmap, **settings):
        """torch reads what it maps when a number is looked at; here there is none to look at."""
        assert mmap
        weights = load(path, mmap=mmap, **settings)
        num_loaded.append(1)
        return {name: weight.to("meta") for name, weight in weights.get("model", weights).items()}

    settings = settings_of(golden, directions)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", load_without_numbers)
        outline = settings.outline(settings.find())
    assert len(num_loaded) == len(DIRECTIONS[directions])
    require_same(settings, outline)
    assert len(set(outline.layer_sizes)) > 1


@pytest.mark.parametrize("kind", ["safetensors", "legacy", "float16", "with its optimizer"])
def test_every_kind_of_file_of_an_awd_lstm_has_an_outline(kind, golden, monkeypatch):
    state = state_of(golden / "forward.pth")
    path = golden / ("forward.safetensors" if kind == "safetensors" else "forward.pth")
    if kind == "safetensors":
        save_file({name: weight.clone() for name, weight in state.items()}, path)
    elif kind == "with its optimizer":
        torch.save({"model": state, "opt": {"state": []}}, path)
    else:
        state = {name: weight.half() if kind == "float16" else weight for name, weight in state.items()}
        torch.save(state, path, _use_new_zipfile_serialization=kind != "legacy")
    settings = settings_of(golden, "forward", path.suffix)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "load_file", None)
        outline = settings.outline(settings.find())
    require_same(settings, outline)


def test_what_does_not_fit_is_found_without_the_weights(golden):
    settings = settings_of(golden, "forward")
    (golden / "forward.pth").write_bytes((golden / "forward.pth").read_bytes()[:2000])
    with pytest.raises(EncoderError, match=r"encoder\.weights: .* is damaged"):
        settings.outline(settings.find())
    torch.save({"weight": torch.zeros(3)}, golden / "forward.pth")
    with pytest.raises(EncoderError, match="is no AWD-LSTM of fastai"):
        settings.outline(settings.find())


# Word vectors

FILES = {
    "word2vec_text": text_of(WORDS, VECTORS, header=True),
    "glove": text_of(WORDS, VECTORS, header=False),
    "word2vec_binary": binary_of(WORDS, VECTORS),
    "fasttext_binary": fasttext_of(WORDS, fasttext_table()),
    "fasttext_binary without n-grams": fasttext_of(WORDS, fasttext_table(0), ngrams=(0, 0), num_buckets=0),
    "fasttext_binary of 2016": fasttext_of(WORDS, fasttext_table(), old=True),
}


@pytest.fixture
def unread(monkeypatch):
    """Makes reading vectors, from a file or a table, an error."""

    def fail(*arguments):
        raise AssertionError("vectors are read")

    def forbid(patch):
        for place, name in [(cache, "write_table"), (cache, "Table"), (table_writer, "read_text")]:
            patch.setattr(place, name, fail)

    return forbid


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("is_converted", [False, True], ids=["by the file", "by its table"])
def test_the_outline_of_word_vectors_leaves_them_unread(kind, is_converted, unread, monkeypatch, tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(FILES[kind])
    settings = Static(str(path))
    if is_converted:
        settings.load(settings.find())
        monkeypatch.setattr("embedpipe.encoders.static.outline.recognize", None)  # the table says it all
    with monkeypatch.context() as patch:
        unread(patch)
        outline = settings.outline(settings.find())
    assert (tmp_path / "vectors.embedpipe").exists() == is_converted
    require_same(settings, outline)


def test_a_table_of_what_a_file_was_before_does_not_count(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(text_of(WORDS, VECTORS, header=True))
    settings = Static(str(path))
    settings.load(settings.find())
    path.write_bytes(text_of(WORDS, VECTORS[:, :3], header=True))
    assert settings.outline(settings.find()).hidden_size == 3
    (tmp_path / "vectors.txt.embedpipe").write_bytes(b"no table")
    assert settings.outline(settings.find()).hidden_size == 3


def test_mistakes_are_found_in_the_outline_of_word_vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(text_of(WORDS, VECTORS, header=True))
    settings = Static(str(path), unknown="subwords")
    with pytest.raises(EncoderError, match=r"encoder\.unknown: 'subwords', but .* has no character n-grams"):
        settings.outline(settings.find())
    path.write_text("this is no file of vectors\n")
    with pytest.raises(EncoderError, match="is not a file of word vectors"):
        settings.outline(settings.find())
