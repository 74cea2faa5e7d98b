"""The encoder alone: transformers' own forward pass on ready-made batches, nothing kept but what it returns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from speed.turns import say, timed

BUDGETS = (256, 512, 1024, 2048, 4096, 8192)
Inputs = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Batches:
    """Windows in batches, sorted by length.

    :param budget: Most subwords of a batch, padding counted; a longer window goes alone.
    :param equal_lengths: Only windows of one length go together, so that nothing is padded.
    """

    budget: int
    equal_lengths: bool
    inputs: tuple[Inputs, ...]

    def on(self, device: torch.device) -> Batches:
        """The same, on a device."""
        moved = tuple({name: each.to(device) for name, each in inputs.items()} for inputs in self.inputs)
        return replace(self, inputs=moved)

    @property
    def name(self) -> str:
        """The budget, and whether nothing is padded."""
        return f"{self.budget}" + " equal lengths" * self.equal_lengths

    @property
    def padding(self) -> float:
        """Share of padding."""
        masks = [batch.get("attention_mask", torch.ones_like(batch["input_ids"])) for batch in self.inputs]
        return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


def load_bare(folder: Path, precision: str, device: str = "cpu") -> PreTrainedModel:
    """The model as its users load it."""
    model: PreTrainedModel = AutoModel.from_pretrained(folder, dtype=getattr(torch, precision), attn_implementation="sdpa")
    return model.eval().to(device)  # type: ignore[arg-type]


def forward(model: PreTrainedModel, batches: Batches) -> None:
    """One pass over a corpus."""
    with torch.inference_mode():
        for inputs in batches.inputs:
            model(**inputs)


def fastest_batches(
    model: PreTrainedModel, windows: Sequence[list[int]], budgets: Sequence[int] = BUDGETS
) -> tuple[Batches, dict[str, float]]:
    """Try budgets, with and without padding: all of them twice, the best three thrice more.

    :returns: The fastest batches, and the fewest seconds of each kind.
    """
    made = (make_batches(windows, budget, equal) for budget, equal in itertools.product(budgets, (False, True)))
    tried = [batches.on(model.device) for batches in made]
    seconds: dict[Batches, float] = dict.fromkeys(tried, math.inf)

    def try_out(some: Iterable[Batches]) -> list[Batches]:
        for batches in some:
            seconds[batches] = min(seconds[batches], timed(partial(forward, model, batches), model.device)())
        return sorted(tried, key=seconds.__getitem__)

    order = try_out(tried * 2)
    best = try_out(order[:3] * 3)[0]
    say(f"  bare: fastest with batches of {best.name} subwords")
    return best, {batches.name: seconds[batches] for batches in tried}


def make_batches(windows: Sequence[list[int]], budget: int, equal_lengths: bool) -> Batches:
    """Plan and pad."""
    inputs = tuple(_padded(batch) for batch in _planned(windows, budget, equal_lengths))
    return Batches(budget, equal_lengths, inputs)


def _planned(windows: Sequence[list[int]], budget: int, equal_lengths: bool) -> Iterator[list[list[int]]]:
    batch: list[list[int]] = []
    for window in sorted(windows, key=len, reverse=True):
        is_full = batch and (len(batch) + 1) * len(batch[0]) > budget
        if is_full or (batch and equal_lengths and len(window) < len(batch[0])):
            yield batch
            batch = []
        batch.append(window)
    yield batch


def _padded(batch: list[list[int]]) -> Inputs:
    """Without a mask where nothing is padded: some attention kernels are faster so."""
    longest = len(batch[0])
    ids = torch.tensor([window + [0] * (longest - len(window)) for window in batch])
    if len(batch[-1]) == longest:
        return {"input_ids": ids}
    lengths = torch.tensor([len(window) for window in batch])
    return {"input_ids": ids, "attention_mask": (torch.arange(longest) < lengths[:, None]).long()}
