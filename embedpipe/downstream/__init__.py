"""What a store is for: scikit-learn and taggers on its vectors, and the same vectors for new text.

::

    words = store.words_frame()
    model = make_pipeline(StoreFeatures(store, view="last"), StandardScaler(), LogisticRegression())
    model.fit(words, words["ner"])

    live = make_pipeline(model[0].for_text(), *model[1:])  # the fitted steps, behind the encoder instead of the store
    live.predict([["Berlin", "is", "large"]])

    tagger = NerTagger("bilstm_crf", view="all_layers", layers="learned_mix").fit("train.h5", "dev.h5")

The names are imported when they are first used: a config names heads, and reading one needs neither scikit-learn nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedpipe.downstream.ner import NerTagger
    from embedpipe.downstream.predictions import predictions_frame
    from embedpipe.downstream.store_features import StoreFeatures
    from embedpipe.downstream.text_features import TextFeatures

_HOME = {
    "NerTagger": "embedpipe.downstream.ner",
    "StoreFeatures": "embedpipe.downstream.store_features",
    "TextFeatures": "embedpipe.downstream.text_features",
    "predictions_frame": "embedpipe.downstream.predictions",
}

__all__ = ["NerTagger", "StoreFeatures", "TextFeatures", "predictions_frame"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
