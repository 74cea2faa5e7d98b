from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

import embedpipe.downstream.ner.model_folder as model_folder
from embedpipe.downstream import NerTagger
from embedpipe.downstream.heads import BiLstmCrfHead, BiLstmHead, LinearHead, MlpHead, Training
from embedpipe.downstream.heads.logistic_regression import LogisticRegressionHead
from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.errors import ConfigError, EncoderError, FeaturesError, ModelError
from embedpipe.layers import Concat, Layer, Mean, ScalarMix, Sum, WeightedSum

QUICK = Training(epochs=2, device="cpu", learning_rate=0.01)
HEADS = [LinearHead(QUICK), MlpHead(12, training=QUICK), BiLstmHead(7, training=QUICK), BiLstmCrfHead(5, 2, 0.0, QUICK)]
TEXTS = [["The", "fox", "near", "Berlin", "."], "Tokyo is a bank", []]


@pytest.fixture(scope="module")
def module_store(store_path):
    import embedpipe

    with embedpipe.open_store(store_path) as store:
        yield store


@pytest.fixture(scope="module")
def tagger(module_store):
    return NerTagger(BiLstmCrfHead(5, training=QUICK), "all_layers", "learned_mix", seed=3).fit(module_store)


@pytest.fixture
def folder(tagger, tmp_path):
    tagger.save(tmp_path / "model")
    return tmp_path / "model"


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: type(head).__name__)
@pytest.mark.parametrize("layers", ["sum_all", "learned_mix"])
def test_a_loaded_tagger_tags_as_the_one_that_was_saved(module_store, head, layers, tmp_path):
    tagger = NerTagger(head, "all_layers", layers, seed=7).fit(module_store)
    tagger.save(tmp_path / "new" / "model")
    loaded = NerTagger.load(tmp_path / "new" / "model")
    assert (loaded.head, loaded.view, loaded.layers, loaded.label, loaded.seed) == (head, "all_layers", layers, "ner", 7)
    assert (loaded.tags, loaded.mix, loaded.epochs) == (tagger.tags, tagger.mix, tagger.epochs)
    assert loaded.trained.stores == tagger.trained.stores
    assert loaded.predict(module_store) == tagger.predict(module_store)
    assert loaded.predict_texts(TEXTS) == tagger.predict_texts(TEXTS)
    loaded.save(tmp_path / "again")
    assert listing(tmp_path / "again") == listing(tmp_path / "new" / "model")


@pytest.mark.parametrize(
    "layers",
    [
        LearnedMix((-1, 0)),
        Layer(2),
        Sum((1, 2)),
        Mean(),
        Concat((0, -1)),
        WeightedSum((0.5, 2.0), (1, 2)),
        ScalarMix((0.1,), (3,)),
    ],
    ids=lambda layers: type(layers).__name__,
)
def test_every_combination_of_layers_comes_back(module_store, layers, tmp_path):
    tagger = NerTagger(LinearHead(QUICK), "all_layers", layers).fit(module_store)
    tagger.save(tmp_path / "model")
    loaded = NerTagger.load(tmp_path / "model")
    assert loaded.layers == layers
    assert loaded.predict(module_store) == tagger.predict(module_store)


def test_the_folder_holds_json_and_safetensors_and_no_pickle(folder):
    description = json.loads((folder / "tagger.json").read_text())
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
    assert description["format"] == "embedpipe tagger"
    assert description["head"]["type"] == "bilstm_crf"
    assert description["model_files"].keys() >= {"model.safetensors"}
    assert description["features"]["pooling"] == "mean"
    assert len(description["epochs"]) == 2
    assert all(np.isfinite(array).all() for array in load((folder / description["weights"]["name"]).read_bytes()).values())


def test_heads_and_layers_of_somebodys_own_are_not_saved(module_store, tmp_path):
    with pytest.raises(ModelError, match="a LogisticRegressionHead cannot be saved"):
        NerTagger(LogisticRegressionHead(), "last").fit(module_store).save(tmp_path / "model")

    class Own(Mean):
        pass

    with pytest.raises(ModelError, match="a Own cannot be saved"):
        NerTagger(LinearHead(QUICK), "all_layers", Own()).fit(module_store).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_saving_again_replaces_the_tagger(tagger, folder, module_store):
    other = NerTagger(LinearHead(QUICK), "last").fit(module_store)
    other.save(folder)
    assert len(listing(folder)) == 2
    assert NerTagger.load(folder).head == other.head


