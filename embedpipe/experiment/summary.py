"""All that a comparison has found, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.downstream.metrics import entities
from embedpipe.downstream.selection import known_sizes
from embedpipe.experiment.choices import FINE_TUNED, PAPER, READINGS
from embedpipe.experiment.results import ChoiceInfo, RunResult, SplitInfo, Timings
from embedpipe.experiment.run import fingerprint_of

if TYPE_CHECKING:
    from embedpipe.experiment.choices import Choice
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.features import Stores
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.experiment.run import Run
    from embedpipe.experiment.run_files import RunRecord
    from embedpipe.store import Store


def describe_encoders(comparison: Comparison, stores: Stores) -> dict[str, dict[str, Any]]:
    """What the stores say of each encoder; nothing of the machine that it ran on."""
    described = {}
    for name in comparison.encoders:
        store = any_store(stores, name)
        info = next(iter(store.views.values()))
        provenance = store.provenance
        said = provenance.get("encoder", {})
        described[name] = {
            "model": said.get("model"),
            "architecture": said.get("architecture"),
            "num_layers": len(info.layers) - 1,
            "hidden_size": info.vector_size,
            "num_parameters": said.get("num_parameters"),
            "precision": said.get("precision"),
            "weights": provenance.get("inputs", {}).get("model", {}),
        }
    return described


def describe_choices(
    comparison: Comparison, stores: Stores, choices: Mapping[str, tuple[Choice, ...]]
) -> dict[str, tuple[ChoiceInfo, ...]]:
    """What each choice is and takes, for each encoder."""
    described = {}
    for encoder, of_encoder in choices.items():
        of_corpora = next(found for (name, _), found in stores.items() if name == encoder)
        view = comparison.pooling_names(encoder)[0]
        store = any_store(stores, encoder)
        info = store.views[view]
        num_rows = sum(each.matrix(view).shape[0] for each in of_corpora.values())
        num_bytes = np.dtype(info.dtype).itemsize
        num_layers = len(info.layers) - 1
        sizes = known_sizes(store.provenance) or (info.vector_size,) * (num_layers + 1)
        made = [_choice_info(choice, sizes, num_bytes, num_rows) for choice in of_encoder]
        if comparison.fine_tune is not None:
            layers = tuple(range(num_layers + 1))
            made.append(ChoiceInfo(FINE_TUNED, FINE_TUNED, layers, None, 0, 0, 0, *PAPER[FINE_TUNED]))
        described[encoder] = tuple(made)
    return described


def describe_splits(comparison: Comparison, labelled: Labelled, stores: Stores) -> tuple[SplitInfo, ...]:
    """Size and origin of each part."""
    first = next(iter(stores.values()))
    return tuple(_split_info(name, comparison, labelled, first[part.corpus], stores) for name, part in labelled.parts.items())


def run_results(runs: Sequence[Run], records: Mapping[str, RunRecord]) -> tuple[RunResult, ...]:
    """What each run has reached; those that share a key, under each of their names."""
    return tuple(
        RunResult(
            run.key,
            run.encoder,
            run.context,
            run.pooling,
            run.choice,
            run.head,
            run.seed,
            (record := records[run.key]).dev,
            record.test,
            record.per_type,
            record.best_epoch,
            record.mix,
        )
        for run in runs
    )


def timings(stores: Stores, records: Mapping[str, RunRecord]) -> Timings:
    """What extraction and training took."""
    extraction = {
        f"{encoder}/{context}/{corpus}": _extraction_time(store)
        for (encoder, context), of_corpora in stores.items()
        for corpus, store in of_corpora.items()
    }
    provenance = next(iter(next(iter(stores.values())).values())).provenance
    machine = dict(provenance.get("machine", {})) | {"device": provenance.get("encoder", {}).get("device_name")}
    return Timings(extraction, {key: record.seconds for key, record in records.items()}, machine)


def any_store(stores: Stores, encoder: str) -> Store:
    """A store of an encoder."""
    return next(iter(next(found for (name, _), found in stores.items() if name == encoder).values()))


def _choice_info(choice: Choice, layer_sizes: Sequence[int], num_bytes: int, num_rows: int) -> ChoiceInfo:
    bytes_per_row = choice.num_values(layer_sizes) * num_bytes
    paper_name, paper_score = PAPER.get(choice.name, (None, None))
    return ChoiceInfo(
        choice.name,
        choice.kind,
        choice.layers,
        choice.layers[0] if choice.kind == "layer" else None,
        choice.vector_size(layer_sizes),
        bytes_per_row,
        bytes_per_row * num_rows,
        paper_name,
        paper_score,
        READINGS.get(choice.name),
    )


def _split_info(name: str, comparison: Comparison, labelled: Labelled, store: Store, stores: Stores) -> SplitInfo:
    part, gold = labelled.parts[name], labelled.gold[name]
    offsets = store.offsets("word")
    documents = store.sentences_frame()["document"].iloc[part.sentences]
    num_entities = sum(len(entities(tags)) for tags in gold) if labelled.task.metric == "f1" else None
    return SplitInfo(
        name,
        int(documents.nunique()),
        len(part.sentences),
        int(np.diff(offsets)[part.sentences].sum()),
        sum(tag is not None for tag in chain(*gold)),
        num_entities,
        tuple(file.name for file in comparison.splits.corpora[part.corpus].files),
        {f"{encoder}/{context}": fingerprint_of(found[part.corpus]) for (encoder, context), found in stores.items()},
    )


def _extraction_time(store: Store) -> dict[str, float]:
    run = store.provenance.get("run", {})
    times = {name: float(run[name]) for name in ("seconds", "words_per_second") if name in run}
    return times | {"words": float(store.num_words), "bytes": float(store.size_bytes)}
