from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.layers import DESCRIPTIONS, NAMED, Concat, Layer, Mean, ScalarMix, Stack, Sum, WeightedSum, resolve_layer

NUM_LAYERS = 12


def states_of(combination, num_layers: int = NUM_LAYERS) -> list[torch.Tensor]:
    everything = [torch.full((2, 3), float(layer)) for layer in range(num_layers + 1)]
    return [everything[layer] for layer in combination.needed_layers(num_layers)]


def test_the_six_choices_of_the_paper_take_the_layers_that_it_names():
    needed = {name: layers.needed_layers(NUM_LAYERS) for name, layers in NAMED.items()}
    assert needed["embeddings"] == (0,)
    assert needed["second_to_last"] == (11,)
    assert needed["last"] == (12,)
    assert needed["sum_last_four"] == needed["concat_last_four"] == needed["mean_last_four"] == (9, 10, 11, 12)
    assert needed["sum_all"] == needed["mean_all"] == tuple(range(1, 13))
    assert needed["first"] == (1,)


def test_all_stacks_the_embedding_layer_in_at_index_0():
    stacked = NAMED["all"].combine(states_of(NAMED["all"]))
    assert stacked.shape == (2, 13, 3)
    assert stacked[0, :, 0].tolist() == list(range(13))


def test_every_named_combination_is_described():
    assert DESCRIPTIONS.keys() == NAMED.keys()


@given(st.integers(1, 30), st.data())
def test_a_layer_counted_from_the_end_is_the_one_python_would_take(num_layers, data):
    layer = data.draw(st.integers(-num_layers - 1, num_layers))
    assert resolve_layer(layer, num_layers) == list(range(num_layers + 1))[layer]


@pytest.mark.parametrize("layer", [13, -14, 100])
def test_a_layer_that_does_not_exist_is_an_error_that_says_which_do(layer):
    with pytest.raises(ValueError, match=r"does not exist: the encoder has 12 layers, numbered 0 \(embeddings\) to 12"):
        Layer(layer).needed_layers(NUM_LAYERS)


def test_a_sum_leaves_the_hidden_states_as_they_are():
    states = states_of(NAMED["sum_all"])
    before = [state.clone() for state in states]
    for combination in (Sum(), Mean(), WeightedSum((1.0,) * 12, tuple(range(1, 13)))):
        combination.combine(states)
    assert all(torch.equal(one, other) for one, other in zip(states, before, strict=True))


def test_weights_are_taken_as_they_are_and_scalars_through_a_softmax():
    states = [torch.tensor([[1.0]]), torch.tensor([[10.0]])]
    assert WeightedSum((2.0, -1.0), (0, 1)).combine(states).item() == pytest.approx(-8)
    weights = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    assert ScalarMix((0.0, 1.0), (0, 1), gamma=3).combine(states).item() == pytest.approx(3 * (weights @ [1, 10]))


def test_a_scalar_mix_of_no_layers_named_starts_at_the_embedding_layer():
    assert ScalarMix((0.0,) * 13).needed_layers(NUM_LAYERS) == tuple(range(13))
    with pytest.raises(ValueError, match="scalars: 12 numbers, but the encoder has 13 layers with the embedding layer"):
        ScalarMix((0.0,) * 12).needed_layers(NUM_LAYERS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sum(()), "layers: an empty list"),
        (lambda: Concat(()), "layers: an empty list"),
        (lambda: Stack(()), "layers: an empty list"),
        (lambda: WeightedSum((1.0,), (1, 2)), "weights: 1 numbers for 2 layers"),
        (lambda: ScalarMix(()), "scalars: an empty list"),
    ],
)
def test_a_combination_of_nothing_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("combination", [*NAMED.values(), Concat((1, 1, 0)), Stack((-1, 0)), ScalarMix((1.0, 2.0), (0, -1))])
def test_the_vector_size_that_is_promised_is_the_one_that_comes(combination):
    combined = combination.combine([torch.zeros(5, 8) for _ in combination.needed_layers(NUM_LAYERS)])
    expected = (combination.vector_size(8, NUM_LAYERS),)
    if combination.stacked:
        expected = (len(combination.needed_layers(NUM_LAYERS)), *expected)
    assert combined.shape[1:] == expected
