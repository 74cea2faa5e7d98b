"""Hidden states out of any encoder of transformers, and nothing run above the highest one that is needed.

``hidden_states[j]`` is what *enters* layer ``j``, and ``hidden_states[num_layers]`` is what the encoder returns, after its
final norm where it has one. Both are how transformers defines them, so one rule serves every architecture: a hook in front of
each layer sees the state, and the one in front of the first layer that nobody needs stops the pass there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class _HighestLayerReached(Exception):
    """Ends a forward pass."""


class _Pass(threading.local):
    """What is kept of a forward pass; each thread has its own. It does not know the model, whose hooks know it."""

    def __init__(self) -> None:
        self.needed: frozenset[int] = frozenset()
        self.num_entered = 0
        self.states: dict[int, Tensor] = {}

    def enter_layer(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The hook in front of each layer."""
        if not self.needed:
            return
        if self.num_entered in self.needed:
            self.states[self.num_entered] = args[0] if args else kwargs["hidden_states"]
        if self.num_entered >= max(self.needed):
            raise _HighestLayerReached
        self.num_entered += 1


class LayerCapture:
    """Runs a model and keeps the hidden states that are asked for; threads may run it side by side.

    :param model: Encoder with its layers in a :class:`~torch.nn.ModuleList`.
    :param num_layers: How often the layers are run in one pass (ALBERT runs one layer many times).
    """

    def __init__(self, model: nn.Module, num_layers: int) -> None:
        self._model = model
        self._num_layers = num_layers
        self._pass = _Pass()
        self.hooks_work = False
        """Whether what enters the layers is what the model reports."""
        if (layers := outermost_layers(model)) is not None:
            for layer in layers:
                layer.register_forward_pre_hook(self._pass.enter_layer, with_kwargs=True)
            self.hooks_work = self._agrees_with_the_model()

    def run(self, layers: Iterable[int], **inputs: Tensor) -> dict[int, Tensor]:
        """Run the model up to the highest of ``layers``.

        :returns: Layer index to hidden state. *Shape:* ``(num_windows, length, hidden_size)``.
        """
        wanted = frozenset(layers)
        if self.hooks_work:
            return self._run_hooked(wanted, inputs)
        states = self._model(**inputs, output_hidden_states=True).hidden_states
        return {layer: states[layer] for layer in wanted}

    def _run_hooked(self, wanted: frozenset[int], inputs: dict[str, Tensor]) -> dict[int, Tensor]:
        now = self._pass
        now.needed, now.num_entered, now.states = wanted, 0, {}
        try:
            last = self._model(**inputs).last_hidden_state
            if self._num_layers in wanted:
                now.states[self._num_layers] = last
        except _HighestLayerReached:
            pass
        finally:
            states, now.states, now.needed = now.states, {}, frozenset()
        return states

    def _agrees_with_the_model(self) -> bool:
        """Compare with the model's own ``output_hidden_states`` on two subwords, in case a new architecture differs."""
        device = next(self._model.parameters()).device
        inputs = {name: torch.ones((1, 2), dtype=torch.int64, device=device) for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            expected = self._model(**inputs, output_hidden_states=True).hidden_states
            for highest in {0, self._num_layers // 2, self._num_layers}:
                try:
                    states = self._run_hooked(frozenset(range(highest + 1)), inputs)
                except KeyError:
                    return False
                if len(states) != highest + 1:
                    return False
                if not all(_alike(state, expected[layer]) for layer, state in states.items()):
                    return False
        return True


def _alike(state: Tensor, expected: Tensor) -> bool:
    """Longformer and LED pad what enters their layers."""
    return state.shape == expected.shape and torch.allclose(state, expected, atol=1e-3, equal_nan=True)


def outermost_layers(model: nn.Module) -> nn.ModuleList | None:
    """The first list of modules from the outside in: the stack of layers in every encoder of transformers."""
    queue = deque([model])
    while queue:
        for child in queue.popleft().children():
            if isinstance(child, nn.ModuleList):
                return child
            queue.append(child)
    return None
