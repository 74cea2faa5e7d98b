"""The functions that ``import embedpipe`` offers; the command line calls the same ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from embedpipe.config import Loaded, LoadedConfig, load_config, load_config_of, with_engine
from embedpipe.dataflow import Corpus
from embedpipe.engines import run
from embedpipe.errors import ConfigError
from embedpipe.store import Mirror, Store, is_url, open_store

if TYPE_CHECKING:
    from embedpipe.downstream import NerTagger
    from embedpipe.downstream.heads import OnEpoch
    from embedpipe.experiment.results import Results
    from embedpipe.extraction import Embedder
    from embedpipe.progress import Progress

Config: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | LoadedConfig"
"""A path, a dict with the same keys, or a config that is loaded already."""


def extract(
    config: Config,
    output: str | os.PathLike[str] | None = None,
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
    restart: bool = False,
    append: bool = False,
    engine: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Store:
    """Run a corpus through an encoder once and store the views.

    If the finished store of the same config, corpus and weights is there already, nothing is computed again.

    :param output: Where the store goes; left out: ``store.path`` of the config. A URL such as ``s3://bucket/features.h5`` is
        written to through a folder of this machine, in ``$XDG_CACHE_HOME``.
    :param overrides: As ``--overrides``: JSON or a mapping; dotted keys reach in.
    :param ext_vars: As ``--ext-var``: external variables of jsonnet.
    :param include_packages: As ``--include-package``: packages that register components of their own.
    :param restart: Replace a store that is there.
    :param append: If the finished store of the same model and settings is there, and sentences were added at the end of its
        corpus since, add their vectors to it; readers have the store as it was until they are all there. Without, and where
        anything else has changed, another store is an error.
    :param engine: Where the shards are made: ``"local"`` or ``"ray"``; left out: ``engine.type`` of the config.
    :param workers: How many make shards at the same time; left out: ``engine.workers`` of the config.
    :param address: Of a Ray cluster; left out: ``engine.address`` of the config, or a Ray that is started here for the run.
    :param on_progress: Called after every batch.
    :returns: The store, open for reading.
    :raises ConfigError: If the config is wrong.
    :raises CorpusError: If a corpus file is; nothing is stored then.
    :raises EncoderError: If the model cannot be found, loaded or run.
    :raises NonFiniteError: If a vector does not fit the store's dtype.
    :raises StoreError: If the store cannot be written, or another one is at its path.
    :raises ValueError: If both ``restart`` and ``append`` are asked for.
    """
    if restart and append:
        raise ValueError("restart, append: a store is either replaced or added to; ask for one of them")
    loaded = _load(config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    path = output if output is not None else loaded.job.store.path
    if path is None:
        raise ConfigError(loaded.source, ["store.path: is required; name a file, or give it as --output"])
    loaded = with_engine(loaded, engine, workers=workers, address=address)
    on_progress = on_progress or (lambda progress: None)
    if not is_url(path):
        run(loaded, path, restart=restart, append=append, on_progress=on_progress)
    else:
        with Mirror(str(path), restart=restart) as mirror:
            if run(loaded, mirror.path, restart=restart, append=append, on_progress=on_progress, mirror=mirror):
                mirror.publish()
    return open_store(path)


def compare(
    config: str | os.PathLike[str] | Mapping[str, Any],
    output: str | os.PathLike[str],
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
    workers: int = 1,
    on_step: Callable[[str, int, int, str], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Results:
    """Find out which vectors are best for a task: extract once, train on every choice, test, report.

    Features and finished runs are kept: the same call goes on where it was interrupted, and one with a changed config does
    again only what has changed.

    :param config: Of a comparison: see ``embedpipe components comparison``.
    :param output: A folder, for ``results.json``, ``results.csv``, ``timings.json`` and ``report.html``.
    :param workers: How many models are trained at once. More than one train in processes of their own, each with its share of
        the cores and with memory for its own vectors; a script then calls this under ``if __name__ == "__main__":``. With
        another number of threads, sums are rounded otherwise: where ``OMP_NUM_THREADS`` is set, each process has so many, and
        the results are the same, byte for byte, whatever the number of workers.
    :param on_step: Called between steps with stage, steps done, steps in all, and what is on.
    :param on_progress: Called after every batch of an extraction.
    :returns: What ``results.json`` holds.
    :raises ConfigError: If the config is wrong, or an encoder has not the layers of a choice.
    :raises FeaturesError: If the data has not what the task needs.
    :raises EmbedpipeError: As :func:`extract` does, and if a worker was killed; what the others have finished is kept.
    :raises ValueError: If there is to be no worker.
    """
    if workers < 1:
        raise ValueError(f"workers: got {workers}; at least one must train")
    from embedpipe.engines.comparison import run_comparison
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.results_file import read_timings
    from embedpipe.report import write_report

    folder = Path(output)
    loaded = load_config_of(Comparison, config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    results = run_comparison(loaded, folder, on_step=on_step, on_progress=on_progress, num_workers=workers)
    write_report(results, read_timings(folder / "timings.json"), folder / "report.html")
    return results


def train(
    config: str | os.PathLike[str] | Mapping[str, Any],
    output: str | os.PathLike[str],
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
    on_epoch: OnEpoch | None = None,
) -> tuple[NerTagger, dict[str, float] | None]:
    """Train a tagger on a store and save it. An interrupted training is gone on with by the same call.

    :param config: Of a training: see ``embedpipe components tagger``.
    :param output: The folder of the tagger; :meth:`embedpipe.downstream.NerTagger.load` reads it.
    :returns: The tagger, and its scores on the test store if there is one.
    :raises ConfigError: If the config is wrong.
    :raises FeaturesError: If a store has not the vectors or labels, or there is nothing to learn.
    :raises StoreError: If a store cannot be read.
    :raises ModelError: If the tagger cannot be saved.
    """
    from embedpipe.downstream.ner.job import TaggerJob

    folder = Path(output)
    loaded = load_config_of(TaggerJob, config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    job = loaded.job
    tagger = job.tagger().fit(job.train, job.dev, on_epoch=on_epoch, checkpoint=folder.with_name(f"{folder.name}.checkpoint"))
    scores = None if job.test is None else tagger.evaluate(job.test)
    tagger.save(folder)
    return tagger, scores


def corpus_of(type: str, path: str, overrides: str | None = None, *, fields: Mapping[str, Any] | None = None) -> Corpus:
    """A reader with its defaults, as a config that names its type and path would give it.

    :param fields: Others that such a config would give.
    :param overrides: As everywhere; its fields are ``corpus.word_column`` and so on.
    :raises ConfigError: If there is no such type, or a field is wrong.
    """
    return load_config_of(_Input, {"corpus": {"type": type, "path": path, **(fields or {})}}, overrides=overrides).job.corpus


@dataclass(frozen=True)
class _Input:
    corpus: Corpus


def load_embedder(config: Config) -> Embedder:
    """Load what a config names, to embed sentences in memory without a store.

    :raises ConfigError: If the config is wrong.
    :raises EncoderError: If the model cannot be found or loaded.
    """
    return _load(config).job.load()


def takes_pairs(config: Config) -> bool:
    """Whether the corpus of a config has pairs of texts: names a second one in its ``second``.

    :raises ConfigError: If the config is wrong.
    """
    return getattr(_load(config).job.corpus, "second", None) is not None


def _load(config: Config, **settings: Any) -> LoadedConfig:
    return config if isinstance(config, Loaded) else load_config(config, **settings)
