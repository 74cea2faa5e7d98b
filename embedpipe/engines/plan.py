"""What an extraction would read, store and take: counts, bytes, disk and time, before it is run."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import ReadLog, ViewInfo
from embedpipe.engines.calibration import EverySoMany, calibrate
from embedpipe.engines.disk import Space, measure_space
from embedpipe.engines.loading import load_in_outline
from embedpipe.engines.planned_time import PlannedTime
from embedpipe.engines.store_size import bytes_beside_vectors
from embedpipe.engines.survey import Survey, survey
from embedpipe.store import is_url
from embedpipe.subwords import WordTokenizer

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.encoders import ModelFiles
    from embedpipe.extraction import Embedder
    from embedpipe.job import Job
    from embedpipe.progress import Progress


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A view that would be stored.

    :param size_bytes: Of its vectors, exactly.
    """

    info: ViewInfo
    num_rows: int
    size_bytes: int


@dataclass(frozen=True)
class Plan:
    """What an extraction would do.

    :param source: Name of the config.
    :param path: Of the store, or its URL; ``None`` if neither the config nor the caller names one.
    :param encoder: The encoder's own description; without its weights, only what is known of it then.
    :param window: Subwords of a window, special ones not counted; ``None`` for no limit.
    :param surveyed: What the corpus has.
    :param survey: What is planned for: the same, or its projection to another number of sentences.
    :param beside_bytes: Text, ids, labels, alignment and provenance: an estimate, within 10 %.
    :param space: Of the store's disk; of the current folder's if ``path`` is ``None``.
    :param time: ``None`` if no rate is known.
    """

    source: str
    path: Path | str | None
    encoder: Mapping[str, Any]
    num_layers: int
    hidden_size: int
    window: int | None
    surveyed: Survey
    survey: Survey
    views: Mapping[str, PlannedView]
    beside_bytes: int
    space: Space
    time: PlannedTime | None

    @property
    def total_bytes(self) -> int:
        """What the store would take."""
        return sum(view.size_bytes for view in self.views.values()) + self.beside_bytes

    @property
    def is_projected(self) -> bool:
        """Whether another number of sentences is planned for than the corpus has."""
        return self.survey is not self.surveyed


def make_plan(
    config: LoadedConfig,
    path: str | os.PathLike[str] | None = None,
    *,
    num_sentences: int | None = None,
    device_rate: float | None = None,
    num_workers: int = 1,
    disk_bytes_per_second: float | None = None,
    calibrates: bool = True,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Plan:
    """Read the corpus once and work out what its extraction would be; nothing is written.

    The encoder's weights are loaded for the calibration only, if the type of encoder can say its shape without them.

    :param path: Of the store; left out: ``store.path`` of the config.
    :param num_sentences: Plan for a corpus of so many sentences of the same kind.
    :param device_rate: Subwords a second that a worker's device encodes, special ones and context counted; no calibration then.
    :param num_workers: Devices that share the work.
    :param disk_bytes_per_second: What the store's disk takes from all of them together.
    :param calibrates: Whether to time the encoder on this machine; without it and ``device_rate`` there is no time.
    :raises ConfigError: If a view asks for what the encoder does not have.
    :raises CorpusError: If a corpus file cannot be read.
    :raises EncoderError: If the model cannot be found, or loaded where its weights are needed.
    """
    job, files = config.job, config.job.encoder.find()
    embedder = load_in_outline(config, files)
    sample = EverySoMany()
    surveyed = survey(job.corpus, embedder, ReadLog(), on_sentence=sample.offer, on_progress=on_progress)
    planned = surveyed if num_sentences is None else surveyed.projected(num_sentences)
    rate = device_rate
    if rate is None and calibrates:
        embedder, rate = _rate(job, embedder, files, sample)
    views = {name: _planned_view(info, planned) for name, info in embedder.view_infos.items()}
    vector_bytes = sum(view.size_bytes for view in views.values())
    beside_bytes = bytes_beside_vectors(
        planned, vector_bytes, embedder.block_bytes, num_views=len(views), single_file=job.store.single_file
    )
    named = path if path is not None else job.store.path
    return Plan(
        source=config.source,
        path=None if named is None else str(named) if is_url(named) else Path(named),
        encoder=embedder.encoder.description,
        num_layers=embedder.encoder.num_layers,
        hidden_size=embedder.encoder.hidden_size,
        window=embedder.window_size.content,
        surveyed=surveyed,
        survey=planned,
        views=views,
        beside_bytes=beside_bytes,
        space=measure_space(named if named is not None else Path.cwd() / "store", vector_bytes + beside_bytes),
        time=None
        if rate is None
        else PlannedTime(
            reading_seconds=planned.seconds,
            encoding_seconds=planned.num_window_subwords / rate,
            subwords_per_second=rate,
            source="calibration" if device_rate is None else "device_rate",
            num_workers=num_workers,
            num_shards=math.ceil((vector_bytes + beside_bytes) / embedder.block_bytes),
            num_bytes=vector_bytes + beside_bytes,
            disk_bytes_per_second=disk_bytes_per_second,
        ),
    )


def _rate(job: Job, embedder: Embedder, files: ModelFiles, sample: EverySoMany) -> tuple[Embedder, float | None]:
    """Load the weights, and time them on the sample."""
    if hasattr(job.encoder, "outline"):
        embedder = replace(embedder, encoder=job.encoder.load(files))
    if (vocabulary := getattr(embedder.encoder, "vocabulary", None)) is None:
        return embedder, calibrate(embedder, sample.sentences)
    # What the outline's vocabulary made of words, this encoder need not know.
    embedder = replace(embedder, tokenizer=WordTokenizer(vocabulary))
    sentences = (each.subwords.sentence for each in sample.sentences)
    subwords = embedder.tokenizer.tokenize(sentences, joined=embedder.context.joined)
    windowed = embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special)
    return embedder, calibrate(embedder, list(windowed))


def _planned_view(info: ViewInfo, survey: Survey) -> PlannedView:
    num_rows = survey.num_rows(info.unit)
    return PlannedView(info, num_rows, num_rows * math.prod(info.row_shape) * np.dtype(info.dtype).itemsize)
