"""Reads a vocabulary: fastai's pickled list, unpickled with next to nothing allowed, a JSON list, or lines."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedpipe.encoders.awd_lstm.rules import BOS, MAJ, PAD, REP, UNK, UP, WREP
from embedpipe.errors import EncoderError

_REQUIRED = (UNK, PAD, BOS, MAJ, UP, REP, WREP)
_PICKLES = (".pkl", ".pickle")

_ALLOWED: Mapping[tuple[str, str], Any] = {
    **{(module, cls.__name__): cls for module in ("builtins", "__builtin__") for cls in (list, str, dict, int)},
    ("collections", "defaultdict"): defaultdict,
    ("collections", "OrderedDict"): OrderedDict,
}


class _ForbiddenError(Exception):
    """A pickle asks for something that a vocabulary needs not."""


class _Unpickler(pickle.Unpickler):
    """Knows plain containers, strings and integers, and nothing that could run."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise _ForbiddenError(f"{module_name}.{global_name}") from None


def read_vocabulary(path: Path, setting: str) -> tuple[str, ...]:
    """Read the words of a vocabulary, in the order of the model's rows.

    :param setting: What named the file, for the messages.
    :raises EncoderError: If it is damaged, holds something else, or lacks the marks of fastai's rules.
    """
    where = f"{setting}: {str(path)!r}"
    try:
        words = _as_list(_content(path), where)
    except _ForbiddenError as error:
        raise EncoderError(
            f"{where} is a pickle that asks for {error}, which could run code; only lists, dicts, strings and integers are "
            "read. If you trust it, write it as JSON with fastai: json.dump(list(vocab), file)"
        ) from None
    except OSError as error:
        raise EncoderError(f"{where} cannot be read: {error.strerror}") from error
    except EncoderError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        kind = "pickle" if path.suffix in _PICKLES else "JSON" if path.suffix == ".json" else "UTF-8 text"
        raise EncoderError(f"{where} cannot be read as {kind}: {str(error) or type(error).__name__}") from error
    _require_marks(words, where)
    return words


def _content(path: Path) -> Any:
    if path.suffix in _PICKLES:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    text = path.read_bytes().decode("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _as_list(content: Any, where: str) -> tuple[str, ...]:
    """A list of words; or a dict that gives each its number, which is turned round."""
    if isinstance(content, dict) and sorted(content.values()) == list(range(len(content))):
        content = sorted(content, key=content.__getitem__)
    if isinstance(content, list) and all(isinstance(word, str) for word in content):
        return tuple(content)
    raise EncoderError(f"{where} holds {_shown(content)}; expected a list of words in the order of the embedding's rows")


def _require_marks(words: tuple[str, ...], where: str) -> None:
    lacking = [mark for mark in _REQUIRED if mark not in words]
    if sum(word.startswith("▁") for word in words) > len(words) // 5:
        raise EncoderError(f"{where} is a vocabulary of SentencePiece, whose models are not supported; only fastai's words are")
    if lacking:
        old = "; it seems to be one of fastai 0.7, which had other marks" if "_unk_" in words else ""
        raise EncoderError(f"{where} holds {len(words)} words, but not {', '.join(lacking)}, the marks of fastai's rules{old}")


def _shown(content: Any) -> str:
    return f"a {type(content).__name__} of {len(content)}" if hasattr(content, "__len__") else f"a {type(content).__name__}"
