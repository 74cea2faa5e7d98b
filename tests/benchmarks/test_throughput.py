"""benchmarks/throughput.py: nothing is encoded twice, batches lose nothing, and the useful work is counted as torch counts it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def throughput():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import throughput

        yield throughput


def test_no_sentence_of_a_corpus_comes_twice_in_any_shape(throughput):
    sample = throughput.read_corpus(None)
    corpora = [throughput.many_sentences(sample, 1000)]
    corpora += [throughput.shaped(sample, lengths, 10_000) for lengths in throughput.SHAPES.values()]
    for corpus in corpora:
        assert len({tuple(map(str.lower, words)) for words in corpus}) == len(corpus)
    assert len(corpora[0]) == 1000
    assert all(10_000 <= throughput.count_words(corpus) < 15_000 for corpus in corpora[1:])


def test_each_sentence_of_the_repeated_corpus_comes_four_times(throughput):
    from speed.corpora import four_times

    sentences = throughput.many_sentences(throughput.read_corpus(None), 40)
    repeated = four_times(sentences)
    assert sorted(repeated) == sorted(sentences[::4] * 4)
    assert len(repeated) == len(sentences)


@pytest.mark.parametrize("equal_lengths", [False, True])
def test_the_bare_encoder_gets_every_window_once_and_no_batch_over_its_budget(throughput, equal_lengths):
    from speed.bare import make_batches

    windows = [[number] * length for number, length in enumerate([3, 9, 4, 4, 1, 4, 12, 3], 1)]
    batches = make_batches(windows, 10, equal_lengths)
    seen = []
    for inputs in batches.inputs:
        ids = inputs["input_ids"]
        assert ids.numel() <= 10 or len(ids) == 1
        masks = inputs.get("attention_mask", torch.ones_like(ids)).bool()
        seen += [row[mask].tolist() for row, mask in zip(ids, masks, strict=True)]
    assert sorted(seen) == sorted(windows)
    assert (batches.padding == 0) == equal_lengths


def test_useful_work_is_what_torch_counts_for_batches_without_padding(throughput, tiny_model):
    from speed.bare import forward, make_batches
    from speed.ceiling import useful_flop

    model = throughput.load_bare(tiny_model("bert"), "float32")
    model.set_attn_implementation("eager")  # whose products torch counts one by one
    lengths = [5, 5, 8, 20]
    with FlopCounterMode(display=False) as counter:
        forward(model, make_batches([[7] * length for length in lengths], 64, equal_lengths=True))
    pooler = 2 * len(lengths) * model.config.hidden_size**2
    assert useful_flop(model, lengths) == counter.get_total_flops() - pooler


def test_a_peer_that_is_not_set_up_is_left_out_and_named(throughput, tmp_path, capsys):
    assert throughput.working_peers(tmp_path, *[tmp_path] * 4) == {}
    said = capsys.readouterr().err
    assert all(f"{name}: left out, not set up in {tmp_path}" in said for name in throughput.PEERS)


def test_every_figure_has_its_key_whatever_was_measured(throughput):
    details = {"corpora": {"main": {"efficiency_float32": 0.9, "vs_flair": 2.0}}, "dedup": {"dedup": 3.0}}
    figures = throughput.headline(details)
    assert tuple(figures) == throughput.KEYS
    measured = {key: value for key, value in figures.items() if value is not None}
    assert measured == {"efficiency_float32": 0.9, "vs_flair": 2.0, "dedup": 3.0}


def test_groups_are_chosen_by_name_and_memory_only_if_asked_for(throughput):
    assert throughput.parse([]).groups == {"efficiency", "peers", "dedup", "start_up"}
    assert throughput.parse(["--memory", "--without-peers", "--only", "peers,dedup"]).groups == {"dedup", "memory"}
    with pytest.raises(SystemExit):
        throughput.parse(["--only", "speed"])


def test_a_run_end_to_end_reads_the_corpus_and_seals_a_store_of_six_views(throughput, tiny_model, tmp_path):
    from speed.ours import SIX, Extraction

    from embedpipe import open_store

    sentences = list(itertools.islice(throughput.read_corpus(None), 6))
    corpus = throughput.write_corpus(sentences, tmp_path / "corpus.jsonl")
    assert [tuple(json.loads(line)["words"]) for line in corpus.read_text().splitlines()] == sentences
    extraction = Extraction(corpus, str(tiny_model("bert")))
    assert extraction.run(tmp_path / "store.h5")() > 0
    with open_store(tmp_path / "store.h5") as store:
        assert (len(store), set(store.views)) == (6, set(SIX))
        assert [store[index].words for index in range(6)] == sentences
    assert len(extraction.windows()) >= 6
    assert 0 < extraction.padding(tmp_path / "store.h5") < 1
