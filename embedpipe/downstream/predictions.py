"""Predictions as a pandas frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedpipe.downstream.examples import NO_CODE
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    import pandas as pd

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples


def predictions_frame(examples: Examples, codes: IntArray) -> pd.DataFrame:
    """Write predictions beside what they are about, one line a word or sentence.

    ::

        fitted = LogisticRegressionHead().fit(train, dev)
        frame = predictions_frame(test, fitted.predict(test))
        frame[~frame["right"]].groupby(["gold", "predicted"], observed=True).size()

    :param codes: Of the predicted tags. *Shape:* ``(num_rows,)``.
    :returns: The columns sentence_id, document, row (in the store's views), word_index and word, or text; gold and predicted
        (categories, missing where there is none); right, missing where there is no gold label.
    :raises FeaturesError: If there is not one code a row.
    """
    import pandas as pd

    if len(codes) != examples.num_rows:
        raise FeaturesError(f"predictions_frame: {len(codes)} codes were given for {examples.num_rows} rows.")
    is_word = examples.store.views[examples.selection.view].unit == "word"
    frame = examples.store.words_frame() if is_word else examples.store.sentences_frame()
    about = ["word_index", "word"] if is_word else ["text"]
    rows = examples.rows_of(np.arange(len(examples.sentences)))
    frame = frame.loc[rows, ["sentence_id", "document", "row", *about]].reset_index(drop=True)
    right = pd.array(examples.codes == codes, dtype="boolean")
    right[examples.codes == NO_CODE] = pd.NA
    tags = pd.Index(pd.array(examples.tags, dtype="str"))
    gold, predicted = (pd.Categorical.from_codes(some, categories=tags) for some in (examples.codes, codes))
    return frame.assign(gold=gold, predicted=predicted, right=right)
