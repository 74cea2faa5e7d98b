"""Batches of windows: a deterministic plan by length, and padding."""

from embedpipe.batching.collate import collate
from embedpipe.batching.plan import Batching, plan_batches
from embedpipe.batching.repeats import group_equal

__all__ = ["Batching", "collate", "group_equal", "plan_batches"]
