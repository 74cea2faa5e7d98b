"""What a store holds, counted: for a person who asks what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import SentenceFlag, Unit, WordFlag
from embedpipe.store import format as names

if TYPE_CHECKING:
    from enum import IntFlag

    from embedpipe.store.sealed import SealedFile

_ROWS_A_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """A label: what it is given to, and its values in the order in which they were first seen."""

    unit: Unit
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """Counts of what a store holds.

    :param counts: Of ``documents``, ``sentences``, ``words`` and ``subwords``.
    :param flags: By name, how many sentences or words carry each flag that any of them carries; ``None`` if they were not
        counted.
    :param labels: By name.
    """

    counts: Mapping[str, int]
    flags: Mapping[str, int] | None
    labels: Mapping[str, LabelSummary]


def summarize(file: SealedFile, *, flags: bool = True) -> StoreSummary:
    """Count what is in a store; reads the flags, if they are asked for, and not the vectors."""
    structure = file.structure
    return StoreSummary(
        counts={name.removeprefix("num_"): structure.counts[name] for name in names.COUNTS},
        flags=_count(file, names.SENTENCE_FLAGS, SentenceFlag) | _count(file, names.WORD_FLAGS, WordFlag) if flags else None,
        labels={name: LabelSummary(info.unit, tuple(file.vocabulary(name))) for name, info in structure.labels.items()},
    )


def _count(file: SealedFile, name: str, kind: type[IntFlag]) -> dict[str, int]:
    column = file.column(name)
    counts = dict.fromkeys(kind, 0)
    for start in range(0, len(column), _ROWS_A_READ):
        flags = column.read(start, min(start + _ROWS_A_READ, len(column)))
        for flag in counts:
            counts[flag] += int(np.count_nonzero(flags & int(flag)))
    return {str(flag.name): count for flag, count in counts.items() if count}
