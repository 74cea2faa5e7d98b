"""An ELMo the whole way: extract, verify, resume, grow, read, compare with the config; stateful as well."""

from __future__ import annotations

import random
import shutil

import h5py
import numpy as np
import pytest
import torch
from elmo_samples import Oracle, write_elmo

import embedpipe
from embedpipe.config import load_config
from embedpipe.dataflow import ReadLog, SentenceFlag, WordFlag
from embedpipe.engines.against import Comparison, compare
from embedpipe.engines.plan import make_plan
from embedpipe.errors import ConfigError
from embedpipe.extraction import Embedder
from embedpipe.store import StoreWriter
from embedpipe.store.verify import verify

VIEWS = {
    "all": {"layers": "all"},
    "top": {"layers": "last"},
    "average": {"layers": {"type": "mean", "layers": [0, 1, 2]}},
    "sentence": {"layers": "last", "unit": "sentence"},
}
WORDS = ["the", "quick", "brown", "naïve", "fox", "jumps", "over", "a", "lazy", "dog", "near", "x" * 60]


@pytest.fixture(scope="module")
def elmo(tmp_path_factory):
    return write_elmo(tmp_path_factory.mktemp("elmo"))


@pytest.fixture
def config(elmo, tmp_path):
    rng = random.Random(3)
    lines = [" ".join(rng.choices(WORDS, k=rng.randrange(0, 14))) for _ in range(34)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "corpus": {"type": "words", "path": str(tmp_path / "corpus.txt")},
        "encoder": {"type": "elmo", "options_file": str(elmo[0]), "weight_file": str(elmo[1]), "device": "cpu"},
        "views": VIEWS,
        "store": {"shard_size": 14_000},
    }


def stateful(config, **more):
    return config | {"encoder": config["encoder"] | {"stateful": True, "batch_sentences": 4} | more}


def shards_of(path):
    """The bytes of each shard."""
    return {file.name: file.read_bytes() for file in path.with_name(f"{path.name}.shards").glob("*.h5")}


def expected_streams(elmo, store, size):
    oracle, states = Oracle(elmo), [{} for _ in range(size)]
    return [oracle(list(sentence.words), states[sentence.index % size]) for sentence in store]


def test_what_is_stored_is_what_allennlps_parts_give(config, elmo, tmp_path):
    oracle = Oracle(elmo)
    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        assert len(store.shards) > 3
        assert not list(verify(store.path))
        for sentence in store:
            expected = oracle(list(sentence.words))
            np.testing.assert_allclose(store.vectors("all", sentence), expected, atol=1e-5)
            np.testing.assert_allclose(store.vectors("top", sentence), expected[:, -1], atol=1e-5)
            np.testing.assert_allclose(store.vectors("average", sentence), expected.mean(axis=1), atol=1e-5)
            if sentence.words:
                np.testing.assert_allclose(store.vectors("sentence", sentence), expected[:, -1].mean(axis=0), atol=1e-5)
            assert bool(sentence.flags & SentenceFlag.EMPTY) == (not sentence.words)
            assert sentence.word_flags == tuple(WordFlag.CUT * (len(word) > 48) for word in sentence.words)
        num_cut = sum(word == "x" * 60 for sentence in store for word in sentence.words)
        assert (
            store.summary().flags["CUT"] == make_plan(load_config(config), calibrates=False).survey.num_cut_words == num_cut > 0
        )
        assert "UNKNOWN_SUBWORD" not in store.summary().flags
        encoder = store.provenance["encoder"]
        assert (encoder["num_layers"], encoder["hidden_size"], encoder["stateful"]) == (2, 12, False)
        assert store.provenance["tokenizer"]["max_bytes"] == 48
        assert set(store.provenance["inputs"]["model"]) == {"options.json", "weights.hdf5"}


def test_how_many_batches_run_side_by_side_changes_no_byte_and_stateful_ones_run_in_order(config, monkeypatch):
    config = config | {"batching": {"budget_subwords": 24}}
    sentences = list(load_config(config).job.corpus.sentences(ReadLog()))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 3)
        assert embedpipe.load_embedder(config).num_threads == 3
        assert embedpipe.load_embedder(stateful(config)).num_threads == 1
    vectors = []
    for num_threads in (1, 2, 5):
        embedder = embedpipe.load_embedder(config)
        monkeypatch.setattr(Embedder, "num_threads", num_threads)
        blocks = embedder.embed(sentences)
        vectors.append([rows.tobytes() for block in blocks for rows in block.views.values()])
    assert vectors[0] == vectors[1] == vectors[2]


