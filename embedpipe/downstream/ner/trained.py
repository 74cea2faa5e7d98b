"""What a tagger has after training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedpipe.downstream.kind import kind_of_features

if TYPE_CHECKING:
    from embedpipe.downstream.heads.head import FittedHead
    from embedpipe.downstream.selection import Selection
    from embedpipe.store import Store


@dataclass(frozen=True)
class Trained:
    """A fitted head, and what it has to know of the features that it was fitted on.

    :param tags: The tag of each code.
    :param view: Name of the view.
    :param kind: What kind of features they are; see :mod:`embedpipe.downstream.kind`.
    :param stores: Fingerprints of the stores that it was trained with: ``train``, ``dev``.
    :param config: Which the training store was made with; ``None`` where it does not say.
    :param model_files: The encoder's files with their sha256.
    """

    fitted: FittedHead
    tags: tuple[str, ...]
    view: str
    kind: Mapping[str, str]
    stores: Mapping[str, str]
    config: Mapping[str, Any] | None
    model_files: Mapping[str, str]


def trained(fitted: FittedHead, tags: tuple[str, ...], selection: Selection, train: Store, dev: Store) -> Trained:
    """Keep what the stores say of themselves."""
    provenance = train.provenance
    stores = {name: store.provenance.get("fingerprint", "") for name, store in (("train", train), ("dev", dev))}
    return Trained(
        fitted,
        tags,
        selection.view,
        kind_of_features(provenance, selection),
        stores,
        provenance.get("config"),
        provenance.get("inputs", {}).get("model", {}),
    )
