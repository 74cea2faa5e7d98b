"""A Parquet file: a row a word, sentence or subword, with its text, labels and vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.errors import StoreError
from embedpipe.store.sentence_ids import SENTENCES_A_READ

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray, Unit
    from embedpipe.store.export import OnRows
    from embedpipe.store.reader import Store
    from embedpipe.store.sentence import StoredSentence

_TAKEN = ("sentence_id", "document", "word_index", "word", "subword_index", "subword_id", "text", "flags")
_NUMBERS = ("word_index", "subword_index", "subword_id", "flags")


def write_parquet(store: Store, views: tuple[str, ...], path: Path, doing: str, on_progress: OnRows) -> None:
    """Write views of one unit.

    Columns: ``sentence_id``, ``document``; for words ``word_index`` and ``word``; for subwords ``subword_index``,
    ``subword_id``, and ``word_index`` and ``word`` of the first word that it is of, null where it is of none; for sentences
    ``text``; for words and sentences their labels by name and ``flags``; and a list of numbers a view, of lists where it is
    stacked. Where sentences are pairs of texts, words and subwords have the column ``text`` as well, 1 or 2, and sentences
    ``second``, while their ``text`` is the first one.

    :raises StoreError: If pyarrow is not installed, the views are of several units, or two columns would have the same name.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise StoreError(f"{doing}: parquet needs pyarrow; run: pip install 'embedpipe[parquet]'") from error
    unit = _unit(store, views, doing)
    labels = [name for name in store.label_names if store.label(name).unit == unit]
    taken = (*_TAKEN, "second") if store.has_pairs else _TAKEN
    if same := [name for name in (*labels, *views) if [*taken, *labels, *views].count(name) > 1]:
        raise StoreError(f"{doing}: two columns would be called {same[0]!r}; leave a view out with --view, or rename a label")
    writer, done, total = None, 0, len(store.matrix(views[0])) if views else 0
    try:
        for start in range(0, max(1, len(store)), SENTENCES_A_READ):
            sentences = store[start : min(start + SENTENCES_A_READ, len(store))]
            columns = dict(_columns(sentences, unit, labels, has_pairs=store.has_pairs))
            numbers = _NUMBERS if unit == "sentence" else (*_NUMBERS, "text")
            arrays = {name: _column(pa, name, values, doing, name in numbers) for name, values in columns.items()}
            for view in views:
                arrays[view] = _vectors(pa, _rows(store, view, sentences))
            table = pa.table(arrays)
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            done += len(table)
            on_progress(done, total)
    finally:
        if writer is not None:
            writer.close()


def _unit(store: Store, views: tuple[str, ...], doing: str) -> Unit:
    units = {store.views[view].unit for view in views}
    if len(units) == 1:
        return units.pop()
    known = ", ".join(f"{view} ({info.unit})" for view, info in store.views.items()) or "none"
    raise StoreError(f"{doing}: a parquet file has rows of one unit; choose views of one with --view. Views here: {known}")


def _columns(
    sentences: list[StoredSentence], unit: Unit, labels: list[str], *, has_pairs: bool
) -> Iterator[tuple[str, Iterator[Any]]]:
    """Each column, by name, as one value after the other."""
    if unit == "sentence":
        yield "sentence_id", (sentence.id for sentence in sentences)
        yield "document", (sentence.document for sentence in sentences)
        yield "text", (sentence.texts[0] for sentence in sentences)
        if has_pairs:
            yield "second", (sentence.texts[1] if len(sentence.texts) > 1 else None for sentence in sentences)
        for name in labels:
            yield name, (sentence.labels[name] for sentence in sentences)
        yield "flags", (int(sentence.flags) for sentence in sentences)
        return
    counts = [sentence.num_words if unit == "word" else sentence.num_subwords for sentence in sentences]
    pairs = list(zip(sentences, counts, strict=True))
    yield "sentence_id", (sentence.id for sentence, count in pairs for _ in range(count))
    yield "document", (sentence.document for sentence, count in pairs for _ in range(count))
    yield f"{unit}_index", (index for count in counts for index in range(count))
    if unit == "subword":
        yield "subword_id", (id for sentence in sentences for id in sentence.subword_ids)
        yield "word_index", (word for sentence in sentences for word in sentence.word_of_subwords)
        yield "word", (word for sentence in sentences for word in _of_subwords(sentence, sentence.words))
        if has_pairs:
            yield "text", (text for sentence in sentences for text in _of_subwords(sentence, sentence.text_of_words))
        return
    yield "word", (word for sentence in sentences for word in sentence.words)
    if has_pairs:
        yield "text", (text for sentence in sentences for text in sentence.text_of_words)
    for name in labels:
        yield name, (value for sentence in sentences for value in sentence.labels[name] or (None,) * sentence.num_words)
    yield "flags", (int(flag) for sentence in sentences for flag in sentence.word_flags)


def _of_subwords(sentence: StoredSentence, of_words: Sequence[Any]) -> list[Any]:
    """Of each subword, what its first word has."""
    return [None if word is None else of_words[word] for word in sentence.word_of_subwords]


def _column(pa: Any, name: str, values: Iterable[Any], doing: str, is_number: bool) -> Any:
    """A column of text, or of whole numbers."""
    try:
        return pa.array(list(values), type=pa.int64() if is_number else pa.string())
    except UnicodeEncodeError as error:
        raise StoreError(
            f"{doing}: {error.object!r} in the column {name!r} has a lone surrogate, which parquet cannot hold; export to npz"
        ) from error


def _rows(store: Store, view: str, sentences: list[StoredSentence]) -> FloatArray:
    """The rows of consecutive sentences, one behind the other."""
    if not sentences:
        return store.matrix(view).read(0, 0)
    return store.matrix(view).read(store.rows(view, sentences[0]).start, store.rows(view, sentences[-1]).stop)


def _vectors(pa: Any, rows: FloatArray) -> Any:
    """Lists of fixed length, or lists of them, of an array of *shape* ``(num_rows[, num_layers], vector_size)``."""
    values = pa.array(np.ascontiguousarray(rows).reshape(-1))
    for size in reversed(rows.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    return values
