from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import ARCHITECTURES, NUM_LAYERS
from torch import nn
from transformers import AutoModel

from embedpipe.dataflow import Batch
from embedpipe.encoders import Transformer, packed_linear
from embedpipe.encoders.packed_linear import PackedLinear, pack_weights
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View

needs_kernels = pytest.mark.skipif(not packed_linear._has_kernels(), reason="this CPU has no kernels for bfloat16")
SIZES = st.sampled_from([1, 2, 7, 16, 31, 64, 100])


def linear(size_in: int, size_out: int, *, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(size_in, size_out, bias=bias).to(torch.bfloat16).requires_grad_(False)


def load(model, precision):
    chosen = Transformer(model=str(model), precision=precision, device="cpu")
    return chosen.load(chosen.find())


@needs_kernels
@settings(deadline=None)
@given(
    size_in=SIZES, size_out=SIZES, rows=st.lists(st.integers(0, 33), max_size=2), bias=st.booleans(), transposed=st.booleans()
)
def test_a_packed_layer_is_the_exact_product_rounded_once(size_in, size_out, rows, bias, transposed):
    whole = linear(size_in, size_out, bias=bias)
    inputs = torch.randn(*rows, size_in, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    if transposed and len(rows) == 2:
        inputs = inputs.transpose(0, 1)
    outputs = PackedLinear(whole)(inputs)
    exact = nn.functional.linear(inputs.double(), whole.weight.double(), None if whole.bias is None else whole.bias.double())
    assert outputs.dtype == torch.bfloat16 and outputs.shape == exact.shape
    torch.testing.assert_close(outputs.double(), exact, rtol=2**-8, atol=1e-5)


@needs_kernels
def test_the_weights_can_be_had_as_they_were():
    whole = linear(31, 7)
    packed = PackedLinear(whole)
    assert torch.equal(packed.weight, whole.weight) and packed.weight.dtype == torch.bfloat16
    assert packed.bias is whole.bias


@needs_kernels
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_gives_what_it_gives_unpacked(name, tiny_model):
    encoder = load(tiny_model(name), "bfloat16")
    assert not any(type(module) is nn.Linear for module in encoder._model.modules())
    original = AutoModel.from_pretrained(
        tiny_model(name), dtype=torch.bfloat16, attn_implementation=encoder.description["attention"]
    )
    original = original.get_encoder() if original.config.is_encoder_decoder else original
    ids, mask = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    states = encoder.encode(Batch(ids, mask), range(NUM_LAYERS + 1))
    with torch.no_grad():
        expected = original.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    for layer, state in states.items():
        assert torch.equal(state[mask.bool()], expected[layer][mask.bool()])


@needs_kernels
def test_batches_have_few_different_numbers_of_subwords_where_each_costs_a_kernel(tiny_model):
    lengths = np.random.default_rng(0).integers(3, 20, 3000).tolist()

    def numbers(precision):
        encoder = load(tiny_model("bert"), precision)
        embedder = Embedder(SubwordTokenizer(tiny_model("bert")), encoder, {"last": View(NAMED["last"])})
        return [len(batch) * lengths[batch[0]] for batch in embedder.plan(lengths)][:-1]

    assert all(number % 16 == 0 for number in numbers("bfloat16"))
    assert any(number % 16 for number in numbers("float32"))


def test_float32_is_left_to_transformers_own_kernels(tiny_model):
    modules = list(load(tiny_model("bert"), "float32")._model.modules())
    assert any(type(module) is nn.Linear for module in modules)
    assert not any(isinstance(module, PackedLinear) for module in modules)


@pytest.mark.parametrize("lacking", ["oneDNN", "an operator"])
def test_nothing_is_packed_where_there_are_no_kernels(lacking, monkeypatch):
    model = nn.Sequential(linear(4, 4))
    if lacking == "oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(packed_linear, "_OPERATORS", (*packed_linear._OPERATORS, "_of_another_version"))
    pack_weights(model)
    assert type(model[0]) is nn.Linear
