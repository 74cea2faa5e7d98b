"""Tiny encoders with random weights and tokenizers trained on a few lines: the real classes, small enough for a test.

They are the same in every process. The trainers of tokenizers break ties in the order of a hash, which is another one each time;
so they are given all that could come in any order, and pieces of a unigram model are counted here.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast
from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES

TEXT = [
    "The quick brown fox jumps over the lazy dog near the river bank .",
    "Berlin. Berlin . don't can't re-entry 3.14 $5 U.S.A. unbelievable tokenization",
    "She went to the bank, put the stick in the spring; and waited (quietly) for two hours!",
    "Ünïcode café naïve 你好 世界 东京 مرحبا हिन्दी 😀 — “quoted” … ß ﬁne",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 0 1 2 3 4 5 6 7 8 9",
]
NUM_LAYERS = 4
HIDDEN_SIZE = 32
MAX_WINDOW = 96

_SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN_SIZE,
    "num_hidden_layers": NUM_LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.2,
}
_SIZES_OF_BART = {"layers": NUM_LAYERS, "attention_heads": 4, "ffn_dim": 64}
_DEBERTA = {
    "relative_attention": True,
    "position_buckets": 16,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "conv_kernel_size": 3,
    "conv_act": "gelu",
}


def _wordpiece() -> PreTrainedTokenizerFast:
    normalizer, splitting = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab, _ = _trained_bpe(specials, splitting, normalizer=normalizer, continuing_subword_prefix="##")
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitting
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    tokenizer.enable_truncation(max_length=7)  # as all-MiniLM-L6-v2 carries it: to be ignored
    tokenizer.enable_padding(length=9)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _byte_bpe(*, specials: bool) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if specials else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=names, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if not specials:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<|endoftext|>", bos_token="<|endoftext|>")
    sep, cls = (("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")))
    tokenizer.post_processor = processors.RobertaProcessing(sep, cls, trim_offsets=True, add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>", mask_token="<mask>"
    )


def _unigram() -> PreTrainedTokenizerFast:
    vocab = _counted_pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], normalizers.NFKC())
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=1))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _trained_bpe(
    names: list[str], pre_tokenizer: Any, *, normalizer: Any = None, **options: Any
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges, of which other tokenizers are made."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    marked = _marked_letters(normalizer, options.get("continuing_subword_prefix", ""), options.get("end_of_word_suffix", ""))
    size = 140 + len(names) + len(marked) + len(options.get("initial_alphabet", ()))
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*names, *marked], show_progress=False, **options)
    tokenizer.train_from_iterator(TEXT, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def _marked_letters(normalizer: Any, prefix: str, suffix: str) -> list[str]:
    """The letters within words, or at their ends, as a trainer writes them, which would number them in any order."""
    if not prefix and not suffix:
        return []
    text = " ".join(normalizer.normalize_str(line) for line in TEXT)
    return [f"{prefix}{letter}{suffix}" for letter in sorted(set(text) - {" "})]


def _openai_bpe() -> PreTrainedTokenizerFast:
    lower = normalizers.BertNormalizer(lowercase=True)
    vocab, merges = _trained_bpe(["<unk>"], pre_tokenizers.BertPreTokenizer(), normalizer=lower, end_of_word_suffix="</w>")
    return transformers.OpenAIGPTTokenizer(vocab=vocab, merges=merges)


def _llama_bpe() -> PreTrainedTokenizerFast:
    """Characters that it does not know are cut into bytes; <s> stands in front; there is nothing to pad with."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab, merges = _trained_bpe(names, pre_tokenizers.Metaspace())
    return transformers.LlamaTokenizer(vocab=vocab, merges=merges, add_bos_token=True)


def _qwen_bpe() -> PreTrainedTokenizerFast:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    splitting = pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocab, merges = _trained_bpe(["<|endoftext|>"], splitting, initial_alphabet=alphabet)
    return transformers.Qwen2Tokenizer(vocab=vocab, merges=merges)


