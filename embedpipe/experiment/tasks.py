"""What vectors are compared on: which label is to be told of what, and by which metric."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.store import Store

    Groups: TypeAlias = npt.NDArray[np.object_]


class Task(Protocol):
    """A label to be told from vectors."""

    kind: ClassVar[str]
    """The type name of a config."""
    unit: ClassVar[Literal["word", "sentence"]]
    """What has the label."""
    metric: ClassVar[Literal["f1", "accuracy"]]
    """The one that choices are ranked by."""

    @property
    def label(self) -> str:
        """Name of the label in the corpus."""

    @property
    def missing(self) -> str | None:
        """The value that stands for no label."""

    def groups(self, store: Store) -> Groups | None:
        """Within which rows a label is to be told; ``None`` where among all.

        :returns: *Shape:* ``(num_rows,)``, a name each, ``""`` for a row without a label.
        """


@dataclass(frozen=True)
class Ner:
    """Named entities: BIO tags of words, scored by the F1 of whole entities, as conlleval does.

    :param label: The tags' name in the corpus.
    """

    label: str = "ner"
    missing: ClassVar[str | None] = None
    kind: ClassVar[str] = "ner"
    unit: ClassVar[Literal["word", "sentence"]] = "word"
    metric: ClassVar[Literal["f1", "accuracy"]] = "f1"

    def groups(self, store: Store) -> Groups | None:
        return None


@dataclass(frozen=True)
class WordLabels:
    """A label a word, such as its part of speech, scored by accuracy.

    :param label: Its name in the corpus. Words without it are left out.
    :param missing: The value that stands for no label.
    """

    label: str
    missing: str | None = "_"
    kind: ClassVar[str] = "word_labels"
    unit: ClassVar[Literal["word", "sentence"]] = "word"
    metric: ClassVar[Literal["f1", "accuracy"]] = "accuracy"

    def groups(self, store: Store) -> Groups | None:
        return None


@dataclass(frozen=True)
class SentenceLabels:
    """A label a sentence, such as spam or the intent of a request, scored by accuracy; macro F1 is given beside it.

    :param label: Its name in the corpus. Sentences without it are left out.
    :param missing: The value that stands for no label.
    """

    label: str
    missing: str | None = "_"
    kind: ClassVar[str] = "sentence_labels"
    unit: ClassVar[Literal["word", "sentence"]] = "sentence"
    metric: ClassVar[Literal["f1", "accuracy"]] = "accuracy"

    def groups(self, store: Store) -> Groups | None:
        return None


@dataclass(frozen=True)
class WordSense:
    """The sense of some words, told among the senses of the same lemma, scored by accuracy.

    :param label: The senses' name in the corpus. Words without one are left out.
    :param lemma: Name of the label that has the lemma. Left out: what stands in the sense before its last ``.``, ``bank`` in
        ``bank.2``.
    :param missing: The value that stands for no sense.
    """

    label: str = "sense"
    lemma: str | None = None
    missing: str | None = "_"
    kind: ClassVar[str] = "word_sense"
    unit: ClassVar[Literal["word", "sentence"]] = "word"
    metric: ClassVar[Literal["f1", "accuracy"]] = "accuracy"

    def groups(self, store: Store) -> Groups | None:
        """The lemma of each word.

        :raises FeaturesError: If the lemma is a label of sentences, or a sense has no ``.`` and no label has the lemma.
        """
        senses = store.label(self.label)
        named = [sense != self.missing for sense in senses.vocabulary]
        if self.lemma is None:
            lemmas = senses
            names = [_lemma_of(sense, store) if is_one else "" for sense, is_one in zip(senses.vocabulary, named, strict=True)]
        else:
            lemmas = store.label(self.lemma)
            names = list(lemmas.vocabulary)
        if lemmas.unit != self.unit:
            raise FeaturesError(f"the label {self.lemma!r} of {store.source} is one a {lemmas.unit}; the lemma is one a word.")
        groups = np.array([*names, ""], dtype=object)[lemmas.codes]  # the code -1 of no label is the last
        groups[~np.array([*named, False])[senses.codes]] = ""
        return groups


def task_settings(task: Task) -> dict[str, Any]:
    """Type and fields of a task, as a config has them."""
    fields: dict[str, Any] = dataclasses.asdict(task)  # type: ignore[call-overload]
    return {"type": task.kind} | fields


def _lemma_of(sense: str, store: Store) -> str:
    lemma, dot, _ = sense.rpartition(".")
    if not dot:
        raise FeaturesError(
            f"the sense {sense!r} of {store.source} does not start with a lemma and a '.', as 'bank.2' does. "
            "Name the label that has the lemma with task.lemma."
        )
    return lemma
