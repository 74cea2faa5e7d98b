from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import embedpipe
from embedpipe.config import load_config
from embedpipe.engines.again import choose, tolerance
from embedpipe.engines.against import Comparison, compare
from embedpipe.store.finding import Finding

LINES = ["the O\nquick B\nfox O\n", "a O\ndog B\n", "jumps O\nover O\nthe O\nlazy O\nriver B\n", "bank B\n"] * 12


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], Path]) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("corpus")
    for part, lines in {"a": LINES[:24], "b": LINES[24:]}.items():
        (folder / f"{part}.txt").write_text("\n".join(lines), encoding="utf-8")
    return {
        "corpus": {"type": "conll2003", "path": [str(folder / "a.txt"), str(folder / "b.txt")], "labels": {"ner": -1}},
        "encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"},
        "views": {
            "last": {"layers": "last"},
            "mean": {"layers": "first", "unit": "sentence"},
            "all": {"layers": "all", "unit": "subword"},
        },
    }


@pytest.fixture(scope="module")
def made(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "s.h5"
    embedpipe.extract(config, path).close()
    return path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "s.h5"))


@pytest.fixture
def change_corpus(config: dict[str, Any]) -> Iterator[Callable[[Callable[[list[str]], Any]], None]]:
    """Changes the sentences of the second file, for the time of a test."""
    path = Path(config["corpus"]["path"][1])
    text = path.read_text(encoding="utf-8")

    def apply(change: Callable[[list[str]], Any]) -> None:
        lines = LINES[24:]
        change(lines)
        path.write_text("\n".join(lines), encoding="utf-8")

    yield apply
    path.write_text(text, encoding="utf-8")


def differences(path: Path, config: dict[str, Any], **settings: Any) -> list[Finding]:
    return list(compare(path, load_config(config), **settings))


@pytest.mark.parametrize(
    "changes",
    [{}, {"context": {"type": "document", "window": 12}}, {"store": {"dtype": "float16"}}, {"store": {"shard_size": 40_000}}],
    ids=["one file", "document context", "float16", "shards"],
)
def test_a_store_agrees_with_its_own_config(config: dict[str, Any], tmp_path: Path, changes: dict[str, Any]) -> None:
    config = {**config, **changes}
    embedpipe.extract(config, tmp_path / "s.h5").close()
    comparison = Comparison()
    assert differences(tmp_path / "s.h5", config, sample=9, comparison=comparison) == []
    assert (comparison.num_sentences, comparison.num_embedded) == (48, 9)
    assert comparison.differences.keys() == {"last", "mean", "all"}
    assert max(comparison.differences.values()) < (1e-2 if "store" in changes and "dtype" in changes["store"] else 1e-5)


def test_a_changed_word_is_named_with_its_sentence_and_place(config: dict[str, Any], made: Path, change_corpus: Any) -> None:
    change_corpus(lambda lines: lines.__setitem__(2, lines[2].replace("lazy", "slow")))
    comparison = Comparison()
    corpus, difference = differences(made, config, sample=48, comparison=comparison)
    assert corpus.where == "provenance" and corpus.what.startswith("inputs.corpus/1: was ")
    assert difference.where == "sentence 'doc-2/3'"
    assert difference.what.startswith("corpus: word 3: 'slow' in the corpus, 'lazy' in the store (near byte ")
    assert "b.txt)" in difference.what and "--restart" in difference.hint
    assert comparison.num_embedded == 47  # the changed one cannot be compared


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dog B", "dog I", "label 'ner': ('O', 'I') in the corpus, ('O', 'B') in the store"),
        ("dog B", "dog B\ndog B", "the number of words: 3 in the corpus, 2 in the store"),
    ],
)
def test_other_differences_are_named(
    config: dict[str, Any], made: Path, change_corpus: Any, old: str, new: str, message: str
) -> None:
    change_corpus(lambda lines: lines.__setitem__(1, lines[1].replace(old, new)))
    findings = differences(made, config, sample=0)
    assert [message in str(finding) for finding in findings] == [False, True], findings


