"""How many subwords an encoder takes at a time, where that is to be found out: the budget that is fastest here, measured once.

It is settled before a run has an identity, so that a store says which it was, and whoever goes on with it takes the same.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedpipe.batching import Batching
from embedpipe.config import Loaded, resolved
from embedpipe.dataflow import ReadLog
from embedpipe.engines.calibration import window_subwords
from embedpipe.engines.loading import load
from embedpipe.errors import ConfigError
from embedpipe.job import Ray

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.dataflow import Corpus, WindowedSentence
    from embedpipe.extraction import Embedder

_BUDGETS: tuple[int, ...] = tuple(2**power for power in range(9, 18))  # 512 to 131,072
_SENTENCES = 8192
_SECONDS = 1.0
"""That the sample takes, about; with each budget that is tried, twice."""
_WORTH_IT = 0.97
"""A larger budget takes more memory, and is chosen only if it takes at most so much of the time."""


def with_budget(config: LoadedConfig, identity: Callable[[], Mapping[str, Any] | None]) -> LoadedConfig:
    """The same config with a number in the place of ``"auto"``.

    :param identity: Looks for the identity of what is there already, finished or not, whose number is taken. Where there is
        none, it is measured.
    :raises ConfigError: If the work is done elsewhere.
    :raises CorpusError: If the corpus cannot be read.
    :raises EncoderError: If the model cannot be found, loaded or run.
    """
    if config.job.batching.budget_subwords != "auto":
        return config
    budget = (identity() or {}).get("config", {}).get("batching", {}).get("budget_subwords")
    if type(budget) is not int:
        if isinstance(config.job.engine, Ray):
            mistake = "batching.budget_subwords: 'auto' is measured here, and the engine ray works elsewhere; give a number"
            raise ConfigError(config.source, [mistake])
        budget = measured_budget(load(config), config.job.corpus)
    job = replace(config.job, batching=Batching(budget))
    return Loaded(job, resolved(job), config.source)


def measured_budget(embedder: Embedder, corpus: Corpus) -> int:
    """Time the first sentences of a corpus in batches of several sizes, from small to large as long as it helps.

    :returns: The budget of the fastest, in subwords; the smaller one of two that are about as fast.
    :raises CorpusError: If the corpus cannot be read.
    :raises EncoderError: If the encoder cannot take a sentence.
    """
    sample = _first_sentences(embedder, corpus)
    if not sample:
        return _BUDGETS[0]
    sample = sample[: _as_many_as_take(_SECONDS, _with(embedder, _BUDGETS[0]), sample)]
    num_subwords = sum(map(window_subwords, sample))
    best, best_seconds, in_vain = _BUDGETS[0], float("inf"), 0
    for budget in _BUDGETS:
        candidate = _with(embedder, budget)
        if in_vain == 2 or (budget > _BUDGETS[0] and budget * candidate.num_threads > num_subwords):
            break
        seconds = min(_seconds(candidate, sample) for _ in range(2))
        if seconds < best_seconds * _WORTH_IT:
            best, best_seconds, in_vain = budget, seconds, 0
        else:
            in_vain += 1
    return best


def _with(embedder: Embedder, budget: int) -> Embedder:
    return replace(embedder, batching=Batching(budget))


def _first_sentences(embedder: Embedder, corpus: Corpus) -> Sequence[WindowedSentence]:
    sentences = itertools.islice(corpus.sentences(ReadLog()), _SENTENCES)
    return next(embedder.windowed_blocks(sentences), [])


def _as_many_as_take(seconds: float, embedder: Embedder, sample: Sequence[WindowedSentence]) -> int:
    """How many sentences are embedded in about so much time; found by ever more of them, which also warms the encoder up."""
    number = min(16, len(sample))
    while number < len(sample):
        took = _seconds(embedder, sample[:number])
        if took > seconds / 2:
            return max(number, int(number * seconds / took))
        number = min(len(sample), number * 4)
    return number


def _seconds(embedder: Embedder, sample: Sequence[WindowedSentence]) -> float:
    started = time.perf_counter()
    embedder.embed_block(sample, lambda part, whole, num_sentences: None)
    return time.perf_counter() - started
