"""Against reference outputs of the real AllenNLP 2.10.1 (PretrainedTransformerMismatchedEmbedder), where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embedpipe.dataflow import Sentence, WordFlag
from embedpipe.encoders import Transformer
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED, ScalarMix
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View

LITERAL_SPECIALS = {"[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"}
"""AllenNLP lets these words of a corpus become special subwords; here they are text. The one departure."""


@pytest.mark.parametrize("name", ["bert_tiny", "bert_minilm"])
def test_words_offsets_pooling_and_scalar_mix_equal_allennlps(name, shared: Path):
    golden = np.load(shared / "goldens" / f"{name}.npz")
    encoder = Transformer(str(shared / "goldens" / "tinybert") if name == "bert_tiny" else "minilm", device="cpu")
    # AllenNLP's mix leaves the embedding layer out.
    mix = ScalarMix(tuple(map(float, golden["mix"])), tuple(range(1, len(golden["mix"]) + 1)), float(golden["gamma"]))
    views = {
        f"{allennlp}_{layers}": View(combination, "word", pooling)
        for allennlp, pooling in (("first", "first"), ("avg", "mean"))
        for layers, combination in (("last", NAMED["last"]), ("mix", mix))
    }
    files = encoder.find()
    embedder = Embedder(SubwordTokenizer(files.folder), encoder.load(files), views)
    num_compared = num_departures = 0
    for number, batch in enumerate(json.loads(str(golden["tokens_json"]))):
        key = f"nofold_b{number:02d}"
        (block,) = embedder.embed([Sentence.from_words(str(i), "d", words) for i, words in enumerate(batch)])
        first_word = 0
        for row, words in enumerate(batch):
            rows = slice(first_word, first_word + len(words))
            first_word += len(words)
            if LITERAL_SPECIALS & set(words):
                num_departures += 1
                continue
            # AllenNLP's offsets are inclusive, count [CLS], and are (-1, -1) for a word without subwords.
            offsets = block.word_offsets[rows] + [1, 0]
            offsets[block.word_flags[rows] & WordFlag.NO_SUBWORDS > 0] = -1
            assert offsets.tolist() == golden[f"{key}_offsets"][row, : len(words)].tolist(), words
            for view in views:
                if f"{key}_out_{view}" in golden.files:
                    expected = golden[f"{key}_out_{view}"][row, : len(words)]
                    np.testing.assert_allclose(block.views[view][rows], expected, atol=1e-5, err_msg=f"{view} of {words}")
                    num_compared += 1
    assert num_compared >= (200 if name == "bert_tiny" else 20)
    assert num_departures <= 2
