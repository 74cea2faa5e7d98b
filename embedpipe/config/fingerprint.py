"""The fingerprint: whether two runs must give the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WITHOUT_EFFECT = {"store": "path", "encoder": "device"}
"""Where the vectors go, and where they are computed, does not change them."""


def fingerprint(resolved: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Hash everything that determines the bytes of a store.

    :param resolved: The config with every default written out: :attr:`LoadedConfig.resolved`.
    :param inputs: By name, the sha256 of each file that is read: the corpus's, the model's.
    :returns: A sha256 in hexadecimal.
    """
    config = {part: dict(content) for part, content in resolved.items()}
    for part, key in _WITHOUT_EFFECT.items():
        config.get(part, {}).pop(key, None)
    content = json.dumps({"config": config, "inputs": dict(inputs)}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, in hexadecimal.

    :raises OSError: If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