def _counted_pieces(names: list[str], normalizer: Any = None) -> list[tuple[str, float]]:
    """Pieces and their log probabilities: letters, and what stands several times."""
    lines = [normalizer.normalize_str(line) if normalizer else line for line in TEXT]
    words = [word for line in lines for word, _ in pre_tokenizers.Metaspace().pre_tokenize_str(line)]
    counts = Counter(
        word[start : start + size] for word in words for size in range(1, 6) for start in range(len(word) - size + 1)
    )
    several = sorted(
        (piece for piece in counts if len(piece) > 1 and counts[piece] > 1), key=lambda piece: (-counts[piece], piece)
    )
    pieces = [*sorted(piece for piece in counts if len(piece) == 1), *several[:60]]
    return [*((name, 0.0) for name in names), *((piece, math.log(counts[piece] / counts.total())) for piece in pieces)]


def _t5_unigram() -> PreTrainedTokenizerFast:
    sentinels = [f"<extra_id_{number}>" for number in range(100)]
    vocab = [*_counted_pieces(["<pad>", "</s>", "<unk>"]), *((sentinel, 0.0) for sentinel in reversed(sentinels))]
    return transformers.T5Tokenizer(vocab=vocab)


def _mbart_unigram() -> PreTrainedTokenizerFast:
    codes = [*FAIRSEQ_LANGUAGE_CODES, "<mask>"]
    vocab = [*_counted_pieces(["<s>", "<pad>", "</s>", "<unk>"]), *((code, 0.0) for code in codes)]
    return transformers.MBartTokenizer(vocab=vocab, src_lang="de_DE")


@cache
def _tokenizer(kind: str) -> PreTrainedTokenizerFast:
    return {
        "wordpiece": _wordpiece,
        "byte_bpe": lambda: _byte_bpe(specials=True),
        "gpt2_bpe": lambda: _byte_bpe(specials=False),
        "unigram": _unigram,
        "openai_bpe": _openai_bpe,
        "llama_bpe": _llama_bpe,
        "qwen_bpe": _qwen_bpe,
        "t5_unigram": _t5_unigram,
        "mbart_unigram": _mbart_unigram,
    }[kind]()


