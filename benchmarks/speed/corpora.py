"""The corpora that are timed: lists of sentences of which no two are the same, of several shapes.

No sentence comes twice, capital letters aside, so that nothing is gained by encoding a sentence once for all its copies;
what is gained by that is measured apart.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from embedpipe import sample_path
from embedpipe.corpus import Conll2003, Conllu
from embedpipe.dataflow import ReadLog

Words = tuple[str, ...]
Lengths = Callable[[random.Random], int]

SHAPES: dict[str, Lengths] = {
    "short": lambda rng: rng.randint(3, 8),
    "documents": lambda rng: rng.randint(1500, 5000),
    "mixed": lambda rng: rng.randint(3, 60) if rng.random() < 0.98 else _even_in_logarithm(rng, 60, 5000),
}
"""By name, how many words the next sentence has. The fourth shape, "main", is the corpus as it is."""


def _even_in_logarithm(rng: random.Random, least: int, most: int) -> int:
    return round(math.exp(rng.uniform(math.log(least), math.log(most))))


def read_corpus(path: Path | None) -> list[Words]:
    """The sentences of a file in CoNLL-U (by its name) or CoNLL-2003, or of the bundled sample; each once."""
    path = path or sample_path("sample.conll")
    reader = Conllu(str(path)) if path.suffix == ".conllu" else Conll2003(str(path))
    return list(without_repeats(sentence.words for sentence in reader.sentences(ReadLog()) if sentence.words))


def without_repeats(sentences: Iterable[Words]) -> Iterator[Words]:
    """Leave out what has come before."""
    seen: set[Words] = set()
    for words in sentences:
        key = tuple(word.lower() for word in words)
        if key not in seen:
            seen.add(key)
            yield words


def varied(sentences: Sequence[Words], seed: int = 0) -> Iterator[Words]:
    """The sentences, and then without end others of the same lengths: a third of the words exchanged, in another order."""
    yield from sentences
    rng = random.Random(seed)
    all_words = [word for words in sentences for word in words]
    while True:
        for words in sentences:
            changed = [rng.choice(all_words) if rng.random() < 1 / 3 else word for word in words]
            rng.shuffle(changed)
            yield tuple(changed)


def many_sentences(sentences: Sequence[Words], count: int) -> list[Words]:
    """The first ``count`` sentences, made more by :func:`varied` where there are too few."""
    return list(itertools.islice(without_repeats(varied(sentences)), count))


def shaped(sentences: Sequence[Words], lengths: Lengths, num_words: int, seed: int = 0) -> list[Words]:
    """About ``num_words`` words, cut into sentences of other lengths."""
    rng = random.Random(seed)
    words = itertools.chain.from_iterable(varied(sentences, seed))
    pieces = without_repeats(tuple(itertools.islice(words, lengths(rng))) for _ in itertools.count())
    chosen: list[Words] = []
    while num_words > 0:
        chosen.append(next(pieces))
        num_words -= len(chosen[-1])
    return chosen


def four_times(sentences: Sequence[Words], seed: int = 0) -> list[Words]:
    """As many sentences as before: every fourth, four times, in no order."""
    repeated = list(sentences[::4]) * 4
    random.Random(seed).shuffle(repeated)
    return repeated


def count_words(sentences: Iterable[Words]) -> int:
    """How many words some sentences have."""
    return sum(map(len, sentences))


def write_corpus(sentences: Iterable[Words], path: Path) -> Path:
    """Write the file that embedpipe and its peers read: JSON Lines with a field ``words``."""
    path.write_text("".join(json.dumps({"words": words}) + "\n" for words in sentences), encoding="utf-8")
    return path
