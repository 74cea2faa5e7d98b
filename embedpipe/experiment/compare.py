"""The comparison, from beginning to end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from embedpipe.downstream.selection import known_sizes
from embedpipe.errors import ConfigError, StoreError
from embedpipe.experiment import summary
from embedpipe.experiment.baselines import baselines
from embedpipe.experiment.choices import expand
from embedpipe.experiment.disagreements import disagreements
from embedpipe.experiment.evaluation import confusions, evaluate, paired, rows
from embedpipe.experiment.features import extract_all, requests
from embedpipe.experiment.labelled import read_labelled, require_same_sentences
from embedpipe.experiment.maps import word_maps
from embedpipe.experiment.results import Results
from embedpipe.experiment.results_file import read_results, write_csv, write_results, write_timings
from embedpipe.experiment.run_files import RunFolder
from embedpipe.experiment.runs import all_runs
from embedpipe.experiment.tasks import task_settings
from embedpipe.experiment.training import train_all
from embedpipe.store.format import LOCK
from embedpipe.store.lock import WriterLock, find_writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedpipe.experiment.choices import Choice
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.features import Extract, OnProgress, Stores
    from embedpipe.experiment.maps import StaticVectors
    from embedpipe.experiment.results import Timings

RESULTS, RUNS_CSV, TIMINGS = "results.json", "results.csv", "timings.json"


def compare(
    comparison: Comparison,
    folder: Path,
    *,
    extract: Extract,
    on_progress: OnProgress | None = None,
    provenance: Mapping[str, Any] | None = None,
    static_vectors: StaticVectors | None = None,
    num_workers: int = 1,
) -> Results:
    """Extract once, train and test every choice, and say which is best.

    Whatever ends it, the same call goes on where it was: stores, finished runs and the state of an unfinished one are in
    ``folder``. ``results.json`` is the same, byte for byte, however often it was interrupted.

    :param folder: Is made if it is not there: ``features/``, ``runs/``, ``results.json``, ``results.csv``, ``timings.json``.
    :param extract: Makes the store of a request, or finds it finished, and opens it.
    :param on_progress: Called with stage, steps done, steps in all and what is on.
    :param provenance: Plain JSON that goes into the results; nothing that changes from run to run.
    :param static_vectors: Gives the vectors of words before any context, for the maps.
    :param num_workers: How many runs are trained at once, each in a process of its own if more than one. That changes no byte
        of the results as long as each has the same number of threads: see
        :func:`~embedpipe.experiment.workers.train_at_once`.
    :raises ConfigError: If an encoder has too few layers for a choice.
    :raises FeaturesError: If the data has not what the task needs.
    :raises StoreError: If the folder cannot be written, or another comparison is at work there.
    :raises EmbedpipeError: If a process that trained was killed; the other runs are kept.
    """
    report = on_progress or _silent
    with ExitStack() as stack:
        _make_folders(folder)
        _lock(folder, stack)
        stores = extract_all(requests(comparison, folder / "features"), extract, report, stack)
        first = next(iter(stores.values()))
        labelled = read_labelled(comparison.task, comparison.splits, first)
        for other in stores.values():
            require_same_sentences(comparison.task, first, other)
        choices, notes = _expand(comparison, stores)
        maps, map_notes = word_maps(comparison, labelled, stores, static_vectors)
        runs = all_runs(comparison, labelled, stores, choices)
        records = train_all(runs, labelled, RunFolder(folder / "runs"), report, num_workers=num_workers)
        entries = evaluate(runs, records, labelled, report)
        results = Results(
            title=comparison.title,
            metric=comparison.task.metric,
            task=task_settings(comparison.task),
            tags=labelled.all_tags,
            splits=summary.describe_splits(comparison, labelled, stores),
            encoders=summary.describe_encoders(comparison, stores),
            choices=summary.describe_choices(comparison, stores, choices),
            rows=rows(entries, comparison.task.metric),
            runs=summary.run_results(runs, records),
            paired=paired(entries),
            confusions=confusions(entries, labelled),
            disagreements=disagreements(entries, labelled, stores),
            maps=maps,
            provenance=dict(provenance or {}),
            baselines=baselines(labelled, first),
            notes=(*labelled.notes, *notes, *map_notes),
        )
        return _write(results, summary.timings(stores, records), folder)


def _silent(stage: str, done: int, total: int, label: str) -> None:
    """Report nothing."""


def _make_folders(folder: Path) -> None:
    try:
        for name in ("features", "runs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write the comparison into {folder}: {error.strerror}. Choose another folder.") from error


def _lock(folder: Path, stack: ExitStack) -> None:
    """Keep a second comparison out of the folder: both would train the same."""
    try:
        lock = WriterLock(folder / LOCK, folder)
    except StoreError:
        raise StoreError(
            f"cannot write the comparison into {folder}: {find_writer(folder) or 'another process'} is at work there. Wait "
            "for it to end, or choose another folder."
        ) from None
    stack.callback(lock.release)


def _expand(comparison: Comparison, stores: Stores) -> tuple[dict[str, tuple[Choice, ...]], list[str]]:
    """The choices of each encoder, and what is left out of them."""
    choices: dict[str, tuple[Choice, ...]] = {}
    notes: list[str] = []
    for encoder in comparison.encoders:
        store = summary.any_store(stores, encoder)
        num_layers, sizes = len(next(iter(store.views.values())).layers) - 1, known_sizes(store.provenance)
        choices[encoder], lacking = expand(comparison.choices, comparison.more_choices, num_layers, encoder, sizes)
        notes += lacking
    mixed = {choice.name: None for found in choices.values() for choice in found if choice.kind == "learned_mix"}
    for name, head in comparison.heads.items():
        if mixed and not head.learns_mix:
            if all(choice.name in mixed for found in choices.values() for choice in found):
                raise ConfigError("the config", [f"choices: all are learned mixes, which the head {name!r} cannot train."])
            notes.append(f"The head {name!r} cannot train a mix of layers and has no line for {', '.join(mixed)}.")
    if comparison.fine_tune is not None and comparison.task.kind == "word_sense":
        notes.append("Fine-tuning tells a sense from the senses of all lemmas, not only from those of its own.")
    return choices, notes


def _write(results: Results, timings: Timings, folder: Path) -> Results:
    """Write the files; what is returned is what was written."""
    try:
        write_csv(results, folder / RUNS_CSV)
        write_timings(timings, folder / TIMINGS)
        write_results(results, folder / RESULTS)
    except OSError as error:
        raise StoreError(
            f"cannot write the results into {folder}: {error.strerror}. Every run is kept; run the same command again to go on."
        ) from error
    return read_results(folder / RESULTS)
