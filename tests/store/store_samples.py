"""Corpora with vectors to write into stores: a fixed one, and any that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from embedpipe.dataflow import Block, Sentence, SentenceFlag, ViewInfo
from embedpipe.store import StoreWriter

VIEWS = {
    "last": ViewInfo("word", 5, (3,), "float32", "last", "mean"),
    "half/all": ViewInfo("word", 3, (0, 1), "float16", "all", "first", stacked=True),
    "pieces": ViewInfo("subword", 2, (2, 3), "float32", "sum", None),
    "cls": ViewInfo("sentence", 4, (3,), "float32", "last", "cls"),
    "..": ViewInfo("sentence", 2, (1, 2, 3), "float32", "stack", "mean", stacked=True),
}

IDENTITY = {"config": {"model": "tiny", "layers": [1, 2]}, "weights": "ab12"}


def identity_of(run: int) -> dict[str, Any]:
    """The identity of each run of a store that grows."""
    return {"fingerprint": f"{run:064x}", "inputs": {"corpus/0": f"{run:02x}"}}


@dataclass(frozen=True)
class Sample:
    """Sentences with all that a store keeps of them."""

    sentences: tuple[Sentence, ...]
    num_subwords: np.ndarray
    word_subwords: np.ndarray
    subword_ids: np.ndarray
    word_flags: np.ndarray
    sentence_flags: np.ndarray
    rows: Mapping[str, np.ndarray]

    @property
    def word_offsets(self) -> np.ndarray:
        return np.cumsum([0, *(len(sentence.words) for sentence in self.sentences)])

    @property
    def subword_offsets(self) -> np.ndarray:
        return np.cumsum([0, *self.num_subwords.tolist()])

    def ranges(self, unit: str, start: int, stop: int) -> slice:
        offsets = {"word": self.word_offsets, "subword": self.subword_offsets, "sentence": np.arange(len(self.sentences) + 1)}
        return slice(int(offsets[unit][start]), int(offsets[unit][stop]))

    def block(self, start: int, stop: int) -> Block:
        words, subwords = self.ranges("word", start, stop), self.ranges("subword", start, stop)
        return Block(
            self.sentences[start:stop],
            self.sentence_flags[start:stop],
            self.word_flags[words],
            self.num_subwords[start:stop],
            self.subword_ids[subwords],
            self.word_subwords[words],
            {name: rows[self.ranges(VIEWS[name].unit, start, stop)] for name, rows in self.rows.items()},
        )

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, len(self.sentences), size):
            yield self.block(start, min(start + size, len(self.sentences)))

    def write(
        self, path: Path, *, size: int = 1000, provenance: Any = None, single_file: bool = True, restart: bool = False
    ) -> Path:
        """Write a store with ``size`` sentences a shard."""
        with StoreWriter(path, VIEWS, identity=IDENTITY, single_file=single_file, restart=restart) as writer:
            self.append_missing(writer, size)
            return writer.finish(provenance or {})

    def grow(self, path: Path, stops: Sequence[int], *, size: int = 1000, provenance: Any = None, **options: Any) -> Path:
        """Write a store of the sentences up to ``stops[0]``, and let it grow to each further stop."""
        for run in range(len(stops)):
            self.grow_once(path, stops, run, size=size, provenance=provenance, **options)
        return path

    def grow_once(
        self, path: Path, stops: Sequence[int], run: int, *, size: int = 1000, provenance: Any = None, **options: Any
    ) -> None:
        """The run that brings a store to ``stops[run]`` sentences, from where it is."""
        grows_from = identity_of(run - 1) if run else None
        with StoreWriter(path, VIEWS, identity=identity_of(run), grows_from=grows_from, **options) as writer:
            for first, end in writer.gaps():
                stop = stops[run] if end is None else end
                for start in range(first, stop, size):
                    writer.append(self.block(start, min(start + size, stop)), start)
            writer.finish(provenance or {**identity_of(run), "run": run})

    def append_missing(self, writer: StoreWriter, size: int) -> None:
        """Append the blocks that the store does not have."""
        for index, block in enumerate(self.blocks(size)):
            if any(start <= index * size and (stop is None or index * size < stop) for start, stop in writer.gaps()):
                writer.append(block, index * size)


def make_sample(sentences: list[Sentence], seed: int = 0) -> Sample:
    """Give sentences subwords (none to four a word), flags and vectors."""
    rng = np.random.default_rng(seed)
    spans, num_subwords = [], []
    for sentence in sentences:
        ends = np.cumsum([0, *rng.integers(0, 5, len(sentence.words))])
        spans += list(pairwise(ends))
        num_subwords.append(int(ends[-1]))
    counts = {"word": len(spans), "subword": sum(num_subwords), "sentence": len(sentences)}
    return Sample(
        sentences=tuple(sentences),
        num_subwords=np.array(num_subwords, np.int64),
        word_subwords=np.array(spans, np.int64).reshape(-1, 2),
        subword_ids=rng.integers(0, 30522, counts["subword"]),
        word_flags=rng.integers(0, 8, counts["word"]),
        sentence_flags=np.array([int(sentence.flags) for sentence in sentences], np.int64),
        rows={name: rng.normal(size=(counts[info.unit], *info.row_shape)).astype(info.dtype) for name, info in VIEWS.items()},
    )


def fixed_sample(num_sentences: int = 12) -> Sample:
    """A small corpus with an empty sentence, accents, emoji, documents of three sentences, and labels of both units."""
    vocabulary = ["Ångström", "in", "🙂", "東京", "a.b/c", "", "naïve"]
    sentences = []
    for index in range(num_sentences):
        words = [vocabulary[(index + k) % len(vocabulary)] for k in range(index % 5)]
        labels: dict[str, Any] = {"ner": tuple("B-LOC" if k % 2 else "O" for k in range(len(words))), "genre": f"g{index % 2}"}
        if index % 4 == 3:
            del labels["genre"]
        sentences.append(Sentence.from_words(f"doc-{index // 3}/{index % 3}", f"doc-{index // 3}", words, labels=labels))
    return make_sample(sentences)


any_text = st.text(max_size=6)
id_text = st.text(st.characters(exclude_categories=()), max_size=6)  # lone surrogates as well


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Any corpus: labels of both units that come and go, documents that come back, words of any characters."""
    units = draw(st.dictionaries(any_text.filter(bool), st.sampled_from(["word", "sentence"]), max_size=3))
    sentences = []
    for id in draw(st.lists(id_text, unique=True, max_size=9)):
        words = draw(st.lists(any_text, max_size=4))
        labels: dict[str, Any] = {}
        for name, unit in units.items():
            if draw(st.booleans()):
                labels[name] = tuple(draw(any_text) for _ in words) if unit == "word" else draw(any_text)
        sentences.append(
            Sentence.from_words(
                id,
                draw(st.sampled_from(["", "d/1", "d/2", "\ud800"])),
                words,
                spaces=[draw(st.booleans()) for _ in words],
                labels=labels,
                flags=SentenceFlag(draw(st.integers(0, 31))),
            )
        )
    return make_sample(sentences, seed=draw(st.integers(0, 99)))
