"""ELMo against AllenNLP's own parts, and what its vectors may depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from elmo_samples import SIZE, Oracle, embed, embedder_of, sentences_of, settings_of, write_elmo
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.dataflow import Batch, SentenceFlag, WordFlag
from embedpipe.encoders.elmo.projected_lstm import _in_parts
from embedpipe.encoders.elmo.spelling import character_ids, spell
from embedpipe.errors import ConfigError
from embedpipe.subwords import DocumentContext, SentenceContext

TEXTS = [
    ["The", "cat", "sat", "."],
    ["a"] * 23,
    [],
    ["naïve", "你好", "😀", "\u200b", "x" * 47, "x" * 48, "x" * 49, "你" * 17],
    ["The", "cat", "sat", "."],
    ["<S>", "in", "</S>", "the", "middle"],
    ["", "word", ""],
    ["one"],
]

VARIANTS = {
    "as published": {},
    "one layer": {"lstm__n_layers": 1},
    "three layers": {"lstm__n_layers": 3},
    "no skip connections": {"lstm__use_skip_connections": False, "lstm__n_layers": 3},
    "clips off": {"lstm__cell_clip": None, "lstm__proj_clip": 0},
    "one clip": {"lstm__cell_clip": 0.2, "lstm__proj_clip": None},
    "tight clips": {"lstm__cell_clip": 0.05, "lstm__proj_clip": 0.02},
    "tanh": {"char_cnn__activation": "tanh"},
    "no highway": {"char_cnn__n_highway": 0},
    "one wide filter": {"char_cnn__filters": [[7, 9]]},
    "short words": {"char_cnn__max_characters_per_token": 8},
    "long words": {"char_cnn__max_characters_per_token": 90},
    "as few characters as can be": {"char_cnn__max_characters_per_token": 4, "char_cnn__filters": [[1, 3], [4, 5]]},
    "cells that are multiplied in blocks": {"lstm__dim": 128},
    "wider state than cell": {"lstm__dim": 3, "lstm__projection_dim": 8},
}


@pytest.fixture(scope="module")
def elmo(tmp_path_factory):
    return write_elmo(tmp_path_factory.mktemp("elmo"))


@pytest.fixture(scope="module")
def embedder(elmo):
    return embedder_of(settings_of(elmo))


@pytest.fixture(scope="module")
def oracle(elmo):
    return Oracle(elmo)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_layer_equals_what_allennlps_own_cells_and_highways_give(name, tmp_path):
    files = write_elmo(tmp_path, **VARIANTS[name])
    oracle, embedder = Oracle(files), embedder_of(settings_of(files))
    assert embedder.encoder.num_layers == oracle.options["lstm"]["n_layers"]
    assert embedder.encoder.hidden_size == 2 * oracle.options["lstm"]["projection_dim"]
    for words, found in zip(TEXTS, embed(embedder, TEXTS), strict=True):
        np.testing.assert_allclose(found, oracle(words), atol=1e-5, err_msg=str(words))


def test_the_variants_of_the_options_make_a_difference(tmp_path):
    found = []
    for number, changes in enumerate(VARIANTS.values()):
        files = write_elmo(tmp_path / str(number), **changes)
        found.append(
            embed(embedder_of(settings_of(files)), [["".join(map(chr, range(33, 120))), "long"] * 3])[0][:, -1].tobytes()
        )
    assert len(set(found)) == len(VARIANTS)


def test_layer_0_is_the_words_own_vector_twice(embedder):
    found = embed(embedder, [["the", "cat"], ["cat", "cat"]])
    for vector in (found[0][1, 0], found[1][0, 0], found[1][1, 0]):
        np.testing.assert_allclose(vector, found[0][1, 0], atol=1e-6)
        assert vector[:SIZE].tolist() == vector[SIZE:].tolist()


WORDS = st.text("abé你😀<S>/ ", max_size=9) | st.sampled_from(["<S>", "the", "x" * 60])


@given(st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=7), st.integers(1, 40), st.randoms())
@settings(deadline=None, max_examples=25)
def test_a_sentences_vectors_depend_on_nothing_but_itself(elmo, embedder, texts, budget, random):
    shuffled = [*texts, *texts[:2]]
    random.shuffle(shuffled)
    for words, found in zip(shuffled, embed(embedder_of(settings_of(elmo), budget), shuffled), strict=True):
        (alone,) = embed(embedder, [words])
        np.testing.assert_allclose(found, alone, atol=1e-6, rtol=1e-6)


def test_long_batches_give_the_same_as_short_ones(embedder, oracle):
    texts = [["word"] * 400, ["word", "other"] * 150, ["a"] * 3] * 2
    for words, found in zip(texts, embed(embedder, texts), strict=True):
        np.testing.assert_allclose(found, oracle(words), atol=1e-5)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=9).map(lambda counts: sorted(counts, reverse=True)), st.booleans())
def test_parts_of_a_packed_batch_lie_together_and_keep_their_order(counts, backward):
    steps = [step for part in _in_parts(counts, backward=backward) for step in part]
    stops = np.cumsum(counts).tolist()
    expected = list(zip([0, *stops[:-1]], stops, strict=True))
    assert steps == (expected[::-1] if backward else expected)
    assert all(
        sum(stop - start for start, stop in part) <= max(512, counts[0]) for part in _in_parts(counts, backward=backward)
    )


def test_equal_runs_give_equal_bytes_whatever_words_were_met_before(elmo):
    fresh, used = embedder_of(settings_of(elmo)), embedder_of(settings_of(elmo))
    embed(used, [["other", "words", "the"], ["zebra"]])
    for one, other in zip(embed(fresh, TEXTS), embed(used, TEXTS), strict=True):
        assert one.tobytes() == other.tobytes()


@given(st.text(max_size=60), st.integers(3, 60))
def test_characters_are_those_of_allennlp(elmo, word, most):
    oracle = object.__new__(Oracle)
    oracle.options = {"char_cnn": {"max_characters_per_token": most}}
    word = word.encode("utf-8", "ignore").decode()
    assert character_ids([spell(word, most)], most).tolist() == [oracle.character_ids(word)]


def test_a_word_that_is_cut_is_flagged_and_empty_words_are_spelled_too(embedder):
    words = ["x" * 48, "x" * 49, "你" * 16, "你" * 17, "", "x"]
    (block,) = embedder.embed(sentences_of([words]))
    cut = int(WordFlag.CUT)
    assert block.word_flags.tolist() == [0, cut, 0, cut, 0, 0]
    assert block.word_offsets.tolist() == [[n, n + 1] for n in range(6)]
    assert block.views["all"].any(axis=(1, 2)).all()
    assert block.sentence_flags.tolist() == [0]


def test_the_ids_of_words_are_the_same_in_every_run_and_fit_the_store(elmo):
    first, second = (settings_of(elmo).load(settings_of(elmo).find()).vocabulary for _ in range(2))
    words = ["b", "a", "", "<S>", "你好", "a\ud800"]
    ids = [first.units(word).ids for word in words]
    assert [second.units(word).ids for word in reversed(words)] == ids[::-1]
    assert all(0 <= id < 2**31 for (id,) in ids)
    assert len(set(ids[:5])) == 5
    assert ids[5] == ids[1]  # AllenNLP leaves lone surrogates out


def test_an_empty_sentence_keeps_its_row(embedder):
    (block,) = embedder.embed(sentences_of([["a"], [], ["b"]]))
    assert block.sentence_flags.tolist() == [0, SentenceFlag.EMPTY, 0]
    assert block.views["mean"].any(axis=1).tolist() == [True, False, True]


def test_layers_above_the_highest_one_asked_for_are_not_run(embedder, monkeypatch):
    encoder = embedder.encoder
    batch = Batch(torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.int64))
    calls = []
    lstm = type(encoder._bilm.layers[0][0])
    run = lstm.__call__
    monkeypatch.setattr(lstm, "__call__", lambda self, *inputs: calls.append(self) or run(self, *inputs))
    assert set(encoder.encode(batch, [0])) == {0}
    assert not calls
    assert set(encoder.encode(batch, [1])) == {1}
    assert len(calls) == 2


def test_a_document_or_a_window_of_it_can_be_the_context(elmo, oracle):
    whole = [word for words in TEXTS for word in words]
    found = embed(embedder_of(settings_of(elmo), context=DocumentContext(window=100)), TEXTS)
    np.testing.assert_allclose(np.concatenate(found), oracle(whole), atol=1e-5)
    found = embed(embedder_of(settings_of(elmo), context=SentenceContext(window=12)), [whole])
    np.testing.assert_allclose(found[0][:5], oracle(whole[:10])[:5], atol=1e-5)


def streams(oracle, texts, size):
    """What stateful ELMo gives: each sentence goes on from the states that the one ``size`` places before it has left."""
    states = [{} for _ in range(size)]
    return [oracle(words, states[number % size]) for number, words in enumerate(texts)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_with_stateful_a_sentence_goes_on_from_the_one_a_batch_before(size, elmo, oracle):
    texts = TEXTS * 2
    found = embed(embedder_of(settings_of(elmo, stateful=True, batch_sentences=size), budget=7), texts)
    expected = streams(oracle, texts, size)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    if size < len(texts):
        assert np.abs(np.concatenate(found) - np.concatenate([oracle(words) for words in texts])).max() > 1e-3


@pytest.mark.parametrize("start", [1, 3, 6, 7, 13, 15])
def test_with_stateful_what_is_stored_is_encoded_again_and_the_rest_has_equal_bytes(start, elmo):
    texts = TEXTS * 2
    settings = settings_of(elmo, stateful=True, batch_sentences=3)
    whole = embed(embedder_of(settings, block_bytes=3000), texts)
    rest = embed(embedder_of(settings, block_bytes=3000), texts, start=start)
    assert [each.tobytes() for each in rest] == [each.tobytes() for each in whole[start:]]


def test_with_stateful_blocks_hold_whole_batches_and_each_call_begins_anew(elmo):
    embedder = embedder_of(settings_of(elmo, stateful=True, batch_sentences=3), block_bytes=2000)
    sizes = [len(block.sentences) for block in embedder.embed(sentences_of(TEXTS * 2))]
    assert len(sizes) > 2
    assert all(size % 3 == 0 for size in sizes[:-1])
    first, second = embed(embedder, TEXTS), embed(embedder, TEXTS)
    assert [each.tobytes() for each in first] == [each.tobytes() for each in second]
    assert not list(embedder.embed(sentences_of(TEXTS), start=len(TEXTS)))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"context": DocumentContext(window=9)}, "context.type"),
        ({"context": SentenceContext(window=9)}, "context.window"),
        ({"on_error": "record"}, "on_error"),
    ],
)
def test_with_stateful_what_makes_no_sense_is_refused(more, message, elmo):
    with pytest.raises(ConfigError, match=rf"{message}: .*stateful: true"):
        embedder_of(settings_of(elmo, stateful=True), **more)
    assert embedder_of(settings_of(elmo), **more)
