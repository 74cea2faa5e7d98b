"""How long an extraction would take, and what would hold it up: those who encode, reading, the disk, or committing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SECONDS_A_COMMIT = 0.005
"""What the one who commits takes for a shard, waiting for the disk included; ``benchmarks/driver.py`` measures it."""


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """The time of an extraction that several share.

    Workers read ranges of sentences one after the other, since a range begins where the last one ends; cutting and encoding
    them, and writing shards, goes on at once. So whatever takes longest is how long it takes.

    :param reading_seconds: For reading the corpus, cutting it into subwords and making windows, as it took one process here.
    :param encoding_seconds: For the encoder, layer combinations and pooling, of one worker that does all.
    :param subwords_per_second: Of one worker; special subwords and context counted.
    :param source: Whether the rate was measured here or given.
    :param num_workers: Devices (machines, or GPUs) that share the work, each with a process.
    :param num_shards: That are committed by one process.
    :param num_bytes: Of the store.
    :param disk_bytes_per_second: What the store's disk takes from all workers together; ``None``: enough.
    """

    reading_seconds: float
    encoding_seconds: float
    subwords_per_second: float
    source: Literal["calibration", "device_rate"]
    num_workers: int
    num_shards: int
    num_bytes: int
    disk_bytes_per_second: float | None = None

    @property
    def limits(self) -> Mapping[str, float]:
        """How long each part would take if the others took no time: the ``workers``, and those that more of them do not help.

        One worker reads ahead and writes behind; its reading takes from the same cores, so that it counts in full.
        """
        limits = {"workers": (self.reading_seconds + self.encoding_seconds) / self.num_workers}
        if self.num_workers > 1:
            limits |= {"reading": self.reading_seconds, "committing": self.num_shards * SECONDS_A_COMMIT}
        if self.disk_bytes_per_second is not None:
            limits["disk"] = self.num_bytes / self.disk_bytes_per_second
        return limits

    @property
    def seconds(self) -> float:
        return max(self.limits.values())

    @property
    def limited_by(self) -> str:
        """The part of :attr:`limits` that takes longest."""
        return max(self.limits, key=lambda part: self.limits[part])

    @property
    def enough_workers(self) -> int | None:
        """With how many workers something else holds them up, so that more are of no use; ``None`` where nothing does."""
        others = [seconds for part, seconds in self.limits.items() if part != "workers"]
        if not others or not max(others):
            return None
        return math.ceil((self.reading_seconds + self.encoding_seconds) / max(others))
