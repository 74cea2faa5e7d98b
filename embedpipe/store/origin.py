"""What the shards of a store were made of: one identity, or several where the store has grown with its corpus.

A sealed shard is never opened again, so it keeps the identity that it was made under. The sentences up to a known number are of
the first identity, those up to the next one of the second, and the last ones of the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """What a store was before it grew.

    :param num_sentences: Sentences that it had then, from the first one on.
    :param identity: What the last of them were made of.
    """

    num_sentences: int
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """What all sentences of a store were made of.

    :param identity: Everything that determines the bytes of the latest shards, as JSON gives it.
    :param grown_from: The runs before, the first one first; none where the store has never grown.
    """

    identity: Mapping[str, Any]
    grown_from: tuple[EarlierRun, ...] = ()

    def of(self, sentence: int) -> Mapping[str, Any]:
        """The identity that the shard with this sentence says."""
        return next((run.identity for run in self.grown_from if sentence < run.num_sentences), self.identity)

    @property
    def borders(self) -> tuple[int, ...]:
        """Numbers of sentences at which one identity ends and the next one begins; no shard lies across one."""
        return tuple(run.num_sentences for run in self.grown_from)

    def grown(self, num_sentences: int, identity: Mapping[str, Any]) -> Origin:
        """What a store of this origin and so many sentences is made of once it has grown to another identity."""
        return Origin(identity, (*self.grown_from, EarlierRun(num_sentences, self.identity)))

    @property
    def as_json(self) -> dict[str, Any]:
        """As it stands in the manifest and in a master's table; ``grown_from`` only where there is any."""
        grown_from = [{"num_sentences": run.num_sentences, "identity": run.identity} for run in self.grown_from]
        return {"identity": self.identity} | ({"grown_from": grown_from} if grown_from else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Origin:
        """Read what :attr:`as_json` gave.

        :raises ValueError: If it is something else.
        """
        identity, runs = value.get("identity"), value.get("grown_from", [])
        if not isinstance(identity, dict) or not isinstance(runs, list):
            raise ValueError("no identity, or one that cannot be read")
        return cls(identity, tuple(_earlier_run(run, last) for run, last in zip(runs, [None, *runs], strict=False)))


def _earlier_run(value: Any, last: Any) -> EarlierRun:
    """:param last: The run before it, which had no more sentences."""
    if not isinstance(value, dict) or not isinstance(value.get("identity"), dict):
        raise ValueError("a part of 'grown_from' has no identity")
    number, least = value.get("num_sentences"), last["num_sentences"] if last else 0
    if type(number) is not int or not least <= number < 1 << 63:
        raise ValueError(f"a part of 'grown_from' has {number!r} sentences, expected {least:,} at least")
    return EarlierRun(number, value["identity"])
