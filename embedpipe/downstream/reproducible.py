"""The same random numbers and the same order of additions every time, and nothing left changed for the caller."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch


def epoch_seed(seed: int, epoch: int) -> int:
    """Its own for every epoch, so that a resumed training goes on with the numbers that the epoch would have had."""
    return (seed * 1_000_003 + epoch) % 2**63


@contextlib.contextmanager
def reproducible(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's generators within the block, and give them back as they were.

    :param device: What the block computes on; left out: the CPU. On a GPU, kernels with a fixed order of additions are
        asked for; where torch has none, it takes another, as ever.
    """
    was, only_warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    on_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []), warnings.catch_warnings():
        torch.manual_seed(seed)
        if on_gpu:
            warnings.filterwarnings("ignore", message=".*deterministic", category=UserWarning)
            torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was, warn_only=only_warns)
