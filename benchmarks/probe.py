"""Which view serves a label best? One logistic regression a view, trained on a store, in one table.

::

    python benchmarks/probe.py TRAIN_STORE [TEST_STORE] [--label ner] [--views last sum_last_four] [--json probe.json]

Without a test store, whole documents are held out, the same ones for every view. Labels of words are probed with word views,
labels of sentences with sentence views. For labels in BIO, entities count only where span and type are exact (strict IOB2).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import embedpipe
from embedpipe.downstream import StoreFeatures
from embedpipe.downstream.metrics import is_bio, score_tags
from embedpipe.layers import Layer

if TYPE_CHECKING:
    import pandas as pd

    from embedpipe import Store

MAX_CLASSES = 100
"""Labels with more values (lemmas, say) are probed only if they are named."""
LOGISTIC_REGRESSION = {"C": 0.1, "tol": 1e-3, "max_iter": 200}
"""62,730 words of 384 numbers, 13 classes: 19 iterations, 2.3 s on one core. With a tol of 1e-4 it is 51, for the same F1."""


@dataclass(frozen=True)
class Split:
    """The rows to train on and to test on, for one label.

    :param column: The label's column in both frames.
    """

    column: str
    unit: str
    train_store: Store
    train: pd.DataFrame
    test_store: Store
    test: pd.DataFrame


@dataclass(frozen=True)
class Result:
    """One line of the table. Precision, recall and F1 are of entities, ``None`` where the labels are not BIO."""

    view: str
    unit: str
    vector_size: int
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None
    seconds: float


def runs(frame: pd.DataFrame, tags: Sequence[str]) -> list[list[str]]:
    """The tags of words that follow each other in a sentence."""
    is_new = (frame["sentence_id"].astype(str).ne(frame["sentence_id"].astype(str).shift())) | frame["row"].diff().ne(1)
    starts = np.flatnonzero(is_new.to_numpy())
    return [list(part) for part in np.split(np.asarray(tags, dtype=object), starts[1:])]


def label_columns(frame: pd.DataFrame, unit: str) -> list[str]:
    columns = list(frame.columns)
    return columns[columns.index("word" if unit == "word" else "num_subwords") + 1 : -1]  # the last one is "flags"


def splits(train: Store, test: Store | None, label: str | None, test_fraction: float) -> Iterator[Split]:
    """The label that is asked for, or every one that the store has."""
    frames = {"word": train.words_frame(), "sentence": train.sentences_frame()}
    known = {column: unit for unit, frame in frames.items() for column in label_columns(frame, unit)}
    if label is not None and label not in known:
        raise SystemExit(f"{train.path} has no label {label!r}. It has: {', '.join(known) or 'none'}.")
    for column, unit in known.items():
        frame = labelled(frames[unit], column)
        num_classes = frame[column].nunique()
        if label not in (None, column):
            continue
        if num_classes < 2 or (label is None and num_classes > MAX_CLASSES):
            print(f"{column}: left out, it has {num_classes} values\n")
            continue
        if test is None:
            kept, held_out = by_document(frame, test_fraction)
            yield Split(column, unit, train, kept, train, held_out)
        else:
            other = test.words_frame() if unit == "word" else test.sentences_frame()
            if column not in other.columns:
                raise SystemExit(f"{test.path} has no label {column!r}, which {train.path} has.")
            yield Split(column, unit, train, frame, test, labelled(other, column))


def labelled(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows that have the label, as plain strings."""
    return frame[frame[column].notna()].assign(**{column: lambda rows: rows[column].astype(object)})