def test_stateful_vectors_follow_the_corpus_and_the_provenance_says_how(config, elmo, tmp_path):
    with embedpipe.extract(stateful(config), tmp_path / "s.h5") as store:
        assert len(store.shards) > 3
        assert not list(verify(store.path))
        for sentence, expected in zip(store, expected_streams(elmo, store, 4), strict=True):
            np.testing.assert_allclose(store.vectors("all", sentence), expected, atol=1e-5)
        encoder = store.provenance["encoder"]
        assert (encoder["stateful"], encoder["batch_sentences"], encoder["order"]) == (True, 4, "corpus")


@pytest.mark.parametrize("is_stateful", [False, True])
@pytest.mark.parametrize("num_sealed", [1, 4])
def test_a_run_that_was_interrupted_gives_the_bytes_of_one_that_was_not(is_stateful, num_sealed, config, tmp_path, monkeypatch):
    config = stateful(config) if is_stateful else config
    embedpipe.extract(config, tmp_path / "whole.h5").close()
    append, count = StoreWriter.append, []

    def stop(self, block, start):
        if len(count) == num_sealed:
            raise KeyboardInterrupt
        count.append(start)
        return append(self, block, start)

    monkeypatch.setattr(StoreWriter, "append", stop)
    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(config, tmp_path / "resumed.h5")
    monkeypatch.undo()
    with embedpipe.extract(config, tmp_path / "resumed.h5") as store:
        assert store.provenance["run"]["num_shards_kept"] == num_sealed
    assert shards_of(tmp_path / "resumed.h5") == shards_of(tmp_path / "whole.h5")


