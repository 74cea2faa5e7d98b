"""How good predicted labels are: entities for BIO tags, accuracy and macro F1 for all others.

Everywhere, labels come sentence by sentence, and ``None`` stands for a row without one.
"""

from __future__ import annotations

from embedpipe.downstream.metrics.confusion import confusion, confusion_tags
from embedpipe.downstream.metrics.counts import METRICS, from_counts, sentence_counts
from embedpipe.downstream.metrics.entities import entities, is_bio
from embedpipe.downstream.metrics.scores import per_type, score_tags

__all__ = [
    "METRICS",
    "confusion",
    "confusion_tags",
    "entities",
    "from_counts",
    "is_bio",
    "per_type",
    "score_tags",
    "sentence_counts",
]
