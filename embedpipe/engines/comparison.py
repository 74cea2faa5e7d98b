"""A comparison at work: its features come from the engine, what it has found goes into files and a report."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedpipe import __version__
from embedpipe.config import Loaded, resolved
from embedpipe.config.load import GIVEN_AS_DICT
from embedpipe.engines.run import run
from embedpipe.engines.static_vectors import StaticVectors
from embedpipe.experiment.compare import compare
from embedpipe.job import Job
from embedpipe.store import Store, StoreSettings, open_store

if TYPE_CHECKING:
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.features import ExtractionRequest, OnProgress
    from embedpipe.experiment.results import Results
    from embedpipe.progress import Progress


def run_comparison(
    config: Loaded[Comparison],
    folder: Path,
    *,
    on_step: OnProgress | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    num_workers: int = 1,
) -> Results:
    """Extract, train and test; see :func:`embedpipe.experiment.compare.compare`.

    :param on_step: Called between steps; ``on_progress`` after each batch of an extraction.
    :param num_workers: How many runs are trained at once; no part of the config, and of no effect on the results.
    """

    def extract(request: ExtractionRequest) -> Store:
        job = Job(
            corpus=request.corpus,
            encoder=request.encoder,
            views=request.views,
            context=request.context,
            batching=request.batching,
            store=StoreSettings(dtype=request.dtype),
        )
        source = f"{config.source} ({request.name})"
        run(Loaded(job, resolved(job), source), request.path, on_progress=on_progress or (lambda progress: None))
        return open_store(request.path)

    return compare(
        config.job,
        folder,
        extract=extract,
        on_progress=on_step,
        provenance={"command": _command(config.source), "config": config.resolved, "versions": _versions()},
        static_vectors=StaticVectors(config.job.encoders),
        num_workers=num_workers,
    )


def _command(source: str) -> str:
    """What was called, without the folders of this machine; the whole config is in the provenance, too."""
    return "embedpipe.compare({...})" if source == GIVEN_AS_DICT else f"embedpipe compare {Path(source).name}"


def _versions() -> dict[str, Any]:
    """What trained the models; the stores say what computed the vectors."""
    import numpy as np
    import sklearn
    import torch

    return {
        "embedpipe": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }
