"""The fingerprint: whether two runs must give the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WITHOUT_EFFECT: Mapping[str, tuple[str, ...]] = {"store": ("path", "single_file"), "encoder": ("device",)}
"""Where the vectors go and where they are computed does not change them; these, and all of ``engine``, may be others when a run
is resumed."""

_ADDED: Mapping[str, Mapping[str, Any]] = {
    "corpus": {"second": None, "words_by": "tokenizer", "word_index": None, "word_labels": []},
    "view": {"of": "both"},
}
"""Fields that were added to components, with the value that means what it was to have none. Where they have it they are left
out, so that a store that was made before can still be resumed and grown, and the same job gives the same bytes."""


def determining(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that determines the bytes of the vectors.

    :param resolved: The config with every default written out: :attr:`LoadedConfig.resolved`.
    """
    kept = {
        part: {key: value for key, value in content.items() if key not in WITHOUT_EFFECT.get(part, ())}
        if isinstance(content, Mapping)
        else content
        for part, content in resolved.items()
        if part != "engine"
    }
    if isinstance(kept.get("corpus"), Mapping):
        kept["corpus"] = _without_added("corpus", kept["corpus"])
    if isinstance(views := kept.get("views"), Mapping):
        kept["views"] = {name: _without_added("view", view) for name, view in views.items()}
    if "path" in (corpus := kept.get("corpus") or {}):
        paths = corpus["path"] if isinstance(corpus["path"], list) else [corpus["path"]]
        kept["corpus"] = corpus | {"path": [Path(path).name for path in paths]}  # names may be part of ids, folders are not
    return kept


def _without_added(component: str, fields: Any) -> Any:
    if not isinstance(fields, Mapping):
        return fields
    added = _ADDED[component]
    return {name: value for name, value in fields.items() if name not in added or value != added[name]}


def fingerprint(resolved: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Hash everything that determines the bytes of a store.

    :param resolved: The config with every default written out: :attr:`LoadedConfig.resolved`.
    :param inputs: By name, the sha256 of each file that is read: the corpus's, the model's.
    :returns: A sha256 in hexadecimal.
    """
    content = {"config": determining(resolved), "inputs": dict(inputs)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, in hexadecimal.

    :raises OSError: If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
