"""Layers of unlike width: how long a combined vector is, and what is refused."""

from __future__ import annotations

import pytest
import torch

from embedpipe.layers import NAMED, Concat, Layer, Mean, ScalarMix, Stack, Sum, WeightedSum, combined_size, unlike_sizes

SIZES = (4, 6, 6, 3)

FITTING = [
    Layer(0),
    Layer(-1),
    Sum((1, 2)),
    Mean((2,)),
    Concat((0, 1, 3)),
    Concat((1, 2)),
    Stack(),
    Stack((0, 3)),
    Stack((1, 2)),
]
UNLIKE = [Sum(), Mean((0, 1)), WeightedSum((1.0, 2.0), (0, 3)), ScalarMix((0.0,) * 4), NAMED["sum_all"]]


@pytest.mark.parametrize("combination", FITTING, ids=repr)
def test_the_size_that_is_promised_is_the_one_that_comes(combination):
    states = [torch.ones(2, SIZES[layer]) for layer in combination.needed_layers(3)]
    assert combination.combine(states).shape[-1] == combined_size(combination, SIZES)


@pytest.mark.parametrize("combination", NAMED.values(), ids=list(NAMED))
def test_where_all_layers_are_of_one_width_it_is_the_combinations_own_size(combination):
    assert combined_size(combination, (8,) * 5) == combination.vector_size(8, 4)


@pytest.mark.parametrize("combination", UNLIKE, ids=repr)
def test_layers_of_unlike_width_are_not_added(combination):
    with pytest.raises(ValueError, match="layers of unlike width cannot be added, and layer"):
        combined_size(combination, SIZES)


def test_the_message_has_the_widths():
    assert "layer 0 has 4, 3 has 3 numbers" in unlike_sizes((0, 3), SIZES)
    assert unlike_sizes((1, 2), SIZES) == ""


def test_a_stack_fills_narrow_layers_up_with_zeros():
    stacked = Stack().combine([torch.ones(1, 3), torch.ones(1, 1)])
    assert stacked.tolist() == [[[1, 1, 1], [1, 0, 0]]]
