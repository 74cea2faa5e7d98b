"""Files of an AWD-LSTM: every way in which fastai saves them, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from embedpipe.encoders import AwdLstm
from embedpipe.encoders.awd_lstm.checkpoint import read_checkpoint
from embedpipe.encoders.awd_lstm.vocabulary_file import read_vocabulary
from embedpipe.errors import EncoderError

GOLDEN = Path(__file__).parents[1] / "golden" / "awd_lstm"
STATE = torch.load(GOLDEN / "backward.pth", weights_only=True)
WORDS = read_vocabulary(GOLDEN / "itos.pkl", "encoder.vocabulary")


def renamed(rename):
    return {rename(name): weight for name, weight in STATE.items()}


def with_dropped_out_copies():
    """As fastai 1 saved them: what dropout had left of a weight last, beside the weight."""
    copies = {
        name.replace("weight_hh_l0_raw", "module.weight_hh_l0"): torch.zeros_like(weight)
        for name, weight in STATE.items()
        if name.endswith("_raw")
    }
    return {**STATE, **copies}


def without_decoder():
    return {name.removeprefix("0."): weight for name, weight in STATE.items() if name.startswith("0.")}


SAVED = {
    "a language model": lambda: STATE,
    "fastai 1": with_dropped_out_copies,
    "fastai 1, copies first": lambda: dict(reversed(with_dropped_out_copies().items())),
    "a model with its optimizer": lambda: {"model": STATE, "opt": {"hypers": [{"lr": np.float64(0.1)}], "state": []}},
    "an encoder": without_decoder,
    "a classifier": lambda: renamed(lambda name: name.replace("0.", "0.module.", 1) if name.startswith("0.") else name),
    "plain LSTMs": lambda: renamed(lambda name: name.replace("weight_hh_l0_raw", "weight_hh_l0")),
    "float16": lambda: {name: weight.half() for name, weight in STATE.items()},
}


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_every_way_of_saving_holds_the_same_weights(kind, zipped, tmp_path):
    torch.save(SAVED[kind](), tmp_path / "m.pth", pickle_protocol=2, _use_new_zipfile_serialization=zipped)
    found, wanted = (read_checkpoint(path, "encoder.weights") for path in (tmp_path / "m.pth", GOLDEN / "backward.pth"))
    assert found.sizes == wanted.sizes == (12, 20, 20, 12)
    tolerance = 1e-2 if kind == "float16" else 0
    assert found.embedding.dtype == torch.float32
    assert torch.allclose(found.embedding, wanted.embedding, atol=tolerance)
    for mine, its in zip(found.lstms, wanted.lstms, strict=True):
        assert all(torch.allclose(mine[part], its[part], atol=tolerance) for part in its)


def test_safetensors_are_read_as_well(tmp_path):
    save_file({name: weight.clone() for name, weight in STATE.items()}, tmp_path / "m.safetensors")
    found, wanted = (read_checkpoint(path, "x") for path in (tmp_path / "m.safetensors", GOLDEN / "backward.pth"))
    assert torch.equal(found.embedding, wanted.embedding)


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_weights_that_would_run_code_are_refused(tmp_path):
    for content in ({"model": STATE, "opt": RunsCode(tmp_path / "made")}, RunsCode(tmp_path / "made")):
        for zipped in (True, False):
            torch.save(content, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
            with pytest.raises(EncoderError, match=r"m.pth' is a pickle that asks for (posix|nt)\.mkdir.*with_opt=False"):
                read_checkpoint(tmp_path / "m.pth", "encoder.weights")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_vocabulary_that_would_run_code_is_refused(protocol, tmp_path):
    (tmp_path / "itos.pkl").write_bytes(pickle.dumps([*WORDS, RunsCode(tmp_path / "made")], protocol))
    with pytest.raises(
        EncoderError, match=r"encoder.vocabulary: .*itos.pkl' is a pickle that asks for (posix|nt)\.mkdir.*json.dump"
    ):
        read_vocabulary(tmp_path / "itos.pkl", "encoder.vocabulary")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "os.system", "collections.namedtuple", "builtins.list.x"]
)
def test_of_builtins_only_plain_containers_are_known(name, tmp_path):
    module, _, attribute = name.partition(".")
    (tmp_path / "itos.pkl").write_bytes(b"\x80\x04" + b"c" + f"{module}\n{attribute}\n".encode() + b".")
    with pytest.raises(EncoderError, match=f"asks for {name}"):
        read_vocabulary(tmp_path / "itos.pkl", "encoder.vocabulary")


UNIQUE = tuple(dict.fromkeys(WORDS))

VOCABULARIES = {
    "itos.pkl": lambda: pickle.dumps(list(UNIQUE), 2),
    "stoi.pkl": lambda: pickle.dumps(defaultdict(int, {word: number for number, word in enumerate(UNIQUE)})),
    "ordered.pickle": lambda: pickle.dumps(OrderedDict((word, number) for number, word in reversed(list(enumerate(UNIQUE))))),
    "v.json": lambda: json.dumps(UNIQUE).encode(),
    "v.txt": lambda: "\n".join(UNIQUE).encode(),
    "lines.txt": lambda: "".join(f"{word}\r\n" for word in UNIQUE).encode(),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_is_read_in_each_of_its_forms(name, tmp_path):
    (tmp_path / name).write_bytes(VOCABULARIES[name]())
    assert read_vocabulary(tmp_path / name, "encoder.vocabulary") == UNIQUE


BAD_VOCABULARIES = {
    "damaged pickle": ("v.pkl", (GOLDEN / "itos.pkl").read_bytes()[:-40], "cannot be read as pickle"),
    "no pickle": ("v.pkl", b"the\nof\n", "cannot be read as pickle"),
    "empty pickle": ("v.pkl", b"", "cannot be read as pickle"),
    "not a list": ("v.pkl", pickle.dumps({"a": 3, "b": 4}), "holds a dict of 2; expected a list of words"),
    "not words": ("v.json", b"[1, 2]", "holds a list of 2; expected a list of words"),
    "a number": ("v.json", b"1", "holds a int; expected"),
    "damaged JSON": ("v.json", b'["a"', "cannot be read as JSON"),
    "not UTF-8": ("v.txt", b"\xff\xfe\n", "cannot be read as UTF-8 text"),
    "no marks": ("v.txt", b"the\nof\nxxunk\nxxpad", "holds 4 words, but not xxbos, xxmaj, xxup, xxrep, xxwrep, the marks of"),
    "fastai 0.7": ("v.json", b'["_unk_", "_pad_", "the"]', r"seems to be one of fastai 0\.7"),
    "SentencePiece": ("v.json", json.dumps(["xxunk", "▁the", "▁of", "s"]).encode(), "a vocabulary of SentencePiece"),
}


@pytest.mark.parametrize("case", BAD_VOCABULARIES)
def test_a_vocabulary_that_is_none_is_refused(case, tmp_path):
    name, content, message = BAD_VOCABULARIES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EncoderError, match=f"^encoder.vocabulary: .*{name}' .*{message}"):
        read_vocabulary(tmp_path / name, "encoder.vocabulary")


def changed(**weights):
    return {**STATE, **{name.replace("__", "."): weight for name, weight in weights.items()}}


BAD_WEIGHTS = {
    "QRNN": (
        lambda: {"0.encoder.weight": torch.ones(3, 2), "0.rnns.0.layers.0.linear.weight_raw": torch.ones(2)},
        "QRNNs, which",
    ),
    "another model": (
        lambda: {"bert.embeddings.weight": torch.ones(3, 2)},
        r"no AWD-LSTM of fastai: expected .* it has bert\.",
    ),
    "nothing": (dict, "no AWD-LSTM of fastai: .*it is empty"),
    "a list": (lambda: [torch.ones(2)], "holds a list; expected the weights of a model by name"),
    "other values": (lambda: {"model": 3, "opt": 4}, "holds a dict; expected the weights"),
    "a layer is missing": (
        lambda: {name: weight for name, weight in STATE.items() if "rnns.1" not in name},
        "lacks 4 weights, among them rnns.1: weight_ih_l0",
    ),
    "a bias is missing": (
        lambda: {name: weight for name, weight in STATE.items() if name != "0.rnns.2.module.bias_hh_l0"},
        "lacks 1 weights, among them rnns.2: bias_hh_l0",
    ),
    "a wrong shape": (
        lambda: STATE | {"0.rnns.1.module.weight_ih_l0": torch.ones(80, 12)},
        r"rnns.1: weight_ih_l0 has the shape \(80, 12\); expected \(80, 20\)",
    ),
    "no table": (lambda: STATE | {"0.encoder.weight": torch.ones(3)}, "the embedding has 1 dimensions; expected two"),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_of_something_else_are_refused(case, tmp_path):
    make, message = BAD_WEIGHTS[case]
    torch.save(make(), tmp_path / "m.pth")
    with pytest.raises(EncoderError, match=f"^encoder.weights: .*m.pth'.*{message}"):
        read_checkpoint(tmp_path / "m.pth", "encoder.weights")


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not at all", (GOLDEN / "backward.pth").read_bytes()[:20_000]])
def test_a_damaged_file_of_weights_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EncoderError, match=f"^encoder.weights: .*{name}' is damaged, or no file of weights"):
        read_checkpoint(tmp_path / name, "encoder.weights")


def settings(**fields):
    return AwdLstm(**{"vocabulary": str(GOLDEN / "itos.pkl"), "weights": str(GOLDEN / "forward.pth"), "device": "cpu"} | fields)


@pytest.mark.parametrize("field", ["weights", "vocabulary", "backward_weights"])
def test_a_file_that_is_not_there_is_named(field):
    with pytest.raises(EncoderError, match=rf"^encoder.{field}: 'nowhere\.pkl' does not exist"):
        settings(**{field: "nowhere.pkl"}).find()
    with pytest.raises(EncoderError, match=rf"^encoder.{field}: .* is a folder"):
        settings(**{field: str(GOLDEN)}).find()


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    (tmp_path / "v.json").write_text(json.dumps([*WORDS, "more"]))
    chosen = settings(vocabulary=str(tmp_path / "v.json"))
    with pytest.raises(EncoderError, match=f"embeds {len(WORDS)} words, and its vocabulary has {len(WORDS) + 1}"):
        chosen.load(chosen.find())


def test_directions_of_unlike_depth_are_refused(tmp_path):
    torch.save({name: weight for name, weight in STATE.items() if "rnns.2" not in name}, tmp_path / "b.pth")
    chosen = settings(backward_weights=str(tmp_path / "b.pth"))
    with pytest.raises(EncoderError, match=r"encoder\.backward_weights: the models have 3 and 2 layers"):
        chosen.load(chosen.find())


def test_two_files_of_one_name_are_refused_for_a_store_could_not_tell_them(tmp_path):
    (tmp_path / "forward.pth").write_bytes((GOLDEN / "backward.pth").read_bytes())
    with pytest.raises(EncoderError, match=r"encoder\.backward_weights: .* has the same file name as encoder\.weights"):
        settings(backward_weights=str(tmp_path / "forward.pth")).find()


def test_one_vocabulary_named_twice_is_one_file():
    both = settings(backward_weights=str(GOLDEN / "backward.pth"), backward_vocabulary=str(GOLDEN / "itos.pkl"))
    assert [path.name for path in both.find().all] == ["forward.pth", "backward.pth", "itos.pkl"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "weights: give a forward model"),
        ({"weights": "a", "backward_vocabulary": "b"}, "backward_vocabulary: there are no"),
    ],
)
def test_what_does_not_belong_together_is_told_without_a_file(fields, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        AwdLstm(vocabulary="v.pkl", **fields)


def test_settings_need_no_torch():
    code = "import sys; from embedpipe.encoders import AwdLstm; AwdLstm('v', 'w'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
