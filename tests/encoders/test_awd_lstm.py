"""AWD-LSTM against fastai's own numbers (see tests/golden/awd_lstm), and what must not change its vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.batching import collate
from embedpipe.dataflow import Batch, Sentence, Window, WordFlag
from embedpipe.encoders import AwdLstm
from embedpipe.encoders.awd_lstm.rules import apply_rules, cut_further
from embedpipe.encoders.awd_lstm.vocabulary import AwdLstmVocabulary
from embedpipe.subwords import WordTokenizer

GOLDEN = Path(__file__).parents[1] / "golden" / "awd_lstm"
FILES = {name: str(GOLDEN / f"{name}.pth") for name in ("forward", "backward")}
ITOS = str(GOLDEN / "itos.pkl")
TEXTS = json.loads((GOLDEN / "texts.json").read_text(encoding="utf-8"))
WORDS = json.loads((GOLDEN / "words.json").read_text(encoding="utf-8"))
NUMBERS = np.load(GOLDEN / "layers.npz")
NUM_LAYERS = 3
MARKS = ["xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxrep", "xxwrep", "xxup", "xxmaj"]

DIRECTIONS = {
    "forward": {"weights": FILES["forward"]},
    "backward": {"backward_weights": FILES["backward"]},
    "both": {"weights": FILES["forward"], "backward_weights": FILES["backward"]},
}


def load(**fields):
    settings = AwdLstm(**{"vocabulary": ITOS, "device": "cpu"} | fields)
    return settings.load(settings.find())


@pytest.fixture(scope="module", params=DIRECTIONS)
def encoder(request):
    return load(**DIRECTIONS[request.param])


@pytest.fixture(scope="module")
def both():
    return load(**DIRECTIONS["both"])


def encode(encoder, *sequences):
    """The layers of each sequence, run as one batch, cut to its length."""
    windows = [Window(np.array(ids, dtype=np.int64), (0, len(ids)), 0) for ids in sequences]
    states = encoder.encode(collate(windows, pad_id=encoder.vocabulary.special.pad_id), range(NUM_LAYERS + 1))
    return [[states[layer][row, : len(ids)].numpy() for layer in range(NUM_LAYERS + 1)] for row, ids in enumerate(sequences)]


def expected(number, name):
    names = ["forward", "backward"] if name == "both" else [name]
    return [np.concatenate([NUMBERS[f"{number}.{one}.{layer}"] for one in names], axis=1) for layer in range(NUM_LAYERS + 1)]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_layer_of_every_direction_is_fastais(name):
    encoder = load(**DIRECTIONS[name])
    assert (encoder.num_layers, encoder.max_window) == (NUM_LAYERS, None)
    for number in range(len(TEXTS)):
        (layers,) = encode(encoder, NUMBERS[f"{number}.ids"])
        assert tuple(layer.shape[1] for layer in layers) == encoder.layer_sizes
        for layer, vectors in enumerate(expected(number, name)):
            assert np.std(vectors) > 0.05
            np.testing.assert_allclose(layers[layer], vectors, atol=1e-5, rtol=0)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_the_units_of_a_text_are_fastais(both, number):
    units = [both.vocabulary.units(word) for word in TEXTS[number].split()]
    ids = [*both.vocabulary.special.prefix, *(id for unit in units for id in unit.ids)]
    assert [unit.inputs for unit in units] == [unit.ids for unit in units]
    assert ids == NUMBERS[f"{number}.ids"].tolist()


@pytest.mark.parametrize("word", WORDS)
def test_the_rules_are_fastais(word):
    assert apply_rules(word) == WORDS[word]["rules"]


SPACY_HAS_EXCEPTIONS = {"--", "@-@", "100km", ":-)", ";)", "cannot", "e.g.", "..a", "''", "@ @-@ @"}


@pytest.mark.parametrize("word", [word for word in WORDS if word not in SPACY_HAS_EXCEPTIONS])
def test_what_no_vocabulary_has_is_cut_as_spacy_cuts_it(word):
    pieces = [part for piece in apply_rules(word) for part in ([piece] if piece in MARKS else cut_further(piece))]
    assert pieces == WORDS[word]["spacy"]


def test_a_words_last_unit_is_the_word_and_the_marks_are_in_front(both):
    (cut,) = WordTokenizer(both.vocabulary).tokenize([Sentence.from_words("s", "d", ["NATO", "", "said", "Berlin", "zebra"])])
    names = [both.vocabulary.words[id] for id in cut.subword_ids]
    assert names == ["xxup", "nato", "said", "xxmaj", "berlin", "xxunk"]
    assert cut.word_offsets.tolist() == [[0, 2], [2, 2], [2, 3], [3, 5], [5, 6]]
    assert cut.word_flags.tolist() == [0, WordFlag.NO_SUBWORDS, 0, 0, WordFlag.UNKNOWN_SUBWORD]


@pytest.mark.parametrize("word", ["xxbos", "XXPAD", "a/xxmaj", "xxunk"])
def test_a_mark_written_out_in_a_corpus_is_an_unknown_word(both, word):
    units = both.vocabulary.units(word)
    assert ([both.vocabulary.words[id] for id in units.ids], units.unknown) == (["xxunk"], True)


def test_a_known_word_is_not_cut_and_of_an_unknown_one_the_known_parts_are_kept():
    vocabulary = AwdLstmVocabulary([*MARKS, "good", "-", "looking", "it's", "do", "n't", "xxfake"])
    for word, units, unknown in [
        ("good-looking", ["good", "-", "looking"], False),
        ("it's", ["it's"], False),
        ("Don't", ["xxmaj", "do", "n't"], False),
        ("bad-looking", ["xxunk", "-", "looking"], True),
        ("xxfake", ["xxunk"], True),
    ]:
        found = vocabulary.units(word)
        assert ([vocabulary.words[id] for id in found.ids], found.unknown) == (units, unknown)


def test_of_two_vocabularies_ids_of_the_first_stay_and_each_model_gets_its_own():
    vocabulary = AwdLstmVocabulary([*MARKS, "a", "b"], [*MARKS, "c", "a"])
    assert vocabulary.words == (*MARKS, "a", "b", "c")
    assert [vocabulary.units(word).unknown for word in "abc"] == [False, True, True]
    assert vocabulary.numbers_in([*MARKS, "c", "a"]) == [*range(9), 10, 0, 9]


def test_models_with_vocabularies_in_another_order_give_the_same_vectors(tmp_path, both):
    words = list(both.vocabulary.words)
    order = [*range(9), *reversed(range(9, len(words)))]
    weights = torch.load(FILES["backward"], weights_only=True)
    torch.save(weights | {"0.encoder.weight": weights["0.encoder.weight"][order]}, tmp_path / "bwd.pth")
    (tmp_path / "bwd.json").write_text(json.dumps([words[number] for number in order]))
    other = load(
        weights=FILES["forward"],
        backward_weights=str(tmp_path / "bwd.pth"),
        backward_vocabulary=str(tmp_path / "bwd.json"),
    )
    ids = [other.vocabulary.units(word).ids for word in ("Berlin", "saw", "zebra")]
    assert ids == [both.vocabulary.units(word).ids for word in ("Berlin", "saw", "zebra")]
    flat = [2, *(id for unit in ids for id in unit)]
    for found, wanted in zip(encode(other, flat)[0], encode(both, flat)[0], strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)


sequences = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=9), min_size=1, max_size=5)


@given(sequences=sequences)
def test_a_vector_is_the_same_whatever_batch_it_is_in(encoder, sequences):
    sequences = [[id % len(encoder.vocabulary.words) for id in sequence] for sequence in sequences]
    together = encode(encoder, *sequences)
    turned = encode(encoder, *reversed(sequences))[::-1]
    for sequence, found, again in zip(sequences, together, turned, strict=True):
        (alone,) = encode(encoder, sequence)
        for layer in range(NUM_LAYERS + 1):
            np.testing.assert_allclose(found[layer], alone[layer], atol=1e-5, rtol=0)
            np.testing.assert_allclose(again[layer], alone[layer], atol=1e-5, rtol=0)


def test_what_stands_in_the_padding_changes_nothing(encoder):
    ids, mask = torch.tensor([[2, 9, 10, 5, 7]]), torch.tensor([[1, 1, 1, 0, 0]])
    padded = encoder.encode(Batch(ids, mask), [NUM_LAYERS])[NUM_LAYERS][0, :3].numpy()
    np.testing.assert_allclose(padded, encode(encoder, [2, 9, 10])[0][NUM_LAYERS], atol=1e-5, rtol=0)


def test_a_run_leaves_no_state_behind(encoder):
    first = encode(encoder, [2, 9, 10, 11])[0]
    encode(encoder, [2, 11, 12], [2, 14])
    for before, after in zip(first, encode(encoder, [2, 9, 10, 11])[0], strict=True):
        assert np.array_equal(before, after)


def test_forward_vectors_know_what_is_before_and_backward_vectors_what_is_behind():
    one, other = [2, 9, 10, 11], [2, 9, 10, 12]
    forward, backward = load(**DIRECTIONS["forward"]), load(**DIRECTIONS["backward"])
    last = NUM_LAYERS
    assert np.allclose(encode(forward, one)[0][last][:3], encode(forward, other)[0][last][:3], atol=1e-6)
    assert not np.isclose(encode(backward, one)[0][last][:3], encode(backward, other)[0][last][:3], atol=1e-6).all(axis=1).any()
    assert not np.isclose(encode(forward, one)[0][last][3], encode(forward, [2, 10, 10, 11])[0][last][3], atol=1e-6).all()
    assert np.allclose(encode(backward, one)[0][last][2:], encode(backward, [2, 12, 10, 11])[0][last][2:], atol=1e-6)


def test_layers_above_the_highest_one_are_not_run(both):
    ran = []
    handles = [
        lstm.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
        for network in both._networks
        for layer, lstm in enumerate(network.lstms, 1)
    ]
    ids = torch.tensor([[2, 9]])
    assert list(both.encode(Batch(ids, torch.ones_like(ids)), [0])) == [0]
    assert ran == []
    assert set(both.encode(Batch(ids, torch.ones_like(ids)), [2, 1])) == {1, 2}
    assert sorted(ran) == [1, 1, 2, 2]
    for handle in handles:
        handle.remove()


def test_words_are_pooled_by_their_last_unit_where_there_is_a_forward_model(encoder):
    directions = {network.backward for network in encoder._networks}
    settings = AwdLstm(
        ITOS, FILES["forward"] if False in directions else None, FILES["backward"] if True in directions else None
    )
    assert encoder.is_causal == settings.is_causal(settings.find()) == (False in directions)


def test_the_provenance_says_what_it_is(both):
    said = both.description
    assert said["layer_sizes"] == [24, 40, 40, 24]
    assert (said["num_layers"], said["hidden_size"], said["precision"]) == (3, 40, "float32")
    assert said["architecture"] == "AWD-LSTM, forward and backward"
    assert [path.name for path in both.files] == ["forward.pth", "backward.pth", "itos.pkl"]
