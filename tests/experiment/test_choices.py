"""Groups and names of choices, made out for encoders of any depth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.errors import ConfigError
from embedpipe.experiment.choices import GROUPS, PAPER, check_choices, expand
from embedpipe.layers import Concat, Layer, Mean, ScalarMix, Stack, Sum


def test_paper_has_its_six_choices_and_the_learned_readings_of_its_weighted_sums():
    choices, notes = expand(["paper"], {}, 12, "bert")
    assert [choice.name for choice in choices] == [
        "embeddings",
        "second_to_last",
        "last",
        "sum_last_four",
        "mix_last_four",
        "concat_last_four",
        "sum_all",
        "mix_all",
    ]
    assert {choice.name: choice.layers for choice in choices} == {
        "embeddings": (0,),
        "second_to_last": (11,),
        "last": (12,),
        "sum_last_four": (9, 10, 11, 12),
        "mix_last_four": (9, 10, 11, 12),
        "concat_last_four": (9, 10, 11, 12),
        "sum_all": tuple(range(1, 13)),
        "mix_all": tuple(range(1, 13)),
    }
    assert not notes
    assert PAPER["concat_last_four"][1] == 0.961


def test_layers_are_all_of_them_with_the_embedding_layer_first():
    choices, _ = expand(["layers"], {}, 6, "minilm")
    assert [choice.name for choice in choices] == [f"layer_{layer}" for layer in range(7)]
    assert all(choice.kind == "layer" and choice.vectors == Layer(layer) for layer, choice in enumerate(choices))


def test_only_the_mix_of_elmo_has_the_embedding_layer_in_it():
    choices, _ = expand(["mixes"], {}, 6, "minilm")
    mixes = {choice.name: choice.vectors for choice in choices}
    assert mixes == {
        "mix_last_four": LearnedMix((3, 4, 5, 6)),
        "mix_all": LearnedMix((1, 2, 3, 4, 5, 6)),
        "mix_elmo": LearnedMix((0, 1, 2, 3, 4, 5, 6)),
    }


@given(st.lists(st.sampled_from([*GROUPS, "last", "layer_1", "mix_all", "mean_all"]), min_size=1), st.integers(4, 24))
def test_a_choice_comes_once_however_often_it_is_named(names, num_layers):
    choices, _ = expand(names, {}, num_layers, "any")
    found = [choice.name for choice in choices]
    assert len(found) == len(set(found))
    assert set(names) - set(GROUPS) <= set(found)


@pytest.mark.parametrize(
    ("one", "other", "num_layers"),
    [("last", "layer_6", 6), ("embeddings", "layer_0", 6), ("second_to_last", "layer_5", 6), ("sum_last_four", "sum_all", 4)],
)
def test_two_names_of_the_same_vectors_have_one_identity(one, other, num_layers):
    (first, second), _ = expand([one, other], {}, num_layers, "any")
    assert first.identity == second.identity


def test_different_vectors_have_different_identities():
    more = {"mean": Mean((9, 10, 11, 12)), "weights": ScalarMix((0.0, 1.0), (1, 2)), "others": ScalarMix((1.0, 0.0), (1, 2))}
    choices, _ = expand(["paper", "mixes", "mean_all", *more], more, 12, "bert")
    identities = [str(choice.identity) for choice in choices]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_group_leaves_out_what_an_encoder_has_too_few_layers_for_and_says_so(num_layers):
    choices, notes = expand(["paper", "mixes"], {}, num_layers, "tiny")
    names = {choice.name for choice in choices}
    assert not {name for name in names if "last_four" in name}
    assert {"embeddings", "last", "sum_all", "mix_all", "mix_elmo"} <= names
    assert ("second_to_last" in names) == (num_layers > 1)
    assert any(
        f"concat_last_four is left out for tiny: it needs 4 encoder layers, and the encoder has {num_layers}" in note
        for note in notes
    )
    assert len(notes) == len(set(notes))


@pytest.mark.parametrize(("name", "needs"), [("sum_last_four", 4), ("mix_last_four", 4), ("layer_3", 3)])
def test_what_is_named_by_itself_is_refused_where_it_cannot_be(name, needs):
    with pytest.raises(ConfigError, match=f"choices: '{name}' needs {needs} encoder layers, and encoder 'tiny' has 2"):
        expand([name], {}, 2, "tiny")


def test_a_combination_of_the_user_is_compared_as_well():
    more = {"ends": Concat((0, -1))}
    (choice,), _ = expand(["ends"], more, 4, "any")
    assert (choice.kind, choice.layers, choice.vectors) == ("combination", (0, 4), Concat((0, 4)))
    assert choice.vector_size((8,) * 5) == choice.num_values((8,) * 5) == 16


def test_a_combination_of_the_user_that_the_encoder_cannot_make_is_refused():
    with pytest.raises(ConfigError, match=r"more_choices.high: layer 9 does not exist.*encoder 'any'"):
        expand(["high"], {"high": Layer(9)}, 4, "any")


def test_a_learned_mix_keeps_all_its_layers_and_gives_one_vector():
    (choice,), _ = expand(["mix_elmo"], {}, 4, "any")
    assert (choice.vector_size((8,) * 5), choice.num_values((8,) * 5)) == (8, 40)


@pytest.mark.parametrize(
    ("choices", "more", "message"),
    [
        (["lasst"], {}, "choices: 'lasst' is none. Did you mean 'last'\\?"),
        (["all"], {}, "choices: 'all' is none"),
        (["layer_01"], {}, "choices: 'layer_01' is none"),
        (["last"], {"mix_all": Sum()}, "more_choices: 'mix_all' is the name of a choice already"),
        (["last"], {"layer_2": Sum()}, "more_choices: 'layer_2' is the name"),
        (["last"], {"apart": Stack()}, "more_choices: 'apart' keeps its layers apart"),
    ],
)
def test_names_that_mean_nothing_are_found_without_an_encoder(choices, more, message):
    with pytest.raises(ValueError, match=message):
        check_choices(choices, more)
