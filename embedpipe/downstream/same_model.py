"""Whether an encoder has the files that a store was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedpipe.errors import FeaturesError


def require_same_model(store: str, stored: Mapping[str, str], files: Sequence[Path]) -> None:
    """Compare the encoder's files with those that the store's provenance names.

    :param store: The store, for the message.
    :param stored: File name to sha256; with nothing in it, there is nothing to compare.
    :param files: The files that the encoder was loaded from.
    :raises FeaturesError: Names the files that differ: vectors of another model mean nothing to a model that was trained on
        the store.
    """
    if not stored:
        return
    found = {path.name: path for path in files}
    changed = [name for name in stored if name in found and _sha256(found[name]) != stored[name]]
    missing = [name for name in stored if name not in found]
    added = [name for name in found if name not in stored]
    differences = {"changed": changed, "missing": missing, "added": added}
    listed = "; ".join(f"{kind}: {', '.join(sorted(names))}" for kind, names in differences.items() if names)
    if listed:
        folder = files[0].parent if files else "nowhere"
        raise FeaturesError(
            f"the encoder in {folder} is not the one that {store} was made with ({listed}), so its vectors may mean something "
            "else. Bring the files back; or extract a new store and train on that; or, if you know that the difference does "
            'not matter, use TextFeatures(store.provenance["config"], ...).'
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