def _config(name: str, vocab_size: int, pad_id: int) -> transformers.PretrainedConfig:
    sizes = {**_SIZES, "vocab_size": vocab_size, "max_position_embeddings": MAX_WINDOW, "pad_token_id": pad_id}
    behind_padding = {**sizes, "max_position_embeddings": MAX_WINDOW + pad_id + 1}
    distilbert = {"dim": HIDDEN_SIZE, "n_layers": NUM_LAYERS, "n_heads": 4, "hidden_dim": 64}
    llama = {**sizes, "num_key_value_heads": 2, "initializer_range": 0.1}
    narrow = {**llama, "head_dim": 4}
    t5 = {"d_model": HIDDEN_SIZE, "d_kv": 8, "d_ff": 64, "num_layers": NUM_LAYERS, "num_decoder_layers": 2, "num_heads": 4}
    t5 |= {
        "vocab_size": vocab_size,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
        "n_positions": MAX_WINDOW,
    }
    bart = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in _SIZES_OF_BART.items()}
    bart |= {"vocab_size": vocab_size, "d_model": HIDDEN_SIZE, "max_position_embeddings": MAX_WINDOW, "init_std": 0.2}
    bart |= {"pad_token_id": pad_id, "decoder_start_token_id": 2, "decoder_layers": 2}
    bloom = {"hidden_size": HIDDEN_SIZE, "n_layer": NUM_LAYERS, "n_head": 4, "initializer_range": 0.2, "seq_length": MAX_WINDOW}
    opt = {"ffn_dim": 64, "word_embed_proj_dim": HIDDEN_SIZE, "init_std": 0.2}
    gpt2 = {"n_embd": HIDDEN_SIZE, "n_layer": NUM_LAYERS, "n_head": 4, "n_positions": MAX_WINDOW, "initializer_range": 0.2}
    made: dict[str, Any] = {
        "bert": lambda: transformers.BertConfig(**sizes),
        "roberta": lambda: transformers.RobertaConfig(**behind_padding),
        "distilbert": lambda: transformers.DistilBertConfig(
            vocab_size=vocab_size, max_position_embeddings=MAX_WINDOW, pad_token_id=pad_id, **distilbert
        ),
        "mpnet": lambda: transformers.MPNetConfig(**behind_padding),
        "electra": lambda: transformers.ElectraConfig(**sizes, embedding_size=16),
        "deberta-v2": lambda: transformers.DebertaV2Config(**sizes, **_DEBERTA),
        "modernbert": lambda: transformers.ModernBertConfig(
            **sizes, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, local_attention=8
        ),
        "albert": lambda: transformers.AlbertConfig(**sizes, embedding_size=16),
        "gpt2": lambda: transformers.GPT2Config(vocab_size=vocab_size, bos_token_id=0, eos_token_id=0, **gpt2),
        "xlm-roberta": lambda: transformers.XLMRobertaConfig(**behind_padding),
        "openai-gpt": lambda: transformers.OpenAIGPTConfig(vocab_size=vocab_size, **gpt2),
        "llama": lambda: transformers.LlamaConfig(**llama),
        "mistral": lambda: transformers.MistralConfig(**llama, sliding_window=8),
        "qwen2": lambda: transformers.Qwen2Config(**llama),
        "qwen3": lambda: transformers.Qwen3Config(**narrow),
        "gemma": lambda: transformers.GemmaConfig(**narrow),
        "gpt_neox": lambda: transformers.GPTNeoXConfig(**sizes),
        "opt": lambda: transformers.OPTConfig(**sizes, **opt),
        "bloom": lambda: transformers.BloomConfig(vocab_size=vocab_size, **bloom),
        "t5": lambda: transformers.T5Config(**t5),
        "umt5": lambda: transformers.UMT5Config(**t5, feed_forward_proj="gated-gelu"),
        "bart": lambda: transformers.BartConfig(**bart),
        "mbart": lambda: transformers.MBartConfig(**bart),
    }
    return made[name]()


TOKENIZER_OF = {
    "bert": "wordpiece",
    "roberta": "byte_bpe",
    "distilbert": "wordpiece",
    "mpnet": "byte_bpe",  # its position table is made for a padding index of 1
    "electra": "wordpiece",
    "deberta-v2": "unigram",
    "modernbert": "byte_bpe",
    "albert": "unigram",
    "gpt2": "gpt2_bpe",
    "xlm-roberta": "unigram",
    "openai-gpt": "openai_bpe",
    "llama": "llama_bpe",
    "mistral": "llama_bpe",
    "qwen2": "qwen_bpe",
    "qwen3": "qwen_bpe",
    "gemma": "llama_bpe",
    "gpt_neox": "gpt2_bpe",
    "opt": "gpt2_bpe",
    "bloom": "gpt2_bpe",
    "t5": "t5_unigram",
    "umt5": "t5_unigram",
    "bart": "byte_bpe",
    "mbart": "mbart_unigram",
}
ARCHITECTURES = sorted(TOKENIZER_OF)
DECODERS = ["bloom", "gemma", "gpt2", "gpt_neox", "llama", "mistral", "openai-gpt", "opt", "qwen2", "qwen3"]
WITH_CLS = [name for name in ARCHITECTURES if name == "bart" or name not in (*DECODERS, "mbart", "t5", "umt5")]
ENCODER_DECODERS = ["bart", "mbart", "t5", "umt5"]


def save_tiny_model(name: str, folder: Path) -> Path:
    """Save a tiny random model and its tokenizer as transformers would."""
    transformers.utils.logging.disable_progress_bar()
    tokenizer = _tokenizer(TOKENIZER_OF[name])
    pad_id = tokenizer.pad_token_id or 0
    torch.manual_seed(zlib.crc32(name.encode()))
    model = transformers.AutoModel.from_config(_config(name, len(tokenizer), pad_id)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
