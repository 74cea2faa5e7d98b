"""Whether a store may be added to: the files of its corpus, told by their first bytes, and the sentences at the border."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import embedpipe
from embedpipe.config import load_config
from embedpipe.dataflow import ReadLog
from embedpipe.engines.corpus_file import CorpusFile
from embedpipe.engines.growth import OldPart, corpus_sizes, obstacles
from embedpipe.engines.identity import Identity
from embedpipe.errors import CorpusError, StoreError


@given(st.binary(max_size=40), st.one_of(st.none(), st.integers(0, 50)))
def test_a_file_and_its_beginning_are_hashed_in_one_pass(tmp_path_factory, content, size_before):
    path = tmp_path_factory.mktemp("file") / "a.txt"
    path.write_bytes(content)
    file = CorpusFile.read(path, size_before)
    assert (file.sha256, file.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    is_there = size_before is not None and size_before <= len(content)
    assert file.beginning == (hashlib.sha256(content[:size_before]).hexdigest() if is_there else None)


def test_a_file_that_is_larger_than_a_read_is_hashed_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("embedpipe.engines.corpus_file._READ_BYTES", 7)
    (tmp_path / "a.txt").write_bytes(content := bytes(range(100)))
    for size in (0, 6, 7, 8, 50, 100):
        file = CorpusFile.read(tmp_path / "a.txt", size)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.beginning == hashlib.sha256(content[:size]).hexdigest()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"a\.txt: cannot be read \(No such file"):
        CorpusFile.read(tmp_path / "a.txt")


class Place:
    """A corpus of some files, a model of its own, and the store that is made of them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.store = folder / "features.h5"
        self.config = {
            "corpus": {"type": "words", "path": [str(folder / "a.txt")]},
            "encoder": {"type": "transformer", "model": str(model), "device": "cpu"},
            "views": {"last": {"layers": "last"}},
        }

    def write(self, text: str, name: str = "a.txt") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def corpus(self, **changes):
        return self.config | {"corpus": self.config["corpus"] | changes}

    def paths(self, *names: str):
        return self.corpus(path=[str(self.folder / name) for name in names])

    def extract(self, config=None, **options):
        return embedpipe.extract(config or self.config, self.store, **options)

    def obstacles(self, config=None) -> list[str]:
        with embedpipe.open_store(self.store) as store:
            provenance = store.provenance
        identity = Identity.of(load_config(config or self.config), sizes_before=corpus_sizes(provenance))
        return obstacles(identity, provenance)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model):
    """A store of two files, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    place = Place(folder, shutil.copytree(tiny_model("bert"), folder / "model"))
    place.write("the dog\na fox\n"), place.write("the river\n", "b.txt")
    place.config = place.paths("a.txt", "b.txt")
    place.extract().close()
    return folder


@pytest.fixture
def place(made, tmp_path):
    """The store of two files, with all that it was made of."""
    shutil.copytree(made, tmp_path / "place")
    place = Place(tmp_path / "place", made / "model")
    place.config = place.paths("a.txt", "b.txt")
    return place


def test_provenance_says_how_many_bytes_the_corpus_had_and_the_fingerprint_does_not_care(place):
    with place.extract() as store:
        inputs = store.provenance["inputs"]
        assert {Path(path).name: size for path, size in inputs["corpus_bytes"].items()} == {"a.txt": 14, "b.txt": 10}
        assert list(inputs["corpus_bytes"]) == list(inputs["corpus"])
        assert corpus_sizes(store.provenance) == (14, 10)
    identity = Identity.of(load_config(place.config))
    assert "corpus_bytes" not in json.dumps(identity.as_json)


GROWTHS = {
    "the last file": lambda place: [place.write("the river\nthe bank\n", "b.txt"), place.config][1],
    "a file behind": lambda place: [place.write("the bank\n", "c.txt"), place.paths("a.txt", "b.txt", "c.txt")][1],
    "both": lambda place: [
        place.write("the river\na\n", "b.txt"),
        place.write("the bank\n", "c.txt"),
        place.paths("a.txt", "b.txt", "c.txt"),
    ][2],
    "a pattern that finds the same": lambda place: place.corpus(path=str(place.folder / "*.txt")),
    "another folder": lambda place: [
        shutil.copytree(place.folder, place.folder / "moved"),
        place.paths("moved/a.txt", "moved/b.txt"),
    ][1],
}


@pytest.mark.parametrize("growth", GROWTHS)
def test_what_stands_behind_the_old_corpus_is_no_obstacle(place, growth):
    assert place.obstacles(GROWTHS[growth](place)) == []


def changed(name: str, text: str):
    return lambda place: [place.write(text, name), place.config][1]


OBSTACLES = {
    "the last file begins with something else": (
        changed("b.txt", "a river\nx\n"),
        "the first 10 bytes of {}/b.txt are not what",
    ),
    "the last file is shorter": (changed("b.txt", "the\n"), "{}/b.txt has 4 bytes, and the store was made of 10"),
    "an earlier file has grown": (
        changed("a.txt", "the dog\na fox\nx\n"),
        "a.txt has grown from 14 to 16 bytes, and only the last",
    ),
    "an earlier file is another": (
        changed("a.txt", "the cat\na fox\n"),
        "the first 14 bytes of {}/a.txt are not what the store",
    ),
    "a file is missing": (lambda place: place.paths("a.txt"), "the corpus has 1 files, and the store was made of 2"),
    "the order": (lambda place: place.paths("b.txt", "a.txt"), "{}/b.txt stands where the store was made of a.txt"),
    "a file in between": (
        lambda place: [place.write("x\n", "aa.txt"), place.paths("a.txt", "aa.txt", "b.txt")][1],
        "aa.txt stands where the store was made of b.txt; only behind the old files may others follow",
    ),
    "the type": (lambda place: place.corpus(type="lines"), "config.corpus.type: was 'words', is 'lines'"),
    "a setting": (lambda place: place.corpus(document="line"), "config.corpus.document: was 'file', is 'line'"),
    "a view": (
        lambda place: place.config | {"views": {"last": {"layers": "first"}}},
        "config.views.last.layers.type: was 'last'",
    ),
    "the shard size": (
        lambda place: place.config | {"store": {"shard_size": 5000}},
        "config.store.shard_size: was '256 MiB', is",
    ),
    "the model": (
        lambda place: [
            (place.folder / "model" / "tokenizer.json").write_text("{}"),
            place.config | {"encoder": {"type": "transformer", "model": str(place.folder / "model"), "device": "cpu"}},
        ][1],
        "inputs.model/tokenizer.json: was '",
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_everything_else_that_has_changed_is_refused_by_name(place, obstacle):
    change, message = OBSTACLES[obstacle]
    config = change(place)
    before = place.store.read_bytes()
    with pytest.raises(StoreError) as caught:
        place.extract(config, append=True)
    assert "the store there cannot be added to:\n  " in str(caught.value)
    assert message.replace("{}", str(place.folder)) in str(caught.value)
    assert "Give another --output, or replace it with --restart" in str(caught.value)
    with pytest.raises(StoreError) as caught:
        place.extract(config)
    assert "--append" not in str(caught.value)
    assert place.store.read_bytes() == before


def test_a_store_that_does_not_say_how_long_its_corpus_was_is_refused_and_told_what_to_do(place, monkeypatch):
    inputs = Identity.inputs.fget
    with monkeypatch.context() as patch:
        patch.setattr(Identity, "inputs", property(lambda self: {k: v for k, v in inputs(self).items() if k != "corpus_bytes"}))
        place.extract(restart=True).close()
    place.extract(append=True).close()
    place.write("the river\nthe bank\n", "b.txt")
    with pytest.raises(StoreError, match=r"does not say how many bytes of the corpus .* extract it once more with --restart"):
        place.extract(append=True)


def test_a_store_of_a_corpus_that_has_only_grown_is_refused_with_a_hint(place):
    place.write("the river\nthe bank\n", "b.txt")
    with pytest.raises(StoreError) as caught:
        place.extract()
    assert "made otherwise:\n  inputs.corpus/1: was '" in str(caught.value)
    assert "All that is new stands at the end of the corpus: add it with --append. Or give another --output" in str(
        caught.value
    )


def test_without_a_store_append_is_a_first_run_and_with_the_same_one_there_is_nothing_to_do(place):
    place.store.unlink()
    with place.extract(append=True) as store:
        assert len(store) == 3 and "grown_from" not in store.provenance
    before = place.store.stat()
    with place.extract(append=True) as store:
        assert len(store) == 3
    after = place.store.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_append_and_restart_exclude_each_other(place):
    with pytest.raises(ValueError, match="ask for one of them"):
        place.extract(append=True, restart=True)


def test_a_grown_store_is_what_one_made_of_the_whole_corpus_is_and_old_rows_are_the_same_bytes(place, tmp_path):
    with place.extract() as store:
        old, first = store.matrix("last")[:].copy(), store.provenance
    place.write("the river\nthe bank near a fox\n\n", "b.txt")
    with place.extract(append=True) as store:
        second = store.provenance
    place.write("the lazy dog\n", "c.txt")
    config = place.paths("a.txt", "b.txt", "c.txt")
    with place.extract(config, append=True) as grown, embedpipe.extract(config, tmp_path / "once.h5") as once:
        assert [(s.id, s.document, s.text, s.spans, s.subword_ids, s.flags) for s in grown] == [
            (s.id, s.document, s.text, s.spans, s.subword_ids, s.flags) for s in once
        ]
        assert grown.matrix("last")[: len(old)].tobytes() == old.tobytes()
        np.testing.assert_allclose(grown.matrix("last")[:], once.matrix("last")[:], atol=1e-5)
        provenance = grown.provenance
        assert provenance["fingerprint"] == once.provenance["fingerprint"]
        assert [run["num_sentences"] for run in provenance["grown_from"]] == [3, 5]
        for run, before in zip(provenance["grown_from"], (first, second), strict=True):
            del run["num_sentences"]
            assert run == {key: value for key, value in before.items() if key not in ("failures", "grown_from")}
        assert provenance["run"]["num_shards_kept"] == 2
        assert provenance["run"]["words_per_second"] > 0
    assert list(embedpipe.store.verify(place.store)) == []


def test_a_corpus_that_has_grown_by_nothing_that_is_a_sentence_only_gets_a_new_fingerprint(place):
    config = place.config | {"corpus": {"type": "conll2003", "path": str(place.write("a B-X\nb O\n\n", "c.conll"))}}
    place.extract(config, restart=True).close()
    place.write("a B-X\nb O\n\n\n\n", "c.conll")
    with place.extract(config, append=True) as store:
        assert len(store) == 1 and [run["num_sentences"] for run in store.provenance["grown_from"]] == [1]
    with place.extract(config) as store:
        assert len(store) == 1


def test_a_last_sentence_that_was_continued_is_refused_by_its_name(place):
    config = place.config | {"corpus": {"type": "conll2003", "path": str(place.write("a B-X\n\nb O\n", "c.conll"))}}
    place.extract(config, restart=True).close()
    before = place.store.read_bytes()
    place.write("a B-X\n\nb O\nc O\n\nd O\n", "c.conll")
    with pytest.raises(StoreError) as caught:
        place.extract(config, append=True)
    assert "its last sentence 'doc-1/2' is another one in the corpus now: the number of words: 2 in the corpus, 1 in" in str(
        caught.value
    )
    assert "--restart" in str(caught.value)
    assert place.store.read_bytes() == before and not place.store.with_name("features.h5.shards").exists()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("the dog", "the doggy\nx\n", "word 1: 'doggy' in the corpus, 'dog' in the store"),
        ("the dog", "the dog \nx\n", None),
        ("the dog", "the dog\nx\n", None),
    ],
)
def test_a_last_line_without_an_end_may_be_ended_but_not_continued(place, before, after, message):
    config = place.paths("c.txt")
    place.write(before, "c.txt")
    place.extract(config, restart=True).close()
    place.write(after, "c.txt")
    if message is None:
        with place.extract(config, append=True) as store:
            assert len(store) == 2
        return
    with pytest.raises(StoreError, match=message):
        place.extract(config, append=True)


def test_a_corpus_with_fewer_sentences_than_the_store_is_refused(place):
    config = place.corpus(path=str(place.write("a\n\nb\n", "c.txt")), document="blank_line")
    place.extract(config, restart=True).close()

    with embedpipe.open_store(place.store) as store:
        old = OldPart.of_store(place.store, store.provenance)
    first, _ = load_config(config).job.corpus.sentences(ReadLog())
    with pytest.raises(StoreError, match="the corpus has 1 sentences, and the store has 2"):
        list(old.checked([first], joined=False))


def test_a_store_that_another_process_has_just_replaced_is_not_added_to(place):
    with pytest.raises(StoreError, match="another process has just replaced it"):
        OldPart.of_store(place.store, {"fingerprint": "another"})


def test_with_the_document_as_context_new_sentences_must_begin_a_new_document(place):
    text = "the dog\na fox\n\nthe river\n"
    config = place.corpus(path=str(place.write(text, "c.txt")), document="blank_line") | {"context": {"type": "document"}}
    place.extract(config, restart=True).close()
    place.write(text + "a bank\n", "c.txt")
    with pytest.raises(StoreError) as caught:
        place.extract(config, append=True)
    assert "the first new sentence 'doc-2/2' goes on with 'doc-2', the last document of the store" in str(caught.value)
    assert "--restart" in str(caught.value)
    place.write(text + "\na bank\nthe fox\n", "c.txt")
    with place.extract(config, append=True) as grown:
        vectors = grown.matrix("last")[:].copy()
    with place.extract(config, restart=True) as once:
        np.testing.assert_allclose(vectors, once.matrix("last")[:], atol=1e-5)


def test_without_such_a_context_a_document_may_go_on(place):
    with place.extract() as store:
        assert store[-1].document == "b.txt"
    place.write("the river\nthe bank\n", "b.txt")
    with place.extract(append=True) as store:
        assert [sentence.document for sentence in store] == ["a.txt", "a.txt", "b.txt", "b.txt"]
        assert store.summary().counts["documents"] == 2


def test_a_packed_file_grows_by_another_member(place):
    path = place.folder / "c.txt.gz"
    path.write_bytes(gzip.compress(b"the dog\n", mtime=0))
    config = place.paths("c.txt.gz")
    place.extract(config, restart=True).close()
    path.write_bytes(path.read_bytes() + gzip.compress(b"a fox\n", mtime=0))
    with place.extract(config, append=True) as store:
        assert [sentence.text for sentence in store] == ["the dog", "a fox"]