def by_document(frame: pd.DataFrame, test_fraction: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold whole documents out; sentences, where there is only one document."""
    group = "document" if frame["document"].nunique() > 1 else "sentence_id"
    if frame[group].nunique() < 2:
        raise SystemExit("one sentence alone cannot be split; give a test store.")
    splitter = GroupShuffleSplit(1, test_size=test_fraction, random_state=0)
    train, test = next(splitter.split(frame, groups=frame[group].astype(str)))
    return frame.iloc[train], frame.iloc[test]


def candidates(split: Split, views: Sequence[str] | None) -> Iterator[tuple[str, StoreFeatures, StoreFeatures]]:
    """Each view of the label's unit; each layer of a stacked view, if the view is named."""
    for name, info in split.train_store.views.items():
        is_chosen = name in views if views else not info.stacked
        if info.unit != split.unit or not is_chosen:
            continue
        other = split.test_store.views.get(name)
        if other is None or (other.vector_size, other.layers, other.pooling) != (info.vector_size, info.layers, info.pooling):
            raise SystemExit(
                f"view {name!r} of {split.train_store.path} is not in {split.test_store.path}, or is another there."
            )
        for layer in info.layers if info.stacked else (None,):
            shown, layers = (name, None) if layer is None else (f"{name}, layer {layer}", Layer(layer))
            yield shown, StoreFeatures(split.train_store, name, layers), StoreFeatures(split.test_store, name, layers)


def probe(split: Split, view: str, train: StoreFeatures, test: StoreFeatures) -> Result:
    """Train on one view and test it."""
    started = time.perf_counter()
    vectors = train.transform(split.train)
    gold = split.test[split.column].tolist()
    model: Pipeline = make_pipeline(StandardScaler(copy=False), LogisticRegression(**LOGISTIC_REGRESSION))
    # One thread: for matrices of this size it is as fast as two, and ten times as fast where other processes want the cores.
    with threadpool_limits(1):
        model.fit(vectors, split.train[split.column].tolist())
        predicted = model.predict(test.transform(split.test)).tolist()
    accuracy = float(np.mean([one == other for one, other in zip(gold, predicted, strict=True)]))
    precision = recall = f1 = None
    if split.unit == "word" and is_bio(split.train[split.column]):
        scores = score_tags(runs(split.test, gold), runs(split.test, predicted), set(split.train[split.column]))
        precision, recall, f1 = scores["precision"], scores["recall"], scores["f1"]
    seconds = time.perf_counter() - started
    return Result(view, split.unit, vectors.shape[1], accuracy, precision, recall, f1, seconds)


def heading(split: Split) -> str:
    counts = split.test[split.column].value_counts()
    train, test = (f"{len(frame):,} {split.unit}s ({documents(frame)})" for frame in (split.train, split.test))
    return (
        f"{split.column}: {train} to train, {test} to test; {split.train[split.column].nunique()} classes, "
        f"{counts.index[0]!r} is right in {counts.iloc[0] / len(split.test):.1%}"
    )


def documents(frame: pd.DataFrame) -> str:
    num_documents = frame["document"].nunique()
    return "1 document" if num_documents == 1 else f"{num_documents:,} documents"


def table(results: Sequence[Result]) -> Iterator[str]:
    """The lines of the table, the entity columns only where there are entities."""
    width = max(len("view"), *(len(result.view) for result in results))
    has_entities = any(result.f1 is not None for result in results)
    columns = ["accuracy", *(["precision", "recall", "F1"] if has_entities else [])]
    yield f"{'view':{width}}  {'unit':8}  {'size':>5}  {''.join(f'{column:>9}  ' for column in columns)}{'seconds':>7}"
    for result in results:
        scores = [result.accuracy, *([result.precision, result.recall, result.f1] if has_entities else [])]
        shown = "".join(f"{score:9.4f}  " for score in scores if score is not None)
        yield f"{result.view:{width}}  {result.unit:8}  {result.vector_size:>5}  {shown}{result.seconds:7.1f}"


def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Probe and print label by label."""
    train = embedpipe.open_store(arguments.train_store)
    test = embedpipe.open_store(arguments.test_store) if arguments.test_store else None
    for view in arguments.views or ():
        train.matrix(view)  # an unknown view is an error that lists the views
    report = []
    for split in splits(train, test, arguments.label, arguments.test_fraction):
        if not (chosen := list(candidates(split, arguments.views))):
            print(f"{split.column}: left out, there is no {split.unit} view to probe it with\n")
            continue
        print(heading(split), flush=True)
        results = [probe(split, *candidate) for candidate in chosen]
        print("\n".join(table(results)), end="\n\n", flush=True)
        sizes = {"num_train": len(split.train), "num_test": len(split.test)}
        report.append({"label": split.column, **sizes, "views": [asdict(result) for result in results]})
    return report


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train_store", type=Path, help="store to train on")
    parser.add_argument("test_store", type=Path, nargs="?", help="store to test on; left out: documents of the first one")
    parser.add_argument("--label", help="left out: every label")
    parser.add_argument("--views", nargs="+", metavar="VIEW", help="left out: all that are not stacked")
    parser.add_argument("--test-fraction", type=float, default=0.25, help="of the documents, if there is no test store")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.test_fraction < 1:
        parser.error("--test-fraction: must lie between 0 and 1")
    try:
        report = run(arguments)
    except embedpipe.EmbedpipeError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps({"settings": LOGISTIC_REGRESSION, "labels": report}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
