"""Runs that take turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping

import torch

CPU = torch.device("cpu")

Run = Callable[[], float]
"""Does its work once and returns the seconds that count: a run that has to load a model first leaves that out."""


def timed(work: Callable[[], object], device: torch.device = CPU) -> Run:
    """A run of which everything counts, on a GPU until it is done."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def run() -> float:
        wait()
        started = time.perf_counter()
        work()
        wait()
        return time.perf_counter() - started

    return run


def take_turns(runs: Mapping[str, Run], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run in each turn, after one turn to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        taken = {name: run() for name, run in runs.items()}
        say(f"  turn {turn} of {repeats}: " + ", ".join(f"{name} {value:.2f} s" for name, value in taken.items()))
        for name, value in taken.items() if turn else ():
            seconds[name].append(value)
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each run's seconds."""
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def say(message: str) -> None:
    """Tell how far it is, beside the JSON on standard output."""
    print(message, file=sys.stderr, flush=True)
