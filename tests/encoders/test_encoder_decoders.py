"""Encoder-decoders: only the encoder is taken, with the tokenizers that such models have."""

from __future__ import annotations

import gc
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_models import ENCODER_DECODERS, HIDDEN_SIZE, MAX_WINDOW, NUM_LAYERS, TEXT
from torch import nn

from embedpipe.dataflow import Sentence, WordFlag
from embedpipe.encoders import Transformer
from embedpipe.errors import EncoderError, NonFiniteError
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View


def load(folder, **settings):
    chosen = Transformer(str(folder), **({"device": "cpu"} | settings))
    return chosen.load(chosen.find())


def sentences_of(*texts):
    return [Sentence.from_words(str(index), "d", text.split(" ")) for index, text in enumerate(texts)]


@pytest.fixture
def copy_of(tiny_model, tmp_path):
    def copy(name) -> Path:
        return shutil.copytree(tiny_model(name), tmp_path / name)

    return copy


def modules_in_memory():
    """Those with weights."""
    return [item for item in gc.get_objects() if issubclass(type(item), nn.Module) and any(True for _ in item.parameters())]


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_the_decoder_is_not_kept_in_memory(name, tiny_model):
    gc.collect()
    before = set(map(id, modules_in_memory()))
    encoder = load(tiny_model(name))
    gc.collect()
    kept = [module for module in modules_in_memory() if id(module) not in before]
    assert kept and {id(module) for module in kept} <= {id(module) for module in encoder._model.modules()}
    assert encoder.description["num_parameters"] < sum(
        tensor.numel() for tensor in load_file(tiny_model(name) / "model.safetensors").values()
    )


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_file_without_the_decoder_is_enough_but_not_one_without_a_weight_of_the_encoder(name, copy_of, tiny_model):
    folder = copy_of(name)
    change_weights(folder, lambda weights: {key: value for key, value in weights.items() if "decoder" not in key})
    batch = (torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.int64))
    from embedpipe.dataflow import Batch

    expected = load(tiny_model(name)).encode(Batch(*batch), {NUM_LAYERS})[NUM_LAYERS]
    assert torch.equal(load(folder).encode(Batch(*batch), {NUM_LAYERS})[NUM_LAYERS], expected)
    lost = next(key for key in load_file(folder / "model.safetensors") if key.startswith("encoder."))
    change_weights(folder, lambda weights: {key: value for key, value in weights.items() if key != lost})
    with pytest.raises(EncoderError, match=f"1 weights are missing from the file, among them '{lost}'"):
        load(folder)


@pytest.mark.parametrize(("stated", "limit"), [(MAX_WINDOW, MAX_WINDOW), (None, 512)])
def test_the_window_of_relative_positions_is_what_the_model_was_trained_on(stated, limit, copy_of):
    folder = copy_of("t5")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"n_positions": stated}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    settings = Transformer(str(folder), device="cpu")
    assert settings.outline(settings.find()).max_window == limit


def test_mbarts_language_is_the_one_of_its_tokenizers_files(tiny_model):
    tokenizer = SubwordTokenizer(tiny_model("mbart"))
    code = transformers.AutoTokenizer.from_pretrained(tiny_model("mbart")).convert_tokens_to_ids("de_DE")
    assert (tokenizer.special.prefix, tokenizer.special.suffix) == ((), (2, code))


def test_a_literal_sentinel_of_t5_is_text(tiny_model):
    tokenizer = SubwordTokenizer(tiny_model("t5"))
    (out,) = tokenizer.tokenize(sentences_of("the <extra_id_0> dog"))
    sentinel = transformers.AutoTokenizer.from_pretrained(tiny_model("t5")).convert_tokens_to_ids("<extra_id_0>")
    assert sentinel not in out.subword_ids


@pytest.fixture
def in_float16_on_the_cpu(monkeypatch):
    monkeypatch.setattr("embedpipe.encoders.loaded.choose_dtype", lambda precision, device: getattr(torch, precision))


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_what_overflows_in_float16_is_an_error_that_suggests_bfloat16(name, copy_of, in_float16_on_the_cpu):
    folder = copy_of(name)
    is_bart = name in ("bart", "mbart")
    # BART's and mBART's layers clamp what overflows, so that without a look at them it would pass for a number.
    scaled = ("encoder.layers.1.fc2.weight", 2e5) if is_bart else ("encoder.block.1.layer.0.SelfAttention.o.weight", 1e6)
    change_weights(folder, lambda weights: {k: v * scaled[1] if k == scaled[0] else v for k, v in weights.items()})
    embedder = Embedder(SubwordTokenizer(folder), load(folder, precision="float16"), {"last": View(NAMED["last"])})
    with pytest.raises(
        NonFiniteError, match=r"embedding sentence '0' for view 'last': layer 4 .* Set encoder\.precision to bfloat16"
    ):
        list(embedder.embed(sentences_of("the quick brown fox")))
    first = Embedder(embedder.tokenizer, embedder.encoder, {"first": View(NAMED["first"])})
    (block,) = first.embed(sentences_of("the quick brown fox"))
    assert np.isfinite(block.views["first"]).all()


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_float16_without_overflow_is_near_float32(name, tiny_model, in_float16_on_the_cpu):
    views = {"all": View(NAMED["all"])}
    half, whole = (
        Embedder(SubwordTokenizer(tiny_model(name)), load(tiny_model(name), precision=precision), views)
        for precision in ("float16", "float32")
    )
    (one,), (other,) = (embedder.embed(sentences_of("the quick fox", "a dog")) for embedder in (half, whole))
    np.testing.assert_allclose(one.views["all"], other.views["all"], atol=0.02 * np.abs(other.views["all"]).max())


