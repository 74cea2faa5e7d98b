"""Filled-up keys: what transformers' own attention gives, and in which models it is in use."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import ARCHITECTURES, DECODERS, NUM_LAYERS
from torch.nn import functional
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from embedpipe.dataflow import Batch
from embedpipe.encoders import Transformer
from embedpipe.encoders.padded_keys import attend

ASKED_BY_NAME = {"bert", "electra", "roberta", "xlm-roberta", "distilbert", "bart", "modernbert"}
"""Encoders whose code asks for its attention by name."""


def load(model, precision="bfloat16"):
    chosen = Transformer(model=str(model), precision=precision, device="cpu")
    return chosen.load(chosen.find())


@settings(deadline=None)
@given(
    num_windows=st.integers(1, 3),
    num_subwords=st.integers(1, 70),
    num_groups=st.sampled_from([1, 2]),
    kind=st.sampled_from(["none", "what may be seen", "what is added", "one for all"]),
    causal=st.booleans(),
    biased=st.booleans(),
    data=st.data(),
)
def test_attention_is_that_of_transformers(num_windows, num_subwords, num_groups, kind, causal, biased, data):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    heads, size = 2 * num_groups, 8
    query, key, value = (
        torch.randn(num_windows, num_subwords, count, size, generator=generator).transpose(1, 2) for count in (heads, 2, 2)
    )
    lengths = torch.tensor([data.draw(st.integers(1, num_subwords)) for _ in range(num_windows)])
    seen = (torch.arange(num_subwords) < lengths[:, None])[:, None, None, :].expand(-1, 1, num_subwords, -1)
    mask = {
        "none": None,
        "what may be seen": seen,
        "what is added": torch.zeros(seen.shape).masked_fill(~seen, float("-inf")),
        "one for all": torch.ones(1, 1, num_subwords, num_subwords, dtype=torch.bool),
    }[kind]
    module = SimpleNamespace(num_key_value_groups=num_groups, is_causal=causal)
    bias = {"position_bias": torch.randn(1, heads, num_subwords, num_subwords, generator=generator)} if biased else {}
    expected, _ = sdpa_attention_forward(module, query, key, value, mask, scaling=0.4, **bias)
    found, weights = attend(module, query, key, value, mask, scaling=0.4, **bias)
    assert found.shape == expected.shape and weights is None
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize(("num_subwords", "num_keys"), [(15, 16), (16, 16), (17, 17), (20, 20), (21, 32), (32, 32), (40, 48)])
def test_keys_are_filled_up_where_five_or_more_are_left_over(num_subwords, num_keys, monkeypatch):
    asked = []

    def look(query, key, value, **given):
        asked.append((query.shape[2], key.shape[2], value.shape[2]))
        return query

    monkeypatch.setattr(functional, "scaled_dot_product_attention", look)
    states = torch.zeros(1, 2, num_subwords, 8)
    attend(SimpleNamespace(is_causal=False), states, states, states, None)
    assert asked == [(num_subwords, num_keys, num_keys)]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_gives_what_it_gives_with_transformers_own(name, tiny_model):
    encoder = load(tiny_model(name))
    model, has_other = encoder._model, encoder._model.config._attn_implementation == "embedpipe_padded_keys"
    assert has_other or name not in ASKED_BY_NAME
    assert encoder.description["attention"] in ("sdpa", "eager"), "what the provenance says is of transformers"
    ids = torch.randint(5, 30, (3, 13), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(13) < torch.tensor([13, 12, 6])[:, None]).long()
    found = encoder.encode(Batch(ids, mask), range(NUM_LAYERS + 1))
    model.set_attn_implementation(encoder.description["attention"])
    expected = encoder.encode(Batch(ids, mask), range(NUM_LAYERS + 1))
    for layer in found:
        ours, theirs = found[layer][mask.bool()].float(), expected[layer][mask.bool()].float()
        torch.testing.assert_close(ours, theirs, atol=0.05 * theirs.abs().max().item(), rtol=0)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_keeps_its_own(name, tiny_model):
    assert load(tiny_model(name))._model.config._attn_implementation in ("sdpa", "eager")


def test_float32_keeps_its_own(tiny_model):
    assert load(tiny_model("bert"), "float32")._model.config._attn_implementation == "sdpa"
