"""From a store to a frame of predictions: words and sentences, gold and predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedpipe.downstream.examples import NO_CODE, read_examples
from embedpipe.downstream.heads.logistic_regression import LogisticRegressionHead
from embedpipe.downstream.heads.nearest_neighbors import KNearestHead
from embedpipe.downstream.metrics import score_tags
from embedpipe.downstream.predictions import predictions_frame
from embedpipe.downstream.selection import select
from embedpipe.errors import FeaturesError


def examples_of(store, view, label, **options):
    return read_examples(store, select("store", store.views, view, options.pop("layers", None), 4), label, **options)


@pytest.mark.parametrize("layers", ["last", "concat_last_four"])
def test_words_of_a_stacked_view_are_told_and_written_beside_the_store_s_words(store, layers):
    train = examples_of(store, "all_layers", "ner", layers=layers, sentences=np.arange(0, 48, 2))
    test = examples_of(store, "all_layers", "ner", layers=layers, sentences=np.arange(47, 0, -2), tags=train.tags)
    fitted = LogisticRegressionHead().fit(train, test)
    codes = fitted.predict(test)
    frame = predictions_frame(test, codes)
    assert list(frame) == ["sentence_id", "document", "row", "word_index", "word", "gold", "predicted", "right"]
    words = store.words_frame().set_index("row").loc[frame["row"]]
    for column, stored in (("word", "word"), ("gold", "ner"), ("sentence_id", "sentence_id"), ("word_index", "word_index")):
        assert frame[column].astype(str).tolist() == words[stored].astype(str).tolist()
    assert frame["sentence_id"].iloc[0] == store.ids[47]
    scores = score_tags(test.by_sentence(test.codes), test.by_sentence(codes), train.tags)
    assert frame["right"].mean() == pytest.approx(scores["accuracy"])
    assert frame["predicted"].cat.categories.tolist() == list(train.tags)


def test_sentences_are_written_with_their_text(store):
    train = examples_of(store, "mean", "topic")
    frame = predictions_frame(train, KNearestHead(k=1).fit(train, train).predict(train))
    assert list(frame) == ["sentence_id", "document", "row", "text", "gold", "predicted", "right"]
    assert frame["text"].tolist() == store.sentences_frame()["text"].tolist()
    assert frame["predicted"].astype(str).iloc[0] == "about fox"


def test_what_has_no_label_or_no_prediction_is_missing(store):
    examples = examples_of(store, "last", "ner", tags=["O"], sentences=np.array([0]))  # B-LOC is not known
    assert examples.codes.tolist() == [0, 0, 0, NO_CODE, 0]
    frame = predictions_frame(examples, np.array([0, NO_CODE, 0, 0, 0]))
    assert frame["gold"].isna().tolist() == [False, False, False, True, False]
    assert frame["predicted"].isna().tolist() == [False, True, False, False, False]
    assert frame["right"].tolist() == [True, False, True, pd.NA, True]


def test_codes_of_other_examples_are_refused(store):
    with pytest.raises(FeaturesError, match="3 codes were given for 5 rows"):
        predictions_frame(examples_of(store, "last", "ner", sentences=np.array([0])), np.zeros(3, np.int64))
