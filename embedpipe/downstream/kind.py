"""What kind of features vectors are: a model that was trained on one kind can make nothing of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.downstream.selection import Selection


def kind_of_features(provenance: Mapping[str, Any], selection: Selection) -> dict[str, str]:
    """What has to be equal in two stores for their vectors to mean the same.

    The corpus may differ, of course, and so may precision and dtype, which round the same numbers.

    :param provenance: Of the store; what it does not say is not compared.
    """
    info = selection.info
    kind = {
        "unit of the view": info.unit,
        "layers": str(info.layers),
        "combination": f"{info.combination}, {selection.layers_name}" if selection.layers_name else info.combination,
        "pooling": str(info.pooling),
    }
    if model := provenance.get("inputs", {}).get("model"):
        kind["model (sha256 of its files)"] = hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:16]
    if context := provenance.get("config", {}).get("context"):
        kind["context"] = json.dumps(context, sort_keys=True)
    return kind


def require_same_kind(store: str, trained_on: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Compare the features of a store with those that a model was fitted on.

    :raises FeaturesError: Names what differs.
    """
    differences = [
        f"{what}: {trained_on[what]} then, {found[what]} now"
        for what in trained_on
        if what in found and trained_on[what] != found[what]
    ]
    if differences:
        raise FeaturesError(
            f"{store} has another kind of features than the model was fitted on ({'; '.join(differences)}). "
            "Fit again, or take a store that was made in the same way."
        )
