"""The store's words, subwords and sentences as pandas frames, without the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Unit, texts_of
from embedpipe.store import format as names
from embedpipe.store.columns import read_offsets
from embedpipe.store.sentence import read_documents, read_second_starts

if TYPE_CHECKING:
    import pandas as pd

    from embedpipe.dataflow import IntArray
    from embedpipe.store.sealed import SealedFile


_TAKEN = ("flags", "subword_index", "subword_id")
"""Columns that a frame has besides those before its labels: a label has the same name in all frames."""


def words_frame(file: SealedFile) -> pd.DataFrame:
    """One line a word, in the order of the rows of word views; ``text`` is 1 or 2, where there are pairs of texts."""
    import pandas as pd

    num_sentences, num_words = file.structure.counts["num_sentences"], file.structure.counts["num_words"]
    offsets = read_offsets(file.column(names.WORD_OFFSETS), 0, num_sentences)
    sentence = np.repeat(np.arange(num_sentences), np.diff(offsets))
    columns: dict[str, Any] = {
        "sentence_id": pd.Categorical.from_codes(sentence, categories=_strings(_ids(file))),
        "document": _documents(file).take(sentence),
        "row": np.arange(num_words),
        "word_index": np.arange(num_words) - offsets[sentence],
        "word": _strings(_words(file, offsets)),
    }
    if file.structure.has_pairs:
        starts = file.column(names.SECOND_START).read(0, num_sentences)[sentence]
        of_second = (starts != names.NO_PAIR) & (file.column(names.WORD_SPANS).read(0, num_words)[:, 0] >= starts)
        columns["text"] = np.where(of_second, 2, 1)
    _add_labels(columns, file, "word")
    columns["flags"] = file.column(names.WORD_FLAGS).read(0, num_words)
    return pd.DataFrame(columns)


def subwords_frame(file: SealedFile) -> pd.DataFrame:
    """One line a subword, in the order of the rows of subword views, with what is known of the first word that it is of."""
    import pandas as pd

    num_sentences, num_words = file.structure.counts["num_sentences"], file.structure.counts["num_words"]
    num_subwords = file.structure.counts["num_subwords"]
    offsets = read_offsets(file.column(names.SUBWORD_OFFSETS), 0, num_sentences)
    sentence = np.repeat(np.arange(num_sentences), np.diff(offsets))
    num_of_words = np.diff(read_offsets(file.column(names.WORD_OFFSETS), 0, num_sentences))
    ranges = file.column(names.WORD_SUBWORDS).read(0, num_words) + np.repeat(offsets[:-1], num_of_words)[:, None]
    of_words = words_frame(file).drop(columns=["sentence_id", "document", "row"]).reindex(_first_words(ranges, num_subwords))
    of_words[["word_index", "flags"]] = of_words[["word_index", "flags"]].astype("Int64")  # which has a missing value
    if file.structure.has_pairs:
        of_words["text"] = of_words["text"].astype("Int64")
    own = {
        "sentence_id": pd.Categorical.from_codes(sentence, categories=_strings(_ids(file))),
        "document": _documents(file).take(sentence),
        "row": np.arange(num_subwords),
        "subword_index": np.arange(num_subwords) - offsets[sentence],
        "subword_id": file.column(names.SUBWORD_IDS).read(0, num_subwords),
    }
    return pd.concat([pd.DataFrame(own), of_words.reset_index(drop=True)], axis="columns")


def sentences_frame(file: SealedFile) -> pd.DataFrame:
    """One line a sentence, in the order of the rows of sentence views; ``second`` is the second text, where there are pairs."""
    import pandas as pd

    num_sentences = file.structure.counts["num_sentences"]
    columns: dict[str, Any] = {
        "sentence_id": _strings(_ids(file)),
        "document": _documents(file),
        "row": np.arange(num_sentences),
        **_texts(file),
        "num_words": np.diff(read_offsets(file.column(names.WORD_OFFSETS), 0, num_sentences)),
        "num_subwords": np.diff(read_offsets(file.column(names.SUBWORD_OFFSETS), 0, num_sentences)),
    }
    _add_labels(columns, file, "sentence")
    columns["flags"] = file.column(names.SENTENCE_FLAGS).read(0, num_sentences)
    return pd.DataFrame(columns)


def _first_words(ranges: IntArray, num_subwords: int) -> IntArray:
    """Of each subword, the first word whose range it is in; -1 where there is none."""
    none = len(ranges)
    first = np.full(num_subwords, none)
    lengths = ranges[:, 1] - ranges[:, 0]
    words = np.repeat(np.arange(len(ranges)), lengths)
    within = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    np.minimum.at(first, np.repeat(ranges[:, 0], lengths) + within, words)
    return np.where(first == none, -1, first)


def _add_labels(columns: dict[str, Any], file: SealedFile, unit: Unit) -> None:
    """Add a categorical column a label; a label named like another column is called ``label_...``."""
    import pandas as pd

    for name, info in file.structure.labels.items():
        if info.unit == unit:
            column = name
            while column in columns or column in _TAKEN:
                column = f"label_{column}"
            codes = file.column(f"{info.group}/{names.LABEL_CODES}")
            columns[column] = pd.Categorical.from_codes(
                codes.read(0, len(codes)),
                categories=_strings(file.vocabulary(name)),  # -1 means missing to pandas too
            )


def _ids(file: SealedFile) -> list[str]:
    return file.text(names.SENTENCE_ID).read(0, file.structure.counts["num_sentences"])


def _documents(file: SealedFile) -> pd.Categorical:
    import pandas as pd

    documents = read_documents(file, 0, file.structure.counts["num_sentences"])
    return pd.Categorical(documents, categories=_strings(list(dict.fromkeys(documents))))


def _texts(file: SealedFile) -> dict[str, pd.Index[Any]]:
    """The texts of the sentences; in a store with pairs, the first and the second ones."""
    num_sentences = file.structure.counts["num_sentences"]
    texts = file.text(names.SENTENCE_TEXT).read(0, num_sentences)
    if not file.structure.has_pairs:
        return {"text": _strings(texts)}
    pairs = [texts_of(text, at) for text, at in zip(texts, read_second_starts(file, 0, num_sentences), strict=True)]
    second = [pair[1] if len(pair) > 1 else None for pair in pairs]
    return {"text": _strings([pair[0] for pair in pairs]), "second": _strings(second)}


def _words(file: SealedFile, offsets: IntArray) -> list[str]:
    texts = file.text(names.SENTENCE_TEXT).read(0, len(offsets) - 1)
    spans = file.column(names.WORD_SPANS).read(0, int(offsets[-1])).tolist()
    ends = offsets.tolist()
    return [text[a:b] for text, (start, end) in zip(texts, pairwise(ends), strict=True) for a, b in spans[start:end]]


def _strings(strings: Sequence[str | None]) -> pd.Index[Any]:
    """Strings in the string type of pandas, also where there are none; that of pyarrow takes no lone surrogates."""
    import pandas as pd

    return pd.Index(pd.array(strings, dtype=pd.StringDtype("python", na_value=np.nan)))
