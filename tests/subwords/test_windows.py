from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.dataflow import Sentence, SpecialSubwords, SubwordSentence
from embedpipe.errors import EncoderError
from embedpipe.subwords import (
    DocumentContext,
    SentenceContext,
    WindowSize,
    choose_window_size,
    cls_position,
    make_window,
    split,
)

BERT = SpecialSubwords(prefix=(101,), suffix=(102,), pad_id=0, cls_index=0)
GPT2 = SpecialSubwords(prefix=(), suffix=(), pad_id=0, cls_index=None)

sizes = st.integers(1, 30).flatmap(lambda content: st.builds(WindowSize, st.just(content), st.integers(0, content // 2)))


def subword_sentence(ids, document="d", name="s"):
    ids = np.array(ids, dtype=np.int64)
    spans = np.stack([np.arange(len(ids)), np.arange(len(ids)) + 1], axis=1)
    return SubwordSentence(Sentence(name, document, "", ()), ids, spans, np.zeros(len(ids), dtype=np.int64))


@given(st.integers(0, 200), sizes)
def test_every_subword_is_taken_from_exactly_one_window_that_sees_it(num_subwords, size):
    taken = []
    for seen, kept in split(num_subwords, size):
        assert 0 <= seen[0] <= kept[0] <= kept[1] <= seen[1] <= num_subwords
        assert seen[1] - seen[0] <= size.content
        taken += range(*kept)
    assert taken == list(range(num_subwords))


@given(st.integers(0, 200), sizes)
def test_every_subword_is_taken_from_a_window_where_it_has_most_context(num_subwords, size):
    windows = split(num_subwords, size)

    def context(subword, seen):
        """Distance to the nearer end of the window; an end that is the text's own end cuts nothing off."""
        left = subword - seen[0] if seen[0] > 0 else num_subwords
        right = seen[1] - 1 - subword if seen[1] < num_subwords else num_subwords
        return min(left, right)

    for seen, kept in windows:
        for subword in range(*kept):
            best = max(context(subword, other) for other, _ in windows if other[0] <= subword < other[1])
            assert context(subword, seen) >= best - 1  # two windows can be equally good


@given(st.integers(1, 200), sizes)
def test_neighbouring_windows_share_at_least_the_overlap(num_subwords, size):
    windows = split(num_subwords, size)
    for (before, _), (after, _) in itertools.pairwise(windows):
        assert before[1] - after[0] >= size.overlap


def test_a_sentence_that_fits_has_one_window_of_its_own():
    (windowed,) = SentenceContext().windows([subword_sentence(range(5))], WindowSize(5, 1), BERT)
    assert [window.input_ids.tolist() for window in windowed.windows] == [[101, 0, 1, 2, 3, 4, 102]]
    assert windowed.windows[0].kept == (1, 6)


def test_an_empty_sentence_has_a_window_for_its_cls_and_none_where_there_is_nothing_to_encode():
    (bert,) = SentenceContext().windows([subword_sentence([])], WindowSize(5, 1), BERT)
    (gpt2,) = SentenceContext().windows([subword_sentence([])], WindowSize(5, 1), GPT2)
    assert [window.input_ids.tolist() for window in bert.windows] == [[101, 102]]
    assert gpt2.windows == ()


def test_document_context_puts_the_sentence_in_the_middle_and_no_special_subword_between_sentences():
    document = [subword_sentence(range(start, start + 4)) for start in (0, 4, 8, 12, 16)]
    windowed = list(DocumentContext().windows(document, WindowSize(10, 2), BERT))
    assert windowed[2].windows[0].input_ids.tolist() == [101, *range(5, 15), 102]
    assert windowed[2].windows[0].kept == (4, 8)


def test_document_context_gives_what_one_side_does_not_need_to_the_other():
    document = [subword_sentence(range(start, start + 4)) for start in (0, 4, 8, 12)]
    windowed = list(DocumentContext().windows(document, WindowSize(10, 2), BERT))
    assert windowed[0].windows[0].input_ids.tolist() == [101, *range(10), 102]
    assert windowed[3].windows[0].input_ids.tolist() == [101, *range(6, 16), 102]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 15)), max_size=25),
    st.integers(1, 12),
)
def test_document_context_shows_a_contiguous_part_of_the_own_document_as_large_as_can_be(sentences, content):
    made, position = [], 0
    for document, length in sentences:
        made.append(subword_sentence(range(position, position + length), document, str(len(made))))
        position += length
    windowed = list(DocumentContext().windows(made, WindowSize(content, content // 4), BERT))
    assert [each.subwords for each in windowed] == made
    groups: list[list] = []  # a document is a run of sentences
    for each in made:
        if groups and groups[-1][0].sentence.document == each.sentence.document:
            groups[-1].append(each)
        else:
            groups.append([each])
    whole = {each.sentence.id: [int(i) for other in group for i in other.subword_ids] for group in groups for each in group}
    for each in windowed:
        own = each.subwords.subword_ids.tolist()
        document = whole[each.subwords.sentence.id]
        kept = [int(i) for window in each.windows for i in window.input_ids[slice(*window.kept)]]
        assert kept == own
        if len(own) <= content:
            (window,) = each.windows
            seen = window.input_ids[1:-1].tolist()
            assert len(seen) == min(content, len(document))
            assert not seen or document[document.index(seen[0]) :][: len(seen)] == seen


def test_document_context_is_a_stream_that_holds_back_only_what_is_in_sight():
    pulled = 0

    def endless():
        nonlocal pulled
        while True:
            pulled += 1
            yield subword_sentence(range(10))

    windows = DocumentContext().windows(endless(), WindowSize(50, 5), BERT)
    for _ in range(3):
        next(windows)
    assert pulled <= 9


def test_the_window_is_the_shortest_limit_less_the_special_subwords():
    assert choose_window_size(None, None, limits=(512, 128), special=BERT) == WindowSize(126, 31)
    assert choose_window_size(64, 10, limits=(512, None), special=BERT) == WindowSize(62, 10)
    assert choose_window_size(None, None, limits=(None, None), special=BERT) == WindowSize(None, 0)


@pytest.mark.parametrize(
    ("window", "overlap", "message"),
    [
        (600, None, "context.window: 600 subwords, but the encoder takes at most 512"),
        (2, None, "context.window: 2 subwords leave no room beside 2 special ones"),
        (12, 6, "context.overlap: 6 subwords; windows of 10 can share at most half, 5"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window, overlap, message):
    with pytest.raises(EncoderError, match=message):
        choose_window_size(window, overlap, limits=(512,), special=BERT)


def test_the_classification_subword_is_found_in_front_and_behind():
    behind = SpecialSubwords(prefix=(), suffix=(7, 8), pad_id=0, cls_index=1)
    window = make_window(np.arange(3), (0, 3), 0, behind)
    assert window.input_ids[cls_position(window, behind)] == 8
    window = make_window(np.arange(3), (0, 3), 0, BERT)
    assert window.input_ids[cls_position(window, BERT)] == 101
