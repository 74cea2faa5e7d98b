from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers.activations import GELUActivation

from embedpipe.encoders import packed_linear
from embedpipe.encoders.gelu_in_pieces import GeluInPieces, split_gelus


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(0, 60), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    transposed=st.booleans(),
)
def test_pieces_give_what_the_whole_gives(shape, dtype, transposed):
    inputs = 4 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    inputs = (inputs.transpose(0, -1) if transposed and shape else inputs).to(dtype)
    outputs = GeluInPieces()(inputs)
    exact = nn.functional.gelu(inputs.double())
    assert (outputs.dtype, outputs.shape) == (dtype, inputs.shape)
    torch.testing.assert_close(outputs.double(), exact, rtol=torch.finfo(dtype).eps, atol=2e-5 if dtype.itemsize == 2 else 2e-6)


def test_only_exact_gelus_are_replaced():
    exact, others = [nn.GELU(), GELUActivation()], [nn.GELU("tanh"), GELUActivation(use_gelu_python=True), nn.ReLU()]
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(*exact, *others))
    split_gelus(model)
    assert [type(module) for module in model[1]] == [GeluInPieces, GeluInPieces, *map(type, others)]


def test_a_model_on_another_device_keeps_its_own():
    model = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.GELU())
    split_gelus(model)
    assert type(model[1]) is nn.GELU


_BATCHES = """
import sys
import torch
from torch.backends import mkldnn
from embedpipe.dataflow import Batch
from embedpipe.encoders import Transformer, packed_linear
packed_linear._mkl_is_slow = lambda: True
chosen = Transformer(model=sys.argv[1], device="cpu")
encoder = chosen.load(chosen.find())
with mkldnn.verbose(mkldnn.VERBOSE_ON_CREATION):
    for length in range(5, 45):
        encoder.encode(Batch(torch.full((64, length), 7), torch.ones(64, length, dtype=torch.int64)), [1])
"""


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_forty_shapes_of_batches_do_not_make_forty_kernels(tiny_model):
    done = subprocess.run([sys.executable, "-c", _BATCHES, str(tiny_model("bert"))], check=True, capture_output=True, text=True)
    kernels = [line for line in done.stdout.splitlines() if "create:cache_miss" in line and "gelu" in line]
    assert 0 < len(kernels) < 25
    numbers_of_rows = re.findall(r"create:cache_miss,cpu,inner_product,.*,mb(\d+)ic", done.stdout)
    assert not packed_linear._has_operators() or 0 < len(set(numbers_of_rows)) < 30
