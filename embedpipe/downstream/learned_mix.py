"""A mix of layers whose weights are trained with the tagger."""

from __future__ import annotations

from dataclasses import dataclass

from embedpipe.layers.linear import require_layers

LEARNED_MIX = "learned_mix"
"""The name that stands for ``LearnedMix()`` wherever a tagger takes layers."""


@dataclass(frozen=True)
class LearnedMix:
    """``gamma * sum_j softmax(scalars)_j * h_j`` (Peters et al. 2018, eq. 1), with scalars and gamma learned for the task.

    It is for stacked views, which keep the layers apart, and for heads that can train it. What was learned can be written into
    a config as a ``scalar_mix``.

    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all layers of the view.
    """

    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_layers(self.layers)
        if self.layers is not None and len(set(self.layers)) < len(self.layers):
            raise ValueError("layers: a layer is named twice; name each one once")
