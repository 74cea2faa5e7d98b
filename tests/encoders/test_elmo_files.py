"""Every way in which options.json and weights.hdf5 can be wrong, and what is said of it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from elmo_samples import options, settings_of, write_elmo

from embedpipe.encoders import Elmo
from embedpipe.errors import EncoderError

CELL = "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell"


@pytest.fixture
def files(tmp_path):
    return write_elmo(tmp_path)


def load(files, **more):
    settings = settings_of(files, **more)
    return settings.load(settings.find())


def without(part, name):
    made = options()
    del made[part][name]
    return made


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is not JSON"),
        ("[]", "lstm.dim: is missing; expected a whole number of at least 1"),
        ("\ud800", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (without("lstm", "projection_dim"), "lstm.projection_dim: is missing"),
        (without("char_cnn", "filters"), r"char_cnn.filters: is missing; expected a list of \[width"),
        (options(lstm__n_layers="2"), 'lstm.n_layers: got "2"'),
        (options(lstm__n_layers=0), "lstm.n_layers: got 0"),
        (options(lstm__n_layers=True), "lstm.n_layers: got true"),
        (options(lstm__cell_clip=-3), "lstm.cell_clip: got -3; expected a number of at least 0, or null"),
        (options(lstm__use_skip_connections=1), "lstm.use_skip_connections: got 1; expected true or false"),
        (options(char_cnn__activation="gelu"), 'char_cnn.activation: got "gelu"; expected relu or tanh'),
        (options(char_cnn__embedding=3), "char_cnn.embedding.dim: is missing"),
        (options(char_cnn__filters=[[1, 4, 5]]), "char_cnn.filters: got"),
        (options(char_cnn__max_characters_per_token=2), "max_characters_per_token: got 2; expected .* at least 3"),
        (options(char_cnn__filters=[[51, 4]]), "char_cnn.filters: a width of 51, and words have 50 characters"),
    ],
)
def test_options_that_are_wrong_are_named(content, expected, files):
    text = content if isinstance(content, str) else json.dumps(content)
    files[0].write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(EncoderError, match=expected) as caught:
        load(files)
    assert "encoder.options_file" in str(caught.value)


def test_all_mistakes_in_the_options_are_told_at_once(files):
    files[0].write_text(json.dumps(options(lstm__dim=0, lstm__n_layers=None, char_cnn__n_highway=-1)))
    with pytest.raises(EncoderError) as caught:
        load(files)
    assert [line.split(":")[0] for line in str(caught.value).split("\n  ")[1:]] == [
        "lstm.dim",
        "lstm.n_layers",
        "char_cnn.n_highway",
    ]


def test_clips_and_skip_connections_that_are_left_out_are_off(files):
    made = options()
    for name in ("cell_clip", "proj_clip", "use_skip_connections"):
        del made["lstm"][name]
    files[0].write_text(json.dumps(made))
    bilm = load(files)._bilm
    assert not bilm.skip_connections
    assert bilm.layers[0][0].cell_clip is bilm.layers[0][0].projection_clip is None


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("char_embed", None, "has no array of numbers 'char_embed'.*it has CNN"),
        (f"{CELL}/W_P_0", None, f"has no array of numbers '{CELL}/W_P_0'"),
        ("CNN_high_1/b_carry", None, "has no array of numbers 'CNN_high_1/b_carry'"),
        ("CNN/W_cnn_2", np.zeros((1, 4, 3, 4)), "'CNN/W_cnn_2' has the shape 1 x 4 x 3 x 4; .* 1 x 4 x 3 x 3 was expected"),
        ("char_embed", np.zeros((260, 3)), "has the shape 260 x 3; .* 261 x 3 was expected"),
        (f"{CELL}/B", np.zeros(39), "has the shape 39; .* 40 was expected"),
        (f"{CELL}/B", np.float32(1), r"has the shape \(\); .* 40 was expected"),
        (f"{CELL}/B", np.full(40, np.nan), "holds numbers that are not finite"),
        (f"{CELL}/B", np.array([b"x"] * 40), "has no array of numbers"),
    ],
)
def test_arrays_that_are_missing_or_wrong_are_named(name, change, expected, files):
    with h5py.File(files[1], "a") as file:
        del file[name]
        if change is not None:
            file[name] = change
    with pytest.raises(EncoderError, match=expected) as caught:
        load(files)
    assert "encoder.weight_file" in str(caught.value)


def test_options_of_another_model_are_told_from_the_weights(files):
    files[0].write_text(json.dumps(options(lstm__dim=12)))
    with pytest.raises(EncoderError, match="Are options and weights of the same model"):
        load(files)


def test_double_precision_and_further_characters_are_taken(files):
    with h5py.File(files[1], "a") as file:
        table = file["char_embed"][...].astype(np.float64)
        del file["char_embed"]
        file["char_embed"] = np.concatenate([table, table[:1]])
    assert load(files)._cnn.characters.shape == (262, 3)


@pytest.mark.parametrize("length", [0, 1, 100, 2000])
def test_weights_that_are_cut_off_are_told(length, files):
    files[1].write_bytes(files[1].read_bytes()[:length])
    with pytest.raises(EncoderError, match=r"encoder.weight_file: .*(opened as HDF5|damaged)"):
        load(files)


def test_damaged_weights_never_give_another_error(files):
    whole, rng = files[1].read_bytes(), np.random.default_rng(3)
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 40):
            content[place] ^= 1 << int(rng.integers(8))
        files[1].write_bytes(content)
        try:
            load(files)
        except EncoderError as error:
            assert "encoder.weight_file" in str(error)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"options_file": "none.json"}, "encoder.options_file: 'none.json' does not exist"),
        ({"weight_file": "none.hdf5"}, "encoder.weight_file: 'none.hdf5' does not exist"),
        ({"weight_file": "."}, "encoder.weight_file: '.' is a folder"),
        ({"weight_file": "a\0b"}, "encoder.weight_file: .* (cannot be opened|does not exist)"),
        ({"options_file": "https://example.org/options.json"}, "is an address; download it"),
    ],
)
def test_files_that_are_not_there_are_told_before_anything_is_read(change, expected, files):
    settings = Elmo(**({"options_file": str(files[0]), "weight_file": str(files[1])} | change))
    with pytest.raises(EncoderError, match=expected):
        settings.find()


def test_files_in_each_others_place_are_told(files):
    with pytest.raises(EncoderError, match=r"encoder.options_file: .* is not JSON"):
        load(files[::-1])
    with pytest.raises(EncoderError, match=r"encoder.weight_file: .* HDF5"):
        load((files[0], files[0]))
