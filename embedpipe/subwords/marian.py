"""The tokenizer of Marian's translation models, which keep it as a sentencepiece model beside a vocabulary."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from embedpipe.errors import EncoderError

_MODEL, _VOCABULARY, _SETTINGS = "source.spm", "vocab.json", "tokenizer_config.json"
_UNIGRAM = 1
_NEVER = -1e6
"""Score of a piece that the sentencepiece model does not make."""


def is_marian(folder: Path) -> bool:
    """Whether a folder's tokenizer is one of Marian that transformers has no fast one for."""
    return (folder / _MODEL).is_file() and not (folder / "tokenizer.json").is_file()


def load_marian(folder: Path) -> Any:
    """Make a fast tokenizer of transformers of the source language's model, with the ids of transformers' slow one.

    Pieces that the vocabulary lacks have ids behind it, from ``ids_end`` on: they stand for the unknown one.

    :raises EncoderError: If a file is missing or damaged, or sentencepiece is not installed.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary, settings, proto = _read(folder)
    unknown, end, padding = (_content(settings.get(f"{name}_token"), f"<{text}>") for name, text in _SPECIAL.items())
    ids = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
    if list(ids.values()) != list(range(len(ids))) or not {unknown, end, padding} <= ids.keys():
        needed = f"ids from 0 on, and {end}, {unknown} and {padding} among them"
        raise EncoderError(f"loading the tokenizer in {folder}: {_VOCABULARY} is no vocabulary; expected {needed}")
    scores = {piece.piece: piece.score for piece in proto.pieces if piece.type == piece.NORMAL}
    pieces = [(piece, scores.pop(piece, _NEVER)) for piece in ids]
    tokenizer = Tokenizer(models.Unigram([*pieces, *scores.items()], unk_id=ids[unknown]))
    if charsmap := proto.normalizer_spec.precompiled_charsmap:
        tokenizer.normalizer = normalizers.Precompiled(charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, ids[end])])
    loaded = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=unknown,
        eos_token=end,
        pad_token=padding,
        model_max_length=settings.get("model_max_length") or 512,
    )
    loaded.ids_end = len(ids)
    return loaded


_SPECIAL = {"unk": "unk", "eos": "/s", "pad": "pad"}


def _content(token: Any, default: str) -> str:
    """A special subword's text, which files have as such or in an object."""
    return str(token["content"] if isinstance(token, dict) else token or default)


def _read(folder: Path) -> tuple[dict[str, int], dict[str, Any], Any]:
    try:
        sentencepiece_model_pb2: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    except ImportError as error:
        raise EncoderError(
            f"loading the tokenizer in {folder}: {_MODEL} is a sentencepiece model; run: pip install 'embedpipe[sentencepiece]'"
        ) from error
    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString((folder / _MODEL).read_bytes())
        vocabulary = json.loads((folder / _VOCABULARY).read_bytes())
        settings = json.loads((folder / _SETTINGS).read_bytes()) if (folder / _SETTINGS).is_file() else {}
    except Exception as error:  # protobuf's own is one of its extension modules'
        raise EncoderError(f"loading the tokenizer in {folder}: {_MODEL} or {_VOCABULARY}: {error}") from error
    if proto.trainer_spec.model_type != _UNIGRAM:
        raise EncoderError(f"loading the tokenizer in {folder}: {_MODEL} is no unigram model; convert it to tokenizer.json")
    return vocabulary, settings, proto
