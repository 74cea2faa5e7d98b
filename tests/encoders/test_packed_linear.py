from __future__ import annotations

import platform
from pathlib import Path

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

needs_operators = pytest.mark.skipif(not packed_linear._has_operators(), reason="this torch has no oneDNN")
needs_kernels = pytest.mark.skipif(not packed_linear.pays(torch.bfloat16), reason="this CPU has no kernels for bfloat16")
PRECISIONS = [pytest.param("float32", marks=needs_operators), pytest.param("bfloat16", marks=needs_kernels)]
SIZES = st.sampled_from([1, 2, 7, 16, 31, 64, 100])
HALF_A_STEP = {"float32": 2**-22, "bfloat16": 2**-8}
"""Of what is rounded once; in float32 sums are rounded, too."""


@pytest.fixture
def slow_mkl(monkeypatch):
    """As on an AMD processor with AVX-512."""
    monkeypatch.setattr(packed_linear, "_mkl_is_slow", lambda: True)


def linear(size_in: int, size_out: int, *, bias: bool = True, precision: str = "bfloat16") -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(size_in, size_out, bias=bias).to(getattr(torch, precision)).requires_grad_(False)


def load(model, precision):
    chosen = Transformer(model=str(model), precision=precision, device="cpu")
    return chosen.load(chosen.find())


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(deadline=None)
@given(
    size_in=SIZES, size_out=SIZES, rows=st.lists(st.integers(0, 33), max_size=2), bias=st.booleans(), transposed=st.booleans()
)
def test_a_packed_layer_is_the_exact_product_rounded_once(precision, size_in, size_out, rows, bias, transposed):
    whole = linear(size_in, size_out, bias=bias, precision=precision)
    inputs = torch.randn(*rows, size_in, generator=torch.Generator().manual_seed(1)).to(whole.weight.dtype)
    if transposed and len(rows) == 2:
        inputs = inputs.transpose(0, 1)
    outputs = PackedLinear(whole)(inputs)
    exact = nn.functional.linear(inputs.double(), whole.weight.double(), None if whole.bias is None else whole.bias.double())
    assert outputs.dtype == whole.weight.dtype and outputs.shape == exact.shape
    torch.testing.assert_close(outputs.double(), exact, rtol=HALF_A_STEP[precision], atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_weights_can_be_had_as_they_were(precision):
    whole = linear(31, 7, precision=precision)
    packed = PackedLinear(whole)
    assert torch.equal(packed.weight, whole.weight) and packed.weight.dtype == whole.weight.dtype
    assert packed.bias is whole.bias


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_gives_what_it_gives_unpacked(name, precision, tiny_model, slow_mkl):
    encoder = load(tiny_model(name), precision)
    assert not any(type(module) is nn.Linear for module in encoder._model.modules())
    original = AutoModel.from_pretrained(
        tiny_model(name), dtype=getattr(torch, precision), attn_implementation=encoder.description["attention"]
    )
    original = original.get_encoder() if original.config.is_encoder_decoder else original
    ids, mask = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    states = encoder.encode(Batch(ids, mask), range(NUM_LAYERS + 1))
    with torch.no_grad():
        expected = original.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    for layer, state in states.items():
        tolerance = 1e-5 if precision == "float32" else 0.0
        torch.testing.assert_close(state[mask.bool()], expected[layer][mask.bool()], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_batches_have_few_different_numbers_of_subwords_where_each_costs_a_kernel(precision, tiny_model, monkeypatch):
    lengths = np.random.default_rng(0).integers(3, 20, 3000).tolist()

    def numbers(*, packed):
        monkeypatch.setattr(packed_linear, "pays", lambda dtype: packed)
        encoder = load(tiny_model("bert"), precision)
        embedder = Embedder(SubwordTokenizer(tiny_model("bert")), encoder, {"last": View(NAMED["last"])})
        return [len(batch) * lengths[batch[0]] for batch in embedder.plan(lengths)][:-1]

    assert all(number % 16 == 0 for number in numbers(packed=True))
    assert any(number % 16 for number in numbers(packed=False))


@needs_operators
@pytest.mark.parametrize(
    ("vendor", "capability", "is_packed"),
    [("AuthenticAMD", "AVX512", True), ("AuthenticAMD", "AVX2", False), ("GenuineIntel", "AVX512", False)],
)
def test_float32_is_packed_only_where_mkl_is_slow(vendor, capability, is_packed, tiny_model, monkeypatch):
    monkeypatch.setattr(packed_linear, "_processor", lambda: f"vendor_id : {vendor}")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    modules = list(load(tiny_model("bert"), "float32")._model.modules())
    assert any(isinstance(module, PackedLinear) for module in modules) == is_packed
    assert any(type(module) is nn.Linear for module in modules) != is_packed


def test_the_processor_is_what_the_system_says(monkeypatch):
    listed = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    said = packed_linear._processor.__wrapped__()
    assert ("vendor_id" in said) == ("vendor_id" in listed) and (said in listed or not listed)
    monkeypatch.setattr(Path, "open", _fail)
    assert packed_linear._processor.__wrapped__() == platform.processor()


def _fail(*given, **named):
    raise FileNotFoundError


@pytest.mark.parametrize("lacking", ["oneDNN", "an operator"])
def test_nothing_is_packed_where_there_are_no_kernels(lacking, monkeypatch, slow_mkl):
    model = nn.Sequential(linear(4, 4), linear(4, 4, precision="float32"))
    if lacking == "oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(packed_linear, "_OPERATORS", (*packed_linear._OPERATORS, "_of_another_version"))
    assert not pack_weights(model)
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear]
