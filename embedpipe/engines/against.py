"""Whether a store is what a config would make: the same corpus and model, and the same vectors of a sample of sentences."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import ReadLog, WindowedSentence
from embedpipe.engines.again import choose, embed_again
from embedpipe.engines.budget import with_budget
from embedpipe.engines.difference import difference, first_difference
from embedpipe.engines.identity import Identity, stored_identity
from embedpipe.errors import ConfigError, StoreError
from embedpipe.in_order import batch_sentences
from embedpipe.progress import Progress
from embedpipe.store import open_store
from embedpipe.store.finding import Fault, Finding, FindingList, FoundIn

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.dataflow import SubwordSentence
    from embedpipe.extraction import Embedder
    from embedpipe.store import Store, StoredSentence

_SENTENCES_A_READ = 256
_HINT = "extract again with --restart, or verify against the config that the store was made with"


@dataclass(slots=True)
class Comparison:
    """What was compared; filled in on the way.

    :param num_sentences: Of the corpus.
    :param num_embedded: Sentences that were embedded again.
    :param differences: By view, the largest absolute difference between a stored number and the same one made again.
    """

    num_sentences: int = 0
    num_embedded: int = 0
    differences: dict[str, float] = field(default_factory=dict)


def compare(
    path: str | os.PathLike[str],
    config: LoadedConfig,
    *,
    sample: int = 20,
    seed: int = 0,
    comparison: Comparison | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Finding]:
    """Compare a store with what a config would make: one pass over the corpus, and ``sample`` sentences through the encoder.

    Identity, ids, documents, words, labels and subwords are compared one by one; vectors with a tolerance, see
    :func:`~embedpipe.engines.again.tolerance`.

    :param sample: Sentences to embed again, spread over the store.
    :param seed: Of their choice.
    :param comparison: Is filled in.
    :raises ConfigError: If a view asks for what the encoder does not have.
    :raises CorpusError: If the corpus cannot be read.
    :raises EncoderError: If the model cannot be found, loaded or run.
    """
    comparison = Comparison() if comparison is None else comparison
    listed = FindingList(str(path))
    try:
        with open_store(path) as store:
            config = with_budget(config, lambda: stored_identity(store.provenance))
            yield from _compare_identity(store, config)
            embedder = _load(config)
            place = FoundIn(str(path), _HINT, lambda number: store.ids[number] if number < len(store) else None)
            chosen = choose(store, sample, seed, in_order=batch_sentences(embedder.encoder) is not None)
            corpus = _CorpusBesideStore(store, embedder, config, comparison, chosen, on_progress)
            yield from listed.words(place, corpus.faults())
            again = embed_again(store, embedder, corpus.kept, comparison.differences)
            yield from listed.words(place, again)
            comparison.num_embedded = len(corpus.kept)
            yield from listed.rest()
    except StoreError as error:
        yield Finding(str(path), str(error), "verify it without --against first")


def _compare_identity(store: Store, config: LoadedConfig) -> Iterator[Finding]:
    identity, provenance = Identity.of(config), store.provenance
    if provenance.get("fingerprint") != identity.fingerprint:
        for change in identity.changes_since(provenance):
            yield Finding("provenance", change, _HINT)


def _load(config: LoadedConfig) -> Embedder:
    try:
        return config.job.load()
    except ConfigError as error:
        raise ConfigError(config.source, error.mistakes) from error


class _CorpusBesideStore:
    """Reads corpus and store side by side.

    :param chosen: Numbers of the sentences to keep in ``kept``; those that differ are left out.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        config: LoadedConfig,
        comparison: Comparison,
        chosen: frozenset[int],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.kept: dict[int, WindowedSentence] = {}
        self._store = store
        self._embedder = embedder
        self._corpus = config.job.corpus
        self._log = ReadLog()
        self._comparison = comparison
        self._chosen = chosen
        self._on_progress = on_progress

    def faults(self) -> Iterator[Fault]:
        """One fault for each sentence that differs."""
        windowed, done, read = self._windowed(), Progress(0, 0, 0, 0, 0), 0
        while part := list(itertools.islice(windowed, _SENTENCES_A_READ)):
            stored = self._store[read : read + len(part)]
            for number, (sentence, other) in enumerate(zip(part, stored, strict=False), read):
                if (difference := _difference(sentence.subwords, other)) is not None:
                    yield self._fault(number, difference)
                elif number in self._chosen:
                    self.kept[number] = sentence
            read += len(part)
            num_words = sum(len(sentence.subwords.word_flags) for sentence in part)
            num_subwords = sum(len(sentence.subwords.subword_ids) for sentence in part)
            done = Progress(
                read,
                done.num_words + num_words,
                done.num_subwords + num_subwords,
                self._log.position_bytes,
                self._log.size_bytes,
            )
            self._on_progress(done)
        self._comparison.num_sentences = read
        if read != len(self._store):
            yield Fault.of_file("sentences", f"{read:,} sentences in the corpus, {len(self._store):,} in the store")

    def _windowed(self) -> Iterator[WindowedSentence]:
        embedder = self._embedder
        subwords = embedder.tokenizer.tokenize(self._corpus.sentences(self._log), joined=embedder.context.joined)
        return embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special)

    def _fault(self, number: int, difference: str) -> Fault:
        what = f"{difference} (near byte {self._position()})"
        return Fault("corpus", lambda _: what, np.array([number]))

    def _position(self) -> str:
        """Where in its files the corpus is being read; readers look ahead a little."""
        position = self._log.position_bytes
        for file in self._corpus.files:
            size = file.stat().st_size
            if position <= size:
                return f"{position:,} of {file}"
            position -= size
        return f"{position:,}"


def _difference(subwords: SubwordSentence, stored: StoredSentence) -> str | None:
    """The first thing in which a sentence and the one in the store differ."""
    return difference(subwords.sentence, stored) or first_difference(
        {
            "the subwords": (tuple(subwords.subword_ids.tolist()), stored.subword_ids),
            "the words' subwords": (tuple(map(tuple, subwords.word_offsets.tolist())), stored.word_subwords),
        }
    )
