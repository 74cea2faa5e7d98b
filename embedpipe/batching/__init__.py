"""Batches of windows: a deterministic plan by length, and padding."""

from embedpipe.batching.collate import collate
from embedpipe.batching.plan import Batching, plan_batches

__all__ = ["Batching", "collate", "plan_batches"]
