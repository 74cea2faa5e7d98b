"""Tiny encoders with random weights and tokenizers trained on a few lines: the real classes, small enough for a test."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

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
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=200, special_tokens=specials, show_progress=False))
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
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=specials, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
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


@cache
def _tokenizer(kind: str) -> PreTrainedTokenizerFast:
    return {
        "wordpiece": _wordpiece,
        "byte_bpe": lambda: _byte_bpe(specials=True),
        "gpt2_bpe": lambda: _byte_bpe(specials=False),
        "unigram": _unigram,
    }[kind]()


def _config(name: str, vocab_size: int, pad_id: int) -> transformers.PretrainedConfig:
    sizes = {**_SIZES, "vocab_size": vocab_size, "max_position_embeddings": MAX_WINDOW, "pad_token_id": pad_id}
    behind_padding = {**sizes, "max_position_embeddings": MAX_WINDOW + pad_id + 1}
    distilbert = {"dim": HIDDEN_SIZE, "n_layers": NUM_LAYERS, "n_heads": 4, "hidden_dim": 64}
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
}
ARCHITECTURES = sorted(TOKENIZER_OF)


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
