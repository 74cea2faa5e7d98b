"""The vectors that a comparison is made on: every layer of every encoder, extracted once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from embedpipe.layers import Stack
from embedpipe.views import View

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.batching import Batching
    from embedpipe.dataflow import Corpus
    from embedpipe.experiment.comparison import Comparison
    from embedpipe.job import EncoderSettings
    from embedpipe.store import Store
    from embedpipe.subwords import Context

MAP_VIEW = "map"
"""The view of words that maps are drawn of where the label is one of sentences."""

OnProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Called with the stage (``"extract"``, ``"train"``, ``"evaluate"``), how many of its steps are done, how many there are, and
what is on."""


@dataclass(frozen=True)
class ExtractionRequest:
    """An extraction that a comparison needs.

    :param encoder_name: As the comparison has it; so are ``context_name`` and ``corpus_name``.
    :param views: By name, stacks of all layers.
    :param path: Where the store is to be.
    """

    encoder_name: str
    context_name: str
    corpus_name: str
    encoder: EncoderSettings
    context: Context
    corpus: Corpus
    views: Mapping[str, View]
    batching: Batching
    dtype: Literal["float32", "float16"]
    path: Path

    @property
    def name(self) -> str:
        """``"minilm/sentence/train"``."""
        return f"{self.encoder_name}/{self.context_name}/{self.corpus_name}"


Extract: TypeAlias = "Callable[[ExtractionRequest], Store]"
"""Makes a store, goes on with an unfinished one, or finds that it is there; and opens it."""

Stores: TypeAlias = "Mapping[tuple[str, str], Mapping[str, Store]]"
"""By encoder and context, and then by corpus."""


def requests(comparison: Comparison, folder: Path) -> list[ExtractionRequest]:
    """All extractions, those of one encoder after each other."""
    return [
        ExtractionRequest(
            encoder_name,
            context_name,
            corpus_name,
            encoder,
            context,
            corpus,
            _views(comparison, encoder_name),
            comparison.batching,
            comparison.dtype,
            folder / f"{encoder_name}.{context_name}.{corpus_name}.h5",
        )
        for encoder_name, encoder in comparison.encoders.items()
        for context_name, context in comparison.contexts.items()
        for corpus_name, corpus in comparison.splits.corpora.items()
    ]


def _views(comparison: Comparison, encoder: str) -> dict[str, View]:
    unit = comparison.task.unit
    views: dict[str, View] = {pooling: View(Stack(), unit, pooling) for pooling in comparison.pooling_names(encoder)}
    if comparison.maps and unit == "sentence":
        views[MAP_VIEW] = View(Stack(), "word")
    return views


def extract_all(wanted: list[ExtractionRequest], extract: Extract, on_progress: OnProgress, stack: ExitStack) -> Stores:
    """Extract what is not there yet.

    :param stack: Closes the stores.
    """
    stores: dict[tuple[str, str], dict[str, Store]] = {}
    for number, request in enumerate(wanted):
        on_progress("extract", number, len(wanted), request.name)
        store = stack.enter_context(extract(request))
        stores.setdefault((request.encoder_name, request.context_name), {})[request.corpus_name] = store
    on_progress("extract", len(wanted), len(wanted), "")
    return stores
