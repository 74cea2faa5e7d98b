"""Decoders: what a causal encoder sees, which subword stands for a word, and weights in several files."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, DECODERS, HIDDEN_SIZE, NUM_LAYERS
from transformers import AutoModel

import embedpipe
from embedpipe.config import load_config
from embedpipe.dataflow import Batch, Sentence
from embedpipe.downstream.fine_tune import FineTune, fine_tune
from embedpipe.downstream.fine_tuning.inputs import Reader
from embedpipe.downstream.heads import LogisticRegressionHead
from embedpipe.encoders import Transformer
from embedpipe.engines.comparison import run_comparison
from embedpipe.engines.identity import Identity
from embedpipe.engines.plan import make_plan
from embedpipe.errors import ConfigError, EncoderError
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.subwords import DocumentContext, SentenceContext, SubwordTokenizer, WindowSize, split
from embedpipe.views import View

LONG_WORD = "unbelievable"
CORPUS = f"the quick fox\nthe {LONG_WORD} dog\n\na dog\n"


def load(folder, **settings):
    chosen = Transformer(str(folder), **({"device": "cpu"} | settings))
    return chosen.load(chosen.find())


def embedder_of(folder, views, **settings):
    return Embedder(SubwordTokenizer(folder), load(folder), views, **settings)


def batch_of(*rows):
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return Batch(ids, mask)


def sentences_of(*texts):
    return [Sentence.from_words(str(index), "d", text.split(" ")) for index, text in enumerate(texts)]


def config_of(tmp_path, model, **changes):
    (tmp_path / "corpus.txt").write_text(CORPUS, encoding="utf-8")
    return {
        "corpus": {"type": "words", "path": str(tmp_path / "corpus.txt")},
        "encoder": {"type": "transformer", "model": str(model), "device": "cpu"},
        "views": {"last": {"layers": "last"}},
        "store": {"path": str(tmp_path / "features.h5")},
    } | changes


def with_config(folder, copy, **changes):
    shutil.copytree(folder, copy)
    settings = json.loads((copy / "config.json").read_text(encoding="utf-8")) | changes
    (copy / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return copy


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_stands_behind_changes_nothing_in_a_decoder_and_all_in_other_encoders(name, tiny_model):
    encoder = load(tiny_model(name))
    one, other = (encoder.encode(batch_of([5, 6, 7, last]), range(NUM_LAYERS + 1)) for last in (8, 9))
    assert not torch.equal(one[NUM_LAYERS][:, 3], other[NUM_LAYERS][:, 3])
    for layer in range(1, NUM_LAYERS + 1):
        assert torch.equal(one[layer][:, :3], other[layer][:, :3]) == (name in DECODERS)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_settings_outline_and_loaded_model_agree_on_what_is_causal(name, tiny_model):
    settings = Transformer(str(tiny_model(name)), device="cpu")
    files = settings.find()
    said = (settings.is_causal(files), settings.outline(files).is_causal, settings.load(files).is_causal)
    assert said == (name in DECODERS,) * 3


def test_an_encoder_whose_config_makes_it_a_decoder_is_one(tiny_model, tmp_path):
    folder = with_config(tiny_model("bert"), tmp_path / "bert", is_decoder=True)
    settings = Transformer(str(folder), device="cpu")
    assert settings.is_causal(settings.find())
    encoder = settings.load(settings.find())
    one, other = (encoder.encode(batch_of([5, 6, last]), {2})[2][:, :2] for last in (8, 9))
    assert encoder.is_causal and torch.equal(one, other)
    with pytest.raises(ConfigError, match=r"views\.cls\.pooling: 'cls', but what this encoder has in front sees nothing"):
        Embedder(SubwordTokenizer(folder), encoder, {"cls": View(NAMED["last"], "sentence", "cls")})


@pytest.mark.parametrize("name", DECODERS)
def test_padding_changes_nothing_whatever_side_the_tokenizer_would_pad(name, tiny_model):
    encoder = load(tiny_model(name))
    alone = encoder.encode(batch_of([5, 6, 7]), range(NUM_LAYERS + 1))
    padded = encoder.encode(batch_of([5, 6, 7], [5] * 20), range(NUM_LAYERS + 1))
    for layer in alone:
        assert torch.allclose(padded[layer][:1, :3], alone[layer], atol=1e-5)


def test_a_tokenizer_that_pads_left_or_not_at_all_serves(tiny_model):
    settings = json.loads((tiny_model("llama") / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert "pad_token" not in settings
    tokenizer = SubwordTokenizer(tiny_model("llama"))
    assert tokenizer.special.prefix == (1,) and tokenizer.special.pad_id == 0
    (block,) = embedder_of(tiny_model("llama"), {"all": View(NAMED["all"], "subword")}).embed(
        sentences_of("the dog", "a " * 30)
    )
    (alone,) = embedder_of(tiny_model("llama"), {"all": View(NAMED["all"], "subword")}).embed(sentences_of("the dog"))
    np.testing.assert_allclose(block.views["all"][: len(alone.views["all"])], alone.views["all"], atol=1e-5)


def test_characters_that_are_cut_into_bytes_stay_with_their_word(tiny_model):
    (out,) = SubwordTokenizer(tiny_model("llama")).tokenize(sentences_of("the \U00012000 dog"))
    start, end = out.word_offsets[1].tolist()
    assert end - start >= 4 and not out.word_flags.any()
    assert out.word_offsets[2, 0] == end


def test_raw_text_of_a_tokenizer_that_marks_white_space_without_cutting_is_cut_there(tiny_model):
    (out,) = SubwordTokenizer(tiny_model("llama")).tokenize([Sentence.from_text("s", "d", "  the quick  fox.")])
    assert out.sentence.words == ("the", "quick", "fox.")


@pytest.mark.parametrize(("name", "default"), [("gpt2", "last"), ("llama", "last"), ("bert", "first"), ("t5", "first")])
def test_words_are_their_last_subword_in_a_decoder_and_their_first_in_other_encoders(name, default, tiny_model):
    views = {
        "left_out": View(NAMED["last"]),
        **{pooling: View(NAMED["last"], "word", pooling) for pooling in ("first", "last")},
    }
    embedder = embedder_of(tiny_model(name), views)
    assert embedder.view_infos["left_out"].pooling == embedder.views["left_out"].pooling == default
    (block,) = embedder.embed(sentences_of(f"the {LONG_WORD} dog"))
    assert (block.views["left_out"] == block.views[default]).all()
    assert (block.views["first"] != block.views["last"]).any()


def test_a_sentence_can_be_its_last_subword(tiny_model):
    views = {"last": View(NAMED["last"], "sentence", "last"), "subwords": View(NAMED["last"], "subword")}
    (block,) = embedder_of(tiny_model("qwen3"), views).embed(sentences_of("the quick fox", "a dog"))
    ends = np.cumsum(block.num_subwords)
    assert (block.views["last"] == block.views["subwords"][ends - 1]).all()
    assert embedder_of(tiny_model("qwen3"), {"s": View(NAMED["last"], "sentence")}).view_infos["s"].pooling == "mean"


def test_a_decoder_without_a_classification_subword_says_what_to_take(tiny_model):
    with pytest.raises(
        ConfigError, match=r"views\.cls\.pooling: 'cls', but this encoder has no classification subword; take mean"
    ):
        embedder_of(tiny_model("gpt2"), {"cls": View(NAMED["last"], "sentence", "cls")})


@pytest.mark.parametrize(("name", "default", "other"), [("gpt2", "last", "first"), ("bert", "first", "last")])
def test_the_pooling_that_is_left_out_is_the_same_run_as_the_one_written_out(name, default, other, tiny_model, tmp_path):
    def fingerprint(**view):
        return Identity.of(
            load_config(config_of(tmp_path, tiny_model(name), views={"last": {"layers": "last", **view}}))
        ).fingerprint

    assert fingerprint() == fingerprint(pooling=default) != fingerprint(pooling=other)


def test_a_decoders_store_says_its_pooling_and_is_made_once_planned_verified_and_read(tiny_model, tmp_path):
    config = config_of(tmp_path, tiny_model("gpt2"))
    assert make_plan(load_config(config), calibrates=False).views["last"].info.pooling == "last"
    with embedpipe.extract(config) as store:
        assert store.views["last"].pooling == store.provenance["config"]["views"]["last"]["pooling"] == "last"
        assert store.matrix("last").shape == (8, HIDDEN_SIZE)
        made = (tmp_path / "features.h5").read_bytes()
    embedpipe.extract(config).close()
    assert (tmp_path / "features.h5").read_bytes() == made
    features = embedpipe.downstream.TextFeatures(tmp_path / "features.h5").transform([["the", "quick", "fox"]])
    with embedpipe.open_store(tmp_path / "features.h5") as store:
        np.testing.assert_allclose(features, store.vectors("last", 0), atol=1e-5)


def test_a_comparison_takes_the_right_subword_of_each_encoder(tiny_model, tmp_path):
    words = ["fox B-A", "dog B-A", "the O", f"{LONG_WORD} O"]
    random = np.random.default_rng(0)
    text = "\n\n".join("\n".join(words[index] for index in random.integers(4, size=4)) for _ in range(20))
    (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
    from embedpipe.config import load_config_of
    from embedpipe.experiment.comparison import Comparison

    asked = {
        "task": {"type": "ner"},
        "splits": {
            "type": "random",
            "corpus": {"type": "conll2003", "path": str(tmp_path / "corpus.txt")},
            "fractions": [0.6, 0.2, 0.2],
            "by": "sentence",
        },
        "encoders": {
            name: {"type": "transformer", "model": str(tiny_model(name)), "device": "cpu"} for name in ("bert", "gpt2")
        },
        "choices": ["last"],
        "seeds": [0],
    }
    config = load_config_of(Comparison, asked)
    config = dataclasses.replace(config, job=dataclasses.replace(config.job, heads={"lr": LogisticRegressionHead()}))
    results = run_comparison(config, tmp_path / "results")
    assert {(row.encoder, row.pooling) for row in results.rows} == {("bert", "first"), ("gpt2", "last")}


@pytest.mark.parametrize("num_subwords", [0, 5, 17, 60])
def test_windows_of_a_decoder_keep_each_subword_where_most_stands_before_it(num_subwords):
    windows = split(num_subwords, WindowSize(10, 4, is_causal=True))
    taken = [subword for _, kept in windows for subword in range(*kept)]
    assert taken == list(range(num_subwords))
    for seen, kept in windows:
        for subword in range(*kept):
            assert subword - seen[0] == max(subword - other[0] for other, _ in windows if other[0] <= subword < other[1])


def test_in_a_document_a_decoder_sees_what_stands_before_and_nothing_behind(tiny_model):
    views = {"all": View(NAMED["all"])}
    sentences = sentences_of("the quick fox", "a dog", "the river bank")
    (joined,) = embedder_of(tiny_model("llama"), views, context=DocumentContext()).embed(sentences)
    (whole,) = embedder_of(tiny_model("llama"), views).embed(sentences_of("the quick fox a dog the river bank"))
    np.testing.assert_allclose(joined.views["all"], whole.views["all"], atol=1e-5)
    windows = DocumentContext().windows(
        SubwordTokenizer(tiny_model("gpt2")).tokenize(sentences, joined=True),
        WindowSize(90, 0, is_causal=True),
        SubwordTokenizer(tiny_model("gpt2")).special,
    )
    assert all(window.kept[1] == len(window.input_ids) for sentence in windows for window in sentence.windows)


@pytest.fixture
def sharded(tiny_model, tmp_path):
    """A copy whose weights are in several files."""
    folder = shutil.copytree(tiny_model("llama"), tmp_path / "sharded")
    (folder / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_model("llama")).save_pretrained(folder, max_shard_size="30KB")
    return folder


def test_weights_in_several_files_are_read_and_all_of_them_are_the_models_identity(sharded, tiny_model):
    shards = {path.name for path in sharded.glob("model-*.safetensors")}
    settings = Transformer(str(sharded), device="cpu")
    assert len(shards) > 2
    assert shards | {"model.safetensors.index.json"} <= {path.name for path in settings.find().all}
    expected = load(tiny_model("llama")).encode(batch_of([5, 6]), {NUM_LAYERS})[NUM_LAYERS]
    assert torch.equal(settings.load(settings.find()).encode(batch_of([5, 6]), {NUM_LAYERS})[NUM_LAYERS], expected)


def test_a_missing_one_of_several_files_is_named(sharded):
    sorted(sharded.glob("model-*.safetensors"))[1].unlink()
    with pytest.raises(EncoderError, match="model-00002-of-"):
        load(sharded)


def test_bfloat16_is_near_float32_and_the_description_says_which(sharded):
    half = load(sharded, precision="bfloat16")
    whole = load(sharded).encode(batch_of([5, 6, 7]), {2})[2]
    states = half.encode(batch_of([5, 6, 7]), {2})[2]
    assert states.dtype == torch.bfloat16 and half.description["precision"] == "bfloat16"
    assert (states.float() - whole).abs().max() < 0.02 * whole.abs().max()


def test_a_model_whose_layers_are_of_several_widths_is_refused(tiny_model, tmp_path):
    folder = with_config(tiny_model("opt"), tmp_path / "opt", word_embed_proj_dim=16)
    settings = Transformer(str(folder), device="cpu")
    with pytest.raises(EncoderError, match="layers of 32 and a last one of 16"):
        settings.outline(settings.find())


def labelled(count):
    words = ["fox", "dog", "the", LONG_WORD]
    random = np.random.default_rng(0)
    chosen = [[words[index] for index in random.integers(4, size=3)] for _ in range(count)]
    tags = [tuple("A" if word in ("fox", "dog") else "O" for word in sentence) for sentence in chosen]
    return [
        Sentence.from_words(str(i), "d", own, labels={"tag": tag})
        for i, (own, tag) in enumerate(zip(chosen, tags, strict=True))
    ]


def test_fine_tuning_a_decoder_takes_the_last_subword_of_a_word_and_learns(tiny_model):
    settings = Transformer(str(tiny_model("gpt2")), device="cpu")
    reader = Reader.of(settings.find(), settings.load_trainable(settings.find()), SentenceContext(), "word")
    (out,) = reader.tokenizer.tokenize(sentences_of(f"the {LONG_WORD} dog"))
    ((part,),) = reader.read(sentences_of(f"the {LONG_WORD} dog")).parts
    assert part.picked[:, 1].tolist() == (out.word_offsets[:, 1] - 1).tolist()
    quick = FineTune(epochs=3, learning_rate=3e-3, batch_sentences=4)
    tuned = fine_tune(quick, settings, labelled(24), labelled(8), label="tag", unit="word", seed=0)
    assert tuned.predict(labelled(2)) == [list(sentence.labels["tag"]) for sentence in labelled(2)]
