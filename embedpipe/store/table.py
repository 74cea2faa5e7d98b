"""The table of shards that a master holds, and what its readers must be able to rely on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedpipe.store.format import Count
from embedpipe.store.manifest import ShardRecord
from embedpipe.store.origin import Origin


@dataclass(frozen=True, slots=True)
class ShardTable:
    """The shards of a store, in the order of their sentences, and what each of them was made of."""

    origin: Origin
    records: tuple[ShardRecord, ...]

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the latest shards were made of."""
        return self.origin.identity

    @property
    def num_sentences(self) -> int:
        """Sentences of all shards."""
        return self.records[-1].stop if self.records else 0


def table_as_json(origin: Origin, records: Sequence[ShardRecord]) -> dict[str, Any]:
    """The table as it stands in the master."""
    return {**origin.as_json, "shards": [record.as_json for record in records]}


def parse_table(data: bytes, counts: Mapping[Count, int]) -> ShardTable:
    """Read the table of a master.

    :param counts: Of the master, to which those of the shards must add up.
    :raises ValueError: If it is not a table, or does not fit.
    """
    value = json.loads(data)
    if not isinstance(value, dict) or not isinstance(value.get("identity"), dict) or not isinstance(value.get("shards"), list):
        raise ValueError("the table of shards has no identity or no shards")
    origin = Origin.from_json(value)
    records = tuple(map(ShardRecord.from_json, value["shards"]))
    if len({record.name for record in records}) < len(records):
        raise ValueError("the table of shards names one twice")
    end = 0
    for record in records:
        if record.start != end:
            raise ValueError(f"the shard {record.name} starts at sentence {record.start:,}, expected {end:,}")
        end = record.stop
    found = (end, sum(record.num_words for record in records), sum(record.num_subwords for record in records))
    expected = (counts["num_sentences"], counts["num_words"], counts["num_subwords"])
    if found != expected:
        raise ValueError(f"the shards have {found} sentences, words and subwords, expected {expected}")
    if astray := {*origin.borders} - {0, *(record.stop for record in records)}:
        raise ValueError(f"the store has grown at sentence {min(astray):,}, where no shard ends")
    return ShardTable(origin, records)
