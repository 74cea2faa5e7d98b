"""What a store is for: scikit-learn on its vectors, and the same vectors for new text.

::

    words = store.words_frame()
    model = make_pipeline(StoreFeatures(store, view="last"), StandardScaler(), LogisticRegression())
    model.fit(words, words["ner"])

    live = make_pipeline(model[0].for_text(), *model[1:])  # the fitted steps, behind the encoder instead of the store
    live.predict([["Berlin", "is", "large"]])
"""

from __future__ import annotations

from embedpipe.downstream.store_features import StoreFeatures
from embedpipe.downstream.text_features import TextFeatures

__all__ = ["StoreFeatures", "TextFeatures"]
