"""Static vectors as an encoder: words with and without a vector, and the whole way into a store and a comparison."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from static_files import VECTORS, WORDS, fasttext_of, fasttext_table, load, text_of, vectors_of, write

import embedpipe
from embedpipe.dataflow import Batch, SentenceFlag, WordFlag
from embedpipe.errors import ConfigError, EncoderError
from embedpipe.experiment.choices import GROUPS, expand
from embedpipe.layers import Concat, Layer
from embedpipe.store import StoreWriter
from embedpipe.store.verify import verify

TEXT = "the river in Berlin .\n\nIBM a THE\nBerlins rivers café you\n"


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "vectors.txt", text_of(WORDS, VECTORS, header=True))


def test_a_word_without_vector_is_flagged_and_gets_what_unknown_says(path):
    for unknown, expected in (("zero", np.zeros(5)), ("mean", VECTORS.mean(axis=0))):
        encoder = load(path, unknown=unknown)
        assert encoder.vocabulary.units("other").unknown
        assert encoder.vocabulary.units("other").ids == (len(WORDS),)
        assert np.allclose(vectors_of(encoder, ["other"])[0], expected, atol=1e-6)
    assert load(path).description["unknown"] == "zero"


def test_random_vectors_are_the_words_own_in_every_run_and_as_long_as_the_others(path):
    words = [f"unknown-{number}" for number in range(300)]
    drawn = vectors_of(load(path, unknown="random"), words)
    assert np.array_equal(vectors_of(load(path, unknown="random"), words[::-1])[::-1], drawn)
    assert len(np.unique(drawn, axis=0)) == len(words)
    assert np.sqrt(np.square(drawn).mean()) == pytest.approx(np.sqrt(np.square(VECTORS).mean()), rel=0.05)
    assert drawn[0].tolist() == pytest.approx(FIRST_DRAWN, rel=1e-6)


FIRST_DRAWN = [-1.2242147, -0.6875298, -0.22013412, -1.3819987, 1.1744068]


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("as_is", {"Berlin": 1, "berlin": None, "BERLIN": None, "THE": None, "the": 0, "ibm": None}),
        ("lower", {"Berlin": None, "THE": 0, "the": 0, "River": 2, "IBM": None}),
        ("fall_back", {"Berlin": 1, "berlin": 1, "BERLIN": 1, "THE": 0, "The": 0, "ibm": 6, "CAFÉ": 3, "other": None}),
    ],
)
def test_words_are_looked_up_in_the_case_that_was_chosen(case, found, path):
    vocabulary = load(path, case=case).vocabulary
    rows = {word: (units.ids[0], units.unknown) for word in found for units in [vocabulary.units(word)]}
    assert rows == {word: (len(WORDS), True) if row is None else (row, False) for word, row in found.items()}


def test_a_word_whose_vector_in_the_file_is_zero_is_flagged(tmp_path):
    encoder = load(write(tmp_path / "v", text_of(["a", "zero"], [[1.0, 2.0], [0.0, 0.0]], header=True)))
    assert encoder.vocabulary.units("zero").unknown
    assert not encoder.vocabulary.units("a").unknown


def test_normalized_vectors_have_length_one_and_zeros_stay(path):
    got = vectors_of(load(path, normalize=True), [*WORDS, "other"])
    assert np.allclose(got[:-1], VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), atol=1e-6)
    assert not got[-1].any()


@settings(max_examples=30, deadline=None)
@given(
    sentences=st.lists(
        st.lists(st.sampled_from([*WORDS, "other", "Berlins", "x"]), min_size=1, max_size=5), min_size=1, max_size=5
    )
)
@pytest.mark.parametrize("unknown", ["mean", "random", "subwords"])
def test_a_vector_is_the_same_whatever_stands_beside_it(unknown, sentences, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "invariance.bin"
    if not path.exists():
        write(path, fasttext_of(WORDS, fasttext_table()))
    encoder = load(path, unknown=unknown)
    rows = [[encoder.vocabulary.units(word).inputs[0] for word in words] for words in sentences]
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    together = encoder.encode(Batch(ids, mask), {0})[0]
    for words, states, row in zip(sentences, together, rows, strict=True):
        assert np.array_equal(states[: len(row)].numpy(), np.concatenate([vectors_of(encoder, [word]) for word in words]))
        assert not states[len(row) :].any()


def test_there_is_no_layer_but_the_embeddings(path):
    encoder = load(path)
    assert (encoder.num_layers, encoder.hidden_size, encoder.max_window) == (0, 5, None)
    with pytest.raises(EncoderError, match="has word vectors only, layer 0"):
        encoder.encode(Batch(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.int64)), {0, 1})


def config(tmp_path, path, **changes):
    corpus = write(tmp_path / "corpus.txt", TEXT.encode())
    return {
        "corpus": {"type": "words", "path": str(corpus)},
        "encoder": {"type": "static", "path": str(path), "case": "as_is"},
        "views": {"embeddings": {"layers": "embeddings"}, "last": {"layers": "last"}, "all": {"layers": "all"}},
    } | changes


def test_a_store_has_the_files_vectors_and_says_which_words_had_none(tmp_path, path):
    made = config(tmp_path, path, views={"last": {"layers": "last"}, "mean": {"unit": "sentence", "layers": "embeddings"}})
    with embedpipe.extract(made, output=tmp_path / "store.h5") as store:
        assert list(verify(store.path)) == []
        words = store.words_frame()
        known = words["word"].isin(WORDS).to_numpy()
        expected = [VECTORS[WORDS.index(word)] if word in WORDS else np.zeros(5) for word in words["word"]]
        assert np.array_equal(store.matrix("last")[:], np.array(expected, np.float32))
        assert ((words["flags"].to_numpy() & WordFlag.UNKNOWN_SUBWORD > 0) == ~known).all()
        assert np.allclose(store.vectors("mean", store.ids[0]), np.array(expected[:5]).mean(axis=0), atol=1e-6)
        assert store.provenance["encoder"]["num_layers"] == 0
        assert store.provenance["inputs"]["model"].keys() == {"vectors.txt"}
        assert not any(sentence.flags & SentenceFlag.WINDOWED for sentence in store)


def test_an_interrupted_extraction_goes_on_to_the_same_bytes_with_another_table(tmp_path, path, monkeypatch):
    write(path, fasttext_of(WORDS, fasttext_table()))
    made = config(tmp_path, path, views={"last": {"layers": "last"}}, store={"shard_size": "1 KiB"})
    text = "".join(f"the word-{number} in Berlin other-{number % 7}\n" for number in range(60))
    write(tmp_path / "corpus.txt", text.encode())
    embedpipe.extract(made, output=tmp_path / "whole.h5").close()
    with monkeypatch.context() as interrupted:
        append, calls = StoreWriter.append, []

        def stop(*given):
            calls.append(given)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return append(*given)

        interrupted.setattr(StoreWriter, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            embedpipe.extract(made, output=tmp_path / "again.h5")
    (tmp_path / "vectors.txt.embedpipe").unlink()
    with embedpipe.extract(made, output=tmp_path / "again.h5") as store:
        assert list(verify(store.path)) == []
        assert store.provenance["run"]["num_shards_kept"] > 0
    shards = sorted((tmp_path / "whole.h5.shards").glob("*.h5"))
    assert len(shards) > 3
    for shard in shards:
        assert (tmp_path / "again.h5.shards" / shard.name).read_bytes() == shard.read_bytes()


@pytest.mark.parametrize("layers", ["sum_last_four", "second_to_last", "first", "sum_all", "mean_all"])
def test_a_view_of_layers_that_are_not_there_is_refused_before_the_first_sentence(layers, tmp_path, path):
    with pytest.raises(ConfigError, match=r"views.v.layers: .*the encoder has no layers but its embeddings"):
        embedpipe.extract(config(tmp_path, path, views={"v": {"layers": layers}}), output=tmp_path / "s.h5")


def test_info_says_how_many_words_had_no_vector(tmp_path, path):
    from embedpipe.cli.info import as_text, describe

    with embedpipe.extract(config(tmp_path, path), output=tmp_path / "store.h5") as store:
        count = int((~store.words_frame()["word"].isin(WORDS)).sum())
        shown = "\n".join(as_text(describe(store)))
    assert "static vectors (word2vec_text), 0 layers of 5" in shown
    assert f"UNKNOWN_SUBWORD: {count}" in shown
    assert count > 3


def test_static_vectors_are_compared_beside_a_transformer(tmp_path, path, tiny_model, capsys):
    lines = [f"fox-{n} O\nlives O\nin O\n{place} B-LOC\n. O\n" for n in range(6) for place in ("Berlin", "Oslo")]
    corpus = write(tmp_path / "train.conll", "\n".join(lines).encode())
    shutil.copytree(tiny_model("bert"), tmp_path / "bert")
    made = {
        "task": {"type": "ner"},
        "splits": {"type": "random", "corpus": {"type": "conll2003", "path": str(corpus)}, "by": "sentence"},
        "encoders": {
            "static": {"type": "static", "path": str(path)},
            "bert": {"type": "transformer", "model": str(tmp_path / "bert"), "device": "cpu"},
        },
        "choices": ["embeddings", "last", "concat_last_four", "mix_elmo"],
        "heads": {"linear": {"type": "linear", "training": {"epochs": 2}}},
        "seeds": [0],
        "maps": ["in"],
    }
    results = embedpipe.compare(made, tmp_path / "out")
    rows = {(row.encoder, row.choice) for row in results.rows}
    assert {choice for encoder, choice in rows if encoder == "static"} == {"embeddings"}
    assert ("bert", "concat_last_four") in rows

    assert "static has no layers but its embeddings; left out for it: concat_last_four, mix_elmo, last." in results.notes
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "static" in page


def test_of_all_choices_an_encoder_without_layers_has_its_vectors_and_the_rest_is_one_note():
    more = {"own": Concat((0, -1)), "high": Layer(3)}
    choices, (note,) = expand([*GROUPS, *more], more, 0, "static")
    assert [choice.name for choice in choices] == ["embeddings", "layer_0", "own"]
    assert note.startswith("static has no layers but its embeddings; left out for it: second_to_last, sum_last_four, ")
    assert note.endswith(", mix_elmo, high, last.")
    (last,), notes = expand(["last"], {}, 0, "static")
    assert last.layers == (0,)
    assert not notes
    with pytest.raises(ConfigError, match="choices: none is for encoder 'static', which has no layers but its embeddings"):
        expand(["sum_last_four", "mixes"], {}, 0, "static")


def test_importing_the_settings_brings_no_torch():
    code = "import sys, embedpipe.encoders.static; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
