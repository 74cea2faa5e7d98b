"""What is trained on, chosen by and tested on: parts of the data that share no sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import numpy as np
from annotated_types import Gt, Lt

from embedpipe.dataflow import Corpus
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray

PARTS = ("train", "dev", "test")

_ENOUGH_DOCUMENTS = 10


@dataclass(frozen=True)
class Pool:
    """The sentences of one corpus that have a label.

    :param sentences: Their numbers in the store, ascending. *Shape:* ``(num_sentences,)``.
    :param ids: Of each sentence.
    :param documents: Of each sentence.
    :param texts: Of each sentence.
    """

    sentences: IntArray
    ids: Sequence[str]
    documents: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class Part:
    """The sentences of a split.

    :param corpus: Name of the corpus that has them.
    :param sentences: Their numbers in its store, ascending. *Shape:* ``(num_sentences,)``.
    """

    corpus: str
    sentences: IntArray


@dataclass(frozen=True)
class Division:
    """The three parts of the data.

    :param parts: ``train``, ``dev`` and ``test``, in this order.
    :param notes: What a reader of the results should know of how they came about, a sentence each.
    """

    parts: Mapping[str, Part]
    notes: tuple[str, ...] = ()


class Splits(Protocol):
    """Says which corpora there are and which of their sentences make which part."""

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """By name, each corpus that features are extracted of."""

    def divide(self, pools: Mapping[str, Pool]) -> Division:
        """Divide the sentences.

        :param pools: By the name of the corpus.
        :raises FeaturesError: If a part has no sentence.
        """


@dataclass(frozen=True)
class Files:
    """Splits as published: files to train on and files to test on.

    :param train: The training sentences.
    :param test: The test sentences.
    :param dev: The development sentences. Left out: a part of the training ones is taken, and not trained on.
    :param dev_fraction: How large that part is: whole documents, if there are at least ten, else sentences.
    :param seed: Which ones these are.
    """

    train: Corpus
    test: Corpus
    dev: Corpus | None = None
    dev_fraction: Annotated[float, Gt(0), Lt(1)] = 0.1
    seed: int = 0

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """``train``, ``dev`` if there is one, and ``test``."""
        return {"train": self.train} | ({"dev": self.dev} if self.dev is not None else {}) | {"test": self.test}

    def divide(self, pools: Mapping[str, Pool]) -> Division:
        """Take the files as they are."""
        given = {name: Part(name, pools[name].sentences) for name in PARTS if name in pools}
        notes: list[str] = []
        if self.dev is None:
            train = pools["train"]
            units, unit = train.documents, "document"
            if len(set(units)) < _ENOUGH_DOCUMENTS:
                units, unit = train.ids, "sentence"
            kept, taken = assign(units, (1 - self.dev_fraction, self.dev_fraction), self.seed)
            given |= {"train": Part("train", train.sentences[kept]), "dev": Part("train", train.sentences[taken])}
            notes.append(
                f"There is no development file: {len(taken):,} of the {len(units):,} training sentences, chosen by {unit}, "
                "are kept out of training."
            )
        _require_sentences(given, "Give a larger file, or a larger dev_fraction.")
        return Division({name: given[name] for name in PARTS}, (*notes, *leaks(pools)))


@dataclass(frozen=True)
class RandomSplits:
    """One corpus, divided at random.

    :param corpus: All sentences.
    :param fractions: Of them for training, development and test.
    :param by: What is kept together: a document's sentences, or each sentence by itself.
    :param seed: Which ones go where.
    :param deduplicate: Whether of sentences with the same text only the first is used, so that none is in two parts. Case and
        white space do not count.
    """

    corpus: Corpus
    fractions: tuple[float, ...] = (0.6, 0.2, 0.2)
    by: Literal["document", "sentence"] = "document"
    seed: int = 0
    deduplicate: bool = True

    def __post_init__(self) -> None:
        if len(self.fractions) != 3 or min(self.fractions) <= 0:
            raise ValueError(f"fractions: got {list(self.fractions)}; give three above 0: training, development, test")
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions: {list(self.fractions)} add up to {sum(self.fractions):g}; they must add up to 1")

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """The one."""
        return {"corpus": self.corpus}

    def divide(self, pools: Mapping[str, Pool]) -> Division:
        """Divide documents or sentences."""
        pool = pools["corpus"]
        chosen, notes = np.arange(len(pool.ids)), []
        if self.deduplicate:
            chosen = first_of_each(pool.texts)
            if removed := len(pool.ids) - len(chosen):
                notes.append(
                    f"{removed:,} of {len(pool.ids):,} sentences were left out before splitting: their text, case and white "
                    "space aside, had come before."
                )
        units = pool.documents if self.by == "document" else pool.ids
        places = assign([units[index] for index in chosen.tolist()], self.fractions, self.seed)
        parts = {name: Part("corpus", pool.sentences[chosen[place]]) for name, place in zip(PARTS, places, strict=True)}
        count = len({units[index] for index in chosen.tolist()})
        _require_sentences(parts, f'There are {count:,} {self.by}s to divide; take other fractions, or by: "sentence".')
        return Division(parts, tuple(notes))


def assign(units: Sequence[str], fractions: Sequence[float], seed: int) -> list[IntArray]:
    """Divide sentences at random, those of one unit staying together.

    The order is that of a hash, so that it is the same everywhere and for ever, and a unit more or less moves few others.

    :param units: Of each sentence, what it is kept together with.
    :param fractions: Of the sentences; a unit goes where its middle falls.
    :returns: By fraction, positions in ``units``, ascending.
    """
    members: dict[str, list[int]] = {}
    for position, unit in enumerate(units):
        members.setdefault(unit, []).append(position)
    shuffled = sorted(members, key=lambda unit: hashlib.sha256(f"{seed}\n{unit}".encode()).digest())
    sizes = np.array([len(members[unit]) for unit in shuffled])
    middles = np.cumsum(sizes) - sizes / 2
    places = np.searchsorted(np.cumsum(fractions)[:-1] * len(units), middles, side="right")
    parts: list[list[int]] = [[] for _ in fractions]
    for unit, place in zip(shuffled, places.tolist(), strict=True):
        parts[place] += members[unit]
    return [np.array(sorted(part), dtype=np.int64) for part in parts]


def first_of_each(texts: Iterable[str]) -> IntArray:
    """Positions of the texts that are not the same as one before, case and white space aside."""
    seen: dict[str, int] = {}
    for position, text in enumerate(texts):
        seen.setdefault(_folded(text), position)
    return np.array(list(seen.values()), dtype=np.int64)


def leaks(pools: Mapping[str, Pool]) -> list[str]:
    """Say of published splits how many test sentences are in training, too; they are used all the same."""
    known = {_folded(text) for text in pools["train"].texts}
    shared = sum(_folded(text) in known for text in pools["test"].texts)
    count = len(pools["test"].texts)
    return [f"{shared:,} of the {count:,} test sentences have a text that is in train, too."] if shared else []


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _require_sentences(parts: Mapping[str, Part], advice: str) -> None:
    for name, part in parts.items():
        if not len(part.sentences):
            raise FeaturesError(f"the part {name!r} has no sentence with a label. {advice}")