def test_sentences_that_are_gone_or_new_are_counted(config: dict[str, Any], made: Path, change_corpus: Any) -> None:
    change_corpus(lambda lines: lines.pop())
    assert "sentences: 47 sentences in the corpus, 48 in the store" in str(differences(made, config, sample=2)[-1])
    change_corpus(lambda lines: lines.append("new O\n"))
    assert "sentences: 49 sentences in the corpus, 48 in the store" in str(differences(made, config, sample=2)[-1])


def test_of_many_differences_the_first_are_listed_and_all_are_counted(
    config: dict[str, Any], made: Path, change_corpus: Any
) -> None:
    change_corpus(lambda lines: lines.insert(0, "new O\n"))
    findings = differences(made, config, sample=0)
    assert sum(finding.what.startswith("corpus: ") and "sentence " in finding.where for finding in findings) == 20
    assert "corpus: 4 more of this kind, 24 in all" in str(findings[-1])


def test_another_config_and_another_model_are_named(
    config: dict[str, Any], store: Path, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    shutil.copytree(tiny_model("bert"), tmp_path / "model")
    settings = (tmp_path / "model" / "config.json").read_text()
    (tmp_path / "model" / "config.json").write_text(settings + " ")
    other = {**config, "encoder": {**config["encoder"], "model": str(tmp_path / "model")}}
    other["views"] = {**config["views"], "last": {"layers": "last", "pooling": "max"}}
    what = "\n".join(finding.what for finding in differences(store, other, sample=0))
    assert "config.views.last.pooling: was 'first', is 'max'" in what
    assert "inputs.model/config.json: was " in what
    assert "inputs.corpus" not in what


def test_a_stored_vector_that_the_encoder_does_not_make_is_found(config: dict[str, Any], store: Path) -> None:
    with h5py.File(store, "r+", locking=False) as file:
        file["views/mean"][7, 3] += 1e-3
    (finding,) = differences(store, config, sample=48)
    assert finding.where == "sentence 'doc-1/8'"
    assert finding.what.startswith("vectors: view 'mean': made again, it differs by up to 0.001; expected at most 1e-05,")


def test_a_view_of_another_shape_is_found(config: dict[str, Any], store: Path) -> None:
    other = {**config, "views": {"last": {"layers": "all"}}}
    what = [finding.what for finding in differences(store, other, sample=1)]
    assert any("view 'last': shape (" in each for each in what)


def test_the_sample_is_spread_and_the_same_every_time(made: Path) -> None:
    with embedpipe.open_store(made) as store:
        chosen = choose(store, 6, seed=1)
        assert [number // 8 for number in sorted(chosen)] == list(range(6))
        assert chosen == choose(store, 6, seed=1) != choose(store, 6, seed=2)
        assert choose(store, 99, seed=0) == frozenset(range(48))
        assert choose(store, 0, seed=0) == frozenset()


def test_sentences_without_vectors_are_not_in_the_sample(store: Path) -> None:
    with h5py.File(store, "r+", locking=False) as file:
        file["sentences/flags"][:24] = 32
    with embedpipe.open_store(store) as opened:
        assert choose(opened, 48, seed=0) == frozenset(range(24, 48))


def test_the_tolerance_is_that_of_the_coarsest_numbers() -> None:
    assert tolerance("float32", "float32") == 1e-5
    assert tolerance("float16", "float32") == np.finfo(np.float16).eps
    assert tolerance("float32", "bfloat16") > tolerance("float32", "float16") > 1e-3


def test_a_store_that_cannot_be_opened_is_a_finding(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "s.h5").write_text("x")
    (finding,) = differences(tmp_path / "s.h5", config)
    assert "is not an embedpipe store" in finding.what and finding.hint == "verify it without --against first"