def test_a_lost_shard_of_a_stateful_run_is_made_again_byte_by_byte(config, tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.h5", tmp_path / "s.h5"
    embedpipe.extract(stateful(config), whole).close()
    monkeypatch.setattr(StoreWriter, "finish", lambda self, provenance: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(stateful(config), path)
    monkeypatch.undo()
    lost = sorted(path.with_name("s.h5.shards").glob("*.h5"))[1]
    lost.unlink()
    embedpipe.extract(stateful(config), path).close()
    assert shards_of(path) == shards_of(whole)


@pytest.mark.parametrize("num_added", [1, 30])
def test_a_stateful_store_grows_in_the_middle_of_a_batch(num_added, config, elmo, tmp_path, monkeypatch):
    corpus, config = tmp_path / "corpus.txt", stateful(config)
    embedpipe.extract(config, tmp_path / "s.h5").close()
    rng = random.Random(9)
    with corpus.open("a", encoding="utf-8") as file:
        file.writelines(" ".join(rng.choices(WORDS, k=9)) + "\n" for _ in range(num_added))
    for name in ("other.h5", "other.h5.shards"):
        source = tmp_path / name.replace("other", "s")
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    with embedpipe.extract(config, tmp_path / "s.h5", append=True) as store:
        assert len(store) == 34 + num_added
        for sentence, expected in zip(store, expected_streams(elmo, store, 4), strict=True):
            np.testing.assert_allclose(store.vectors("all", sentence), expected, atol=1e-5)
    append, count = StoreWriter.append, []

    def stop(self, block, start):
        if count:
            raise KeyboardInterrupt
        count.append(start)
        return append(self, block, start)

    monkeypatch.setattr(StoreWriter, "append", stop)
    if num_added == 30:
        with pytest.raises(KeyboardInterrupt):
            embedpipe.extract(config, tmp_path / "other.h5", append=True)
    monkeypatch.undo()
    embedpipe.extract(config, tmp_path / "other.h5", append=True).close()
    assert shards_of(tmp_path / "other.h5") == shards_of(tmp_path / "s.h5")


@pytest.mark.parametrize("is_stateful", [False, True])
def test_verify_against_the_config_embeds_sentences_again_and_agrees(is_stateful, config, tmp_path):
    config = stateful(config) if is_stateful else config
    embedpipe.extract(config, tmp_path / "s.h5").close()
    comparison = Comparison()
    assert not list(compare(tmp_path / "s.h5", load_config(config), sample=9, comparison=comparison))
    assert comparison.num_embedded == 9
    assert max(comparison.differences.values()) < 1e-5


def test_the_batch_size_makes_a_difference_with_stateful_only(config, tmp_path):
    tops = {}
    for is_stateful in (False, True):
        for size in (3, 4):
            settings = stateful(config, stateful=is_stateful, batch_sentences=size)
            with embedpipe.extract(settings, tmp_path / f"{is_stateful}{size}.h5") as store:
                tops[is_stateful, size] = np.asarray(store.matrix("top"))
    np.testing.assert_allclose(tops[False, 3], tops[False, 4], atol=1e-6)
    assert np.abs(tops[True, 3] - tops[True, 4]).max() > 1e-3


def test_what_makes_no_sense_with_stateful_is_a_mistake_of_the_config(config, tmp_path):
    settings = stateful(config) | {"context": {"type": "document", "window": 9}, "on_error": "record"}
    with pytest.raises(ConfigError, match="has 2 mistakes"):
        embedpipe.extract(settings, tmp_path / "s.h5")


def test_what_was_exported_is_looked_up_and_stored_as_it_was(config, tmp_path):
    from embedpipe.store import export_store

    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        export_store(store.path, tmp_path / "all.hdf5", "allennlp-elmo", views=["all"])
        export_store(store.path, tmp_path / "top.hdf5", "allennlp-elmo", views=["top"])
        for name, view in (("all", "all"), ("top", "all"), ("top", "last")):
            again = config | {
                "encoder": {"type": "allennlp_elmo_file", "path": str(tmp_path / f"{name}.hdf5")},
                "views": {"again": {"layers": view}},
            }
            with embedpipe.extract(again, tmp_path / f"{name}-{view}.h5") as imported:
                assert not list(verify(imported.path))
                found, expected = np.asarray(imported.matrix("again")), np.asarray(store.matrix(name))
                assert found.reshape(expected.shape).tobytes() == expected.tobytes()


@pytest.fixture
def written(config, tmp_path):
    from embedpipe.store import export_store

    embedpipe.extract(config, tmp_path / "s.h5").close()
    export_store(tmp_path / "s.h5", tmp_path / "all.hdf5", "allennlp-elmo", views=["all"])
    return config | {
        "encoder": {"type": "allennlp_elmo_file", "path": str(tmp_path / "all.hdf5")},
        "views": {"last": {"layers": "last"}},
    }


def test_a_sentence_that_the_old_file_does_not_have_is_named_or_recorded(written, tmp_path):
    (tmp_path / "corpus.txt").write_text("the quick fox is new here\n")
    with pytest.raises(
        embedpipe.EmbedpipeError, match=r"corpus.txt/1.*has no sentence of the words 'the quick fox is new here'"
    ):
        embedpipe.extract(written, tmp_path / "t.h5")
    with embedpipe.extract(written | {"on_error": "record"}, tmp_path / "t.h5") as store:
        assert store[0].flags & SentenceFlag.FAILED


def drop_index(file):
    del file["sentence_to_index"]


def drop_vectors(file):
    for key in list(file):
        if key != "sentence_to_index":
            del file[key]


def cut_vectors(file):
    for key in list(file):
        if key != "sentence_to_index" and file[key].shape[1] > 1:
            vectors = file[key][:, :-1]
            del file[key]
            file[key] = vectors


def empty_index(file):
    file["sentence_to_index"][0] = "{}"


def odd_index(file):
    file["sentence_to_index"][0] = "[3"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (drop_index, "encoder.path: .* cannot be used .*no such index.*allennlp elmo"),
        (drop_vectors, "encoder.path: .* cannot be used"),
        (empty_index, "cannot be used"),
        (odd_index, "cannot be used"),
        (cut_vectors, r"the vectors of '.*' \(dataset .*have the shape .*expected"),
    ],
)
def test_old_files_that_are_wrong_are_told(change, expected, written, tmp_path):
    with h5py.File(tmp_path / "all.hdf5", "a") as file:
        change(file)
    with pytest.raises(embedpipe.EmbedpipeError, match=expected):
        embedpipe.extract(written, tmp_path / "t.h5")


def test_a_file_that_is_no_hdf5_is_told(written, tmp_path):
    (tmp_path / "all.hdf5").write_text("no")
    with pytest.raises(embedpipe.EmbedpipeError, match=r"encoder.path: .* cannot be used"):
        embedpipe.extract(written, tmp_path / "t.h5")