@pytest.fixture(scope="module")
def marian(tmp_path_factory) -> Path:
    """A tiny model with a sentencepiece model and a vocabulary that lacks one of its pieces and has others."""
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp("marian")
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 3),
        model_writer=written,
        vocab_size=170,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
    )
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(written.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    names = [pieces.id_to_piece(index) for index in range(2, pieces.get_piece_size())]
    names = ["</s>", "<unk>", *sorted(name for name in names if name != "x"), ">>fr<<", "▁chien", "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: index for index, name in enumerate(names)}), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MarianTokenizer"}), encoding="utf-8")
    config = transformers.MarianConfig(
        vocab_size=len(names),
        d_model=HIDDEN_SIZE,
        encoder_layers=NUM_LAYERS,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=MAX_WINDOW,
        pad_token_id=len(names) - 1,
        decoder_start_token_id=len(names) - 1,
        eos_token_id=0,
        forced_eos_token_id=0,
        init_std=0.2,
    )
    torch.manual_seed(0)
    transformers.MarianModel(config).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_marians_subwords_and_vectors_are_those_of_transformers(marian):
    oracle = transformers.AutoTokenizer.from_pretrained(marian)
    assert type(oracle).__name__ == "MarianTokenizer"
    model = transformers.AutoModel.from_pretrained(marian).eval().get_encoder()
    embedder = Embedder(SubwordTokenizer(marian), load(marian), {"all": View(NAMED["all"], "subword")})
    for text in (*(text[:60] for text in TEXT), "fox xx fix", "  two  spaces ", "ﬁne ½ \u00a0 Ⅷ", "x"):
        expected = oracle(text, return_tensors="pt")
        (out,) = embedder.tokenizer.tokenize([Sentence.from_text("s", "d", text)])
        assert [*out.subword_ids, *embedder.tokenizer.special.suffix] == expected["input_ids"][0].tolist()
        (block,) = embedder.embed([Sentence.from_text("s", "d", text)])
        with torch.no_grad():
            states = model(**expected, output_hidden_states=True).hidden_states
        oracle_states = torch.stack(states, dim=2)[0, :-1].numpy()
        np.testing.assert_allclose(block.views["all"], oracle_states, atol=1e-5, rtol=1e-5)


def test_marians_words_are_aligned_and_an_unknown_piece_is_flagged(marian):
    (out,) = SubwordTokenizer(marian).tokenize(sentences_of("the fix of </s> dog"))
    assert out.word_flags[:3].tolist() == [0, WordFlag.UNKNOWN_SUBWORD, 0]
    assert 0 not in out.subword_ids  # a literal </s> is text
    assert {"source.spm", "vocab.json"} <= {path.name for path in Transformer(str(marian)).find().all}


BROKEN = {
    "a damaged model": (lambda f: (f / "source.spm").write_bytes(b"\xff\x00 no model"), "source.spm or vocab.json: "),
    "no vocabulary": (lambda f: (f / "vocab.json").unlink(), "source.spm or vocab.json: .*vocab.json"),
    "a vocabulary with gaps": (
        lambda f: (f / "vocab.json").write_text('{"<unk>": 3}'),
        "vocab.json is no vocabulary; expected ids from 0 on, and </s>",
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_tokenizer_of_marian_is_named(case, marian, tmp_path):
    breaks, message = BROKEN[case]
    folder = shutil.copytree(marian, tmp_path / "marian")
    breaks(folder)
    with pytest.raises(EncoderError, match=message):
        SubwordTokenizer(folder)


def test_without_sentencepiece_marian_says_what_to_install(marian, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece.sentencepiece_model_pb2", None)
    with pytest.raises(EncoderError, match=r"pip install 'embedpipe\[sentencepiece\]'"):
        SubwordTokenizer(marian)
