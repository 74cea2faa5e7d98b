"""What is wrong with a store: rules that its rows break, and the list of them that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray

MOST_OF_A_KIND = 20
"""Findings of one kind that are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    :param where: Shard and sentence, as far as they are known: ``shard 000002.h5, sentence 'doc-7/3'``.
    :param what: What was found and what was expected.
    :param hint: How to repair it.
    """

    where: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that one file, or some of its sentences, break; told apart from a :class:`Finding`, which is put in words.

    :param rule: A word or two for the rule: ``spans``.
    :param say: What is wrong with the ``i``-th of ``sentences``; asked only for those that are listed.
    :param sentences: Their numbers in the file; ``None`` where the file as a whole is meant.
    """

    rule: str
    say: Callable[[int], str]
    sentences: IntArray | None = None

    @classmethod
    def of_file(cls, rule: str, what: str) -> Fault:
        """A fault of the whole file."""
        return cls(rule, lambda _: what)

    def __len__(self) -> int:
        return 1 if self.sentences is None else len(self.sentences)


@dataclass(frozen=True, slots=True)
class FoundIn:
    """Where faults were found.

    :param name: Of the file, as it is shown: ``features.h5``, ``shard 000002.h5``.
    :param hint: How to repair it.
    :param id_of: The id of a sentence of the file; ``None`` where it cannot be read.
    :param is_shard: Whether the name is needed beside a sentence's id.
    """

    name: str
    hint: str
    id_of: Callable[[int], str | None] = lambda _: None
    is_shard: bool = False

    def of(self, sentence: int) -> str:
        """Where a sentence is."""
        id = self.id_of(sentence)
        shown = f"sentence {sentence:,} (counted from 0)" if id is None else f"sentence {id!r}"
        return f"{self.name}, {shown}" if self.is_shard else shown


class FindingList:
    """Puts faults in words: the first few of each rule, and how many more there are."""

    def __init__(self, whole: str) -> None:
        self._whole = whole
        self._counts: dict[str, int] = {}
        self._hints: dict[str, str] = {}

    def words(self, place: FoundIn, faults: Iterable[Fault]) -> Iterator[Finding]:
        """The findings to list."""
        for fault in faults:
            known = self._counts.get(fault.rule, 0)
            self._counts[fault.rule] = known + len(fault)
            self._hints.setdefault(fault.rule, place.hint)
            for index in range(min(len(fault), MOST_OF_A_KIND - known)):
                where = place.name if fault.sentences is None else place.of(int(fault.sentences[index]))
                yield Finding(where, f"{fault.rule}: {fault.say(index)}", place.hint)

    def rest(self) -> Iterator[Finding]:
        """What was counted and not listed."""
        for rule, count in self._counts.items():
            if count > MOST_OF_A_KIND:
                more = count - MOST_OF_A_KIND
                yield Finding(self._whole, f"{rule}: {more:,} more of this kind, {count:,} in all", self._hints[rule])