@pytest.mark.parametrize("step", range(4))
def test_a_save_that_is_cut_off_leaves_the_old_tagger_or_none(tagger, folder, module_store, monkeypatch, tmp_path, step):
    other = NerTagger(LinearHead(QUICK), "last").fit(module_store)
    steps = iter(range(100))

    def cut(path, data, write=model_folder._write):
        if next(steps) * 2 == step:
            path.with_name(f"{path.name}.partial").write_bytes(data[: len(data) // 2])
            raise KeyboardInterrupt
        write(path, data)
        if step % 2 and next(steps) * 2 >= step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "_write", cut)
        for place in (folder, tmp_path / "fresh"):
            steps = iter(range(100))
            with pytest.raises(KeyboardInterrupt):
                other.save(place)
    heads = {type(NerTagger.load(folder).head)}
    assert heads <= {type(tagger.head), LinearHead}
    if (tmp_path / "fresh" / "tagger.json").exists():
        assert type(NerTagger.load(tmp_path / "fresh").head) is LinearHead
    else:
        with pytest.raises(ModelError, match=r"not a saved tagger: it has no tagger\.json"):
            NerTagger.load(tmp_path / "fresh")
    other.save(folder)
    other.save(tmp_path / "fresh")  # what was cut off is no hindrance, and is cleared away
    assert len(listing(folder)) == len(listing(tmp_path / "fresh")) == 2


def test_a_folder_with_something_else_in_it_is_not_touched(tagger, tmp_path):
    (tmp_path / "thesis.txt").write_text("five years")
    with pytest.raises(ModelError, match="other files are there"):
        tagger.save(tmp_path)
    assert listing(tmp_path) == {"thesis.txt": b"five years"}
    with pytest.raises(ModelError, match="cannot save the tagger in"):
        tagger.save(tmp_path / "thesis.txt")


def test_what_is_no_tagger_is_told_from_a_damaged_one(tmp_path):
    for path, message in ((tmp_path / "nothing", "there is no such folder"), (tmp_path, r"it has no tagger\.json")):
        with pytest.raises(ModelError, match=message):
            NerTagger.load(path)
    (tmp_path / "tagger.json").write_text('{"format": "something"}')
    with pytest.raises(ModelError, match="does not describe a tagger"):
        NerTagger.load(tmp_path)


def changed(folder, change):
    """Apply a change to the description; what is saved is JSON still."""
    path = folder / "tagger.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def with_weights(folder, change):
    """Apply a change to the weights, with a checksum that fits."""
    description = json.loads((folder / "tagger.json").read_text())
    path = folder / description["weights"]["name"]
    tensors = {name: array.copy() for name, array in load(path.read_bytes()).items()}
    change(tensors)
    path.write_bytes(data := save(tensors))
    changed(folder, lambda description: description["weights"].update(sha256=model_folder.hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=2), "format version 2"),
        (lambda d: d.update(version="1"), "version '1'"),
        (lambda d: d.pop("weights"), "which file has its weights"),
        (lambda d: d["weights"].update(name="../../etc/passwd"), "which file has its weights"),
        (lambda d: d["weights"].update(name="weights.0123456789abcdef.safetensors"), "is missing"),
        (lambda d: d["weights"].update(sha256="0" * 64), "not those that were written"),
        (lambda d: d["head"].update(type="os.system"), "head: expected an object with the type of a head"),
        (lambda d: d["head"].update(hidden_size=10**15), "is damaged"),
        (lambda d: d["head"].update(num_layers=10**9), r"head\.num_layers: 1000000000 is out of bounds"),
        (lambda d: d["head"].update(num_layers=3), "is damaged"),
        (lambda d: d["head"].update(dropout=1.5), "out of bounds"),
        (lambda d: d["head"].update(dropout="0"), "expected float"),
        (lambda d: d["head"].update(shell="rm"), "is none of its fields"),
        (lambda d: d["head"]["training"].update(epochs=True), "expected int"),
        (lambda d: d["head"].pop("training"), None),
        (lambda d: d.update(layers={"type": "eval"}), "layers: expected a name or an object"),
        (lambda d: d.update(layers={"type": "sum", "layers": "all"}), "expected a list"),
        (lambda d: d.update(tags=["O"]), "two or more"),
        (lambda d: d.update(tags=["O", "O"]), "two or more"),
        (lambda d: d.update(tags=["O", "B-LOC", "X"]), "is damaged"),
        (lambda d: d.update(tags="O"), "tags: expected list"),
        (lambda d: d.update(row_shape=[5, 10**12]), "row_shape"),
        (lambda d: d.update(row_shape=[5]), "row_shape"),
        (lambda d: d.update(row_shape=[]), "row_shape"),
        (lambda d: d["mix"]["scalars"].pop(), "a number for each layer"),
        (lambda d: d["mix"].update(gamma=float("nan")), "expected float"),
        (lambda d: d.update(epochs=[{"number": 1}]), "epochs"),
        (lambda d: d.update(seed=None), "seed: expected int"),
        (lambda d: d.update(config=[]), "config: expected an object"),
        (lambda d: d.update(features={"a": 1}), "features: expected str"),
        (lambda d: d.pop("label"), "label: expected str"),
    ],
)
def test_a_description_that_was_tampered_with_is_a_clear_error(folder, change, message):
    changed(folder, change)
    if message is None:  # what is left out has its default
        NerTagger.load(folder, device="cpu")
        return
    with pytest.raises(ModelError, match=message) as found:
        NerTagger.load(folder)
    assert str(folder) in str(found.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("output.weight"), "output.weight"),
        (lambda t: t.update(extra=np.zeros(3, np.float32)), "extra"),
        (lambda t: t.update({"output.weight": t["output.weight"][:, :-1].copy()}), "size mismatch for output.weight"),
        (lambda t: t.update({"output.bias": t["output.bias"].astype(np.float64)}), "has dtype"),
        (lambda t: t["output.bias"].fill(np.nan), "not finite"),
    ],
)
def test_weights_that_were_tampered_with_are_a_clear_error(folder, change, message):
    with_weights(folder, change)
    with pytest.raises(ModelError, match=message):
        NerTagger.load(folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damaged_byte_is_a_clear_error_or_does_no_harm(folder, tagger, data):
    before = listing(folder)
    name = data.draw(st.sampled_from(sorted(before)))
    bytes_ = bytearray(before[name])
    place = data.draw(st.integers(0, len(bytes_) - 1))
    if data.draw(st.booleans()):
        bytes_[place] ^= data.draw(st.integers(1, 255))
    else:
        del bytes_[place:]
    (folder / name).write_bytes(bytes_)
    try:
        NerTagger.load(folder, device="cpu")
        assert name == "tagger.json"  # a digit of a score, for instance
    except (ModelError, EncoderError) as error:
        assert not isinstance(error.__cause__, AssertionError)
    finally:
        (folder / name).write_bytes(before[name])


def test_deeply_nested_and_duplicated_json_is_a_clear_error(folder):
    for text in ("[" * 100_000, "", "\ufeff{}", '"x"', "NaN", "[]", "\x00"):
        (folder / "tagger.json").write_text(text)
        with pytest.raises(ModelError):
            NerTagger.load(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder):
    name = json.loads((folder / "tagger.json").read_text())["weights"]["name"]
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="is missing"):
        NerTagger.load(folder)


def test_the_config_of_a_tagger_is_checked_like_any_other(folder):
    changed(folder, lambda description: description["config"].update(encoder={"type": "posix.system", "command": "ls"}))
    with pytest.raises(ConfigError, match="encoder"):
        NerTagger.load(folder).predict_texts(["a"])


def test_a_loaded_tagger_refuses_another_kind_of_features(folder, module_store):
    changed(folder, lambda description: description["features"].update(pooling="first"))
    with pytest.raises(FeaturesError, match="pooling: first then, mean now"):
        NerTagger.load(folder).predict(module_store)


def test_a_device_can_be_chosen_when_a_tagger_is_loaded(folder):
    assert NerTagger.load(folder, device="cpu").trained.fitted.device.type == "cpu"
    with pytest.raises(EncoderError, match="'tpu'"):
        NerTagger.load(folder, device="tpu")
