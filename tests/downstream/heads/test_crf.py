from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_stores import BIO

from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.crf import Crf

PLAIN = ("NOUN", "VERB", "X")
LENGTHS = (3, 1, 0, 4, 2)


def crf_of(tags, seed=0):
    torch.manual_seed(seed)
    return Crf(tags)


@torch.no_grad()
def path_score(crf, scores, path):
    field = crf.field
    total = field.start_transitions[path[0]] + field.end_transitions[path[-1]]
    total = total + sum(scores[place, tag] for place, tag in enumerate(path))
    return float(total + sum(field.transitions[a, b] for a, b in itertools.pairwise(path)))


def is_legal(names):
    return all(
        not tag.startswith("I-") or (before != "O" and before[2:] == tag[2:])
        for before, tag in itertools.pairwise(["O", *names])
    )


def all_paths(num_tags, length):
    return list(itertools.product(range(num_tags), repeat=length))


@pytest.mark.parametrize("tags", [BIO, PLAIN])
@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_the_loss_is_that_of_brute_force_over_all_paths(tags, missing):
    crf, lengths = crf_of(tags), torch.tensor(LENGTHS)
    scores = torch.randn(int(lengths.sum()), len(tags))
    codes = torch.randint(0, len(tags), (len(scores),))
    codes[torch.rand(len(codes)) < missing] = NO_CODE
    expected, first = 0.0, 0
    for length in LENGTHS:
        own, of_sentence = scores[first : first + length], codes[first : first + length].tolist()
        first += length
        if length:
            paths = all_paths(len(tags), length)
            of_path = np.array([path_score(crf, own, path) for path in paths])
            fits = [all(code in (NO_CODE, tag) for tag, code in zip(path, of_sentence, strict=True)) for path in paths]
            expected += np.logaddexp.reduce(of_path) - np.logaddexp.reduce(of_path[fits])
    assert float(crf(scores, codes, lengths).detach()) == pytest.approx(expected, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("tags", [BIO, PLAIN])
def test_the_best_path_is_the_best_legal_one_of_brute_force(tags):
    crf, lengths = crf_of(tags), torch.tensor(LENGTHS)
    scores = torch.randn(int(lengths.sum()), len(tags))
    found, first = crf.best_paths(scores, lengths).tolist(), 0
    for length in LENGTHS:
        own = scores[first : first + length]
        if length:
            legal = [path for path in all_paths(len(tags), length) if tags is PLAIN or is_legal([tags[tag] for tag in path])]
            best = max(legal, key=lambda path: path_score(crf, own, path))
            assert tuple(found[first : first + length]) == best
        first += length
    assert first == len(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_the_best_paths_of_a_batch_are_allennlps_of_each_sentence(seed, lengths):
    crf = crf_of(BIO, seed)
    scores = torch.randn(sum(lengths), len(BIO), generator=torch.Generator().manual_seed(seed))
    expected = []
    for part in scores.split(lengths):
        expected += crf.field.viterbi_tags(part[None])[0][0]
    assert crf.best_paths(scores, torch.tensor(lengths)).tolist() == expected


def test_no_illegal_tag_in_ten_thousand_random_sentences():
    crf = crf_of(BIO)
    with torch.no_grad():
        crf.field.start_transitions[:] = torch.tensor([-90.0, -90.0, 90.0, -90.0, 90.0])  # it would love to start with I-
        crf.field.transitions[:] = 30 * torch.randn(len(BIO), len(BIO))
    lengths = torch.randint(0, 8, (10_000,))
    scores = 1e6 * torch.randn(int(lengths.sum()), len(BIO))
    names = np.array(BIO)[crf.best_paths(scores, lengths).numpy()]
    sentences = [part.tolist() for part in np.split(names, np.cumsum(lengths.numpy())[:-1])]
    assert all(map(is_legal, sentences))
    assert sum(tag.startswith("I-") for sentence in sentences for tag in sentence) > 1000


def test_there_is_no_path_in_no_rows():
    assert crf_of(BIO).best_paths(torch.zeros(0, len(BIO)), torch.tensor([0, 0])).shape == (0,)
