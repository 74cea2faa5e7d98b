"""``embedpipe extract --append``."""

from __future__ import annotations

import json

import pytest

from embedpipe.store import verify

TEXT = "the quick fox\n\na dog\n"


@pytest.fixture
def grown_corpus(run, workplace):
    """A store, and its corpus with two more sentences."""
    config = workplace.config()
    assert run("extract", config).status == 0
    workplace.corpus(TEXT + "the bank\na river\n")
    return config


def test_append_adds_what_is_new_and_says_how_much(run, workplace, grown_corpus):
    result = run("extract", grown_corpus, "--append")
    assert result.status == 0 and result.err == ""
    assert "features.h5: 5 sentences (2 of them new), 1 view, in " in result.out
    assert list(verify(workplace.folder / "features.h5")) == []
    again = run("extract", grown_corpus, "--append")
    assert again.status == 0 and "5 sentences, 1 view, was there already" in again.out
    assert run("extract", grown_corpus).status == 0


def test_without_append_a_grown_corpus_is_refused_with_a_hint(run, grown_corpus):
    result = run("extract", grown_corpus)
    assert result.status == 1 and result.out == ""
    assert "inputs.corpus/0: was '" in result.err and "add it with --append" in result.err


def test_append_and_restart_are_bad_usage(run, workplace):
    result = run("extract", workplace.config(), "--append", "--restart")
    assert result.status == 2 and "--restart and --append exclude each other" in result.err
    assert not (workplace.folder / "features.h5").exists()


def test_what_the_store_was_not_made_of_is_named_and_its_store_is_left(run, workplace, grown_corpus):
    before = (workplace.folder / "features.h5").read_bytes()
    workplace.corpus("The" + TEXT[3:] + "the bank\n")
    result = run("extract", grown_corpus, "--append")
    assert result.status == 1
    assert f"the first {len(TEXT)} bytes of {workplace.folder / 'corpus.txt'} are not what the store was made of" in result.err
    assert (workplace.folder / "features.h5").read_bytes() == before


def test_info_says_what_a_store_has_grown_from(run, workplace, grown_corpus):
    run("extract", grown_corpus, "--append")
    workplace.corpus(TEXT + "the bank\na river\na fox\n")
    run("extract", grown_corpus, "--append")
    line = next(line for line in run("info", workplace.folder / "features.h5").out.splitlines() if "grown" in line)
    assert "from 3 sentences (20" in line and " UTC), 5 sentences (20" in line
    facts = json.loads(run("info", workplace.folder / "features.h5", "--json").out)
    assert [each["num_sentences"] for each in facts["provenance"]["grown_from"]] == [3, 5]
    assert "grown_from" not in facts["provenance"]["grown_from"][1]


def test_interrupted_append_says_to_go_on_with_append(run, grown_corpus, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("embedpipe.store.StoreWriter.finish", interrupt)
        result = run("extract", grown_corpus, "--append")
    assert result.status == 130
    assert "What is sealed is kept; the same command, with --append, goes on from there." in result.err


def test_verify_says_that_a_growth_is_unfinished_and_how_to_go_on(run, workplace, grown_corpus, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("embedpipe.store.StoreWriter.finish", interrupt)
        run("extract", grown_corpus, "--append")
    result = run("verify", workplace.folder / "features.h5")
    assert result.status == 1 and "damaged" not in result.out
    assert "a growth is unfinished: 2 new sentences in 1 shard are committed; the store is what it was before" in result.out
    assert "run the same extract command with --append again" in result.out
    assert run("extract", grown_corpus, "--append").status == 0
    assert run("verify", workplace.folder / "features.h5").status == 0
