"""A corpus of which one range after the other is read: all that belongs to each, from the last mark on, and nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.blocks import ReadOn
from embedpipe.corpus import Words
from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.engines.corpus_part import CorpusPart
from embedpipe.engines.ranges import Range


@pytest.mark.parametrize("joined", [False, True])
def test_reading_on_gives_the_sentences_of_a_place_and_their_document(joined: bool) -> None:
    corpus = [Sentence.from_words(str(number), f"d{number // 4}", ["x"]) for number in range(40)]
    reader = ReadOn(iter(corpus), joined=joined)
    for start, looked_at in ((0, 3), (2, 20), (2, 1), (7, 40), (13, 0), (22, 30), (40, 1)):
        first, sentences = reader.at(start)
        assert first == (min(start - start % 4, 40) if joined and start < 40 else first if joined else start)
        assert [each.id for each, _ in zip(sentences, range(looked_at), strict=False)] == [
            each.id for each in corpus[first : first + looked_at]
        ]


@dataclass
class _Corpus:
    """Four sentences a document; every third one is irregular, and so is the end. Counts what is read of it."""

    num_sentences: int
    num_read: int = 0
    files: tuple[Path, ...] = field(default=())

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        log.size_bytes = 10 * self.num_sentences
        for number in range(self.num_sentences):
            if number % 3 == 0:
                log.warn("third", f"c:{number}", "every third")
            log.position_bytes = 10 * (number + 1)
            self.num_read += 1
            yield Sentence.from_words(str(number), f"d{number // 4}", ["x"])
        log.warn("end", "c:end", "the end")


@given(st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_what_is_irregular_is_reported_once_and_in_order_whoever_reads(num_sentences: int, size: int, joined: bool) -> None:
    parts = [CorpusPart(_Corpus(num_sentences), None, joined=joined) for _ in range(3)]  # type: ignore[arg-type]
    kinds: list[tuple[str, int, list[str]]] = []
    reported = 0
    for turn, start in enumerate(range(0, num_sentences, size)):
        part, stop = parts[turn % 3], min(start + size, num_sentences)
        first, sentences = part.at(Range(start, None, None, reported))
        assert [each.id for each in itertools.islice(sentences, stop - first)] == list(map(str, range(first, stop)))
        next(sentences, None)  # who cuts a shard looks at one more
        assert (part.position(start), part.position(stop)) == (10 * start, 10 * stop)
        kinds += [(kind, each.count, each.places) for kind, each in part.warnings(stop).warnings.items()]
        reported = stop
    last = parts[0]
    assert list(last.at(Range(num_sentences, None, None, reported))[1]) == [] or joined
    kinds += [(kind, each.count, each.places) for kind, each in last.warnings(None).warnings.items()]
    assert [kind for kind, _, _ in kinds][-1] == "end"
    assert sum(count for kind, count, _ in kinds if kind == "third") == len(range(0, num_sentences, 3))
    assert sum(kind == "end" for kind, _, _ in kinds) == 1
    assert [place for _, _, places in kinds for place in places if place != "c:end"] == [
        f"c:{number}" for start in range(0, num_sentences, size) for number in _first_five(start, size, num_sentences)
    ]


def _first_five(start: int, size: int, num_sentences: int) -> list[int]:
    return [number for number in range(start, min(start + size, num_sentences)) if number % 3 == 0][:5]


def test_who_skips_sentences_that_nobody_reported_reports_what_was_irregular_in_them() -> None:
    part = CorpusPart(_Corpus(30), None, joined=False)  # type: ignore[arg-type]
    _, sentences = part.at(Range(20, None))
    assert next(sentences).id == "20"
    assert part.warnings(21).warnings["third"].count == 7
    _, sentences = part.at(Range(25, None, None, 21))
    assert next(sentences).id == "25"
    assert part.warnings(26).warnings["third"].places == ["c:21", "c:24"]


def test_a_worker_goes_to_a_mark_without_reading_what_is_before_it(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("".join(f"word {number}\n" for number in range(5000)))
    corpus = Words(str(tmp_path / "c.txt"))
    one = CorpusPart(corpus, None, joined=False)
    _, sentences = one.at(Range(0, None))
    for _ in itertools.islice(sentences, 4001):
        pass
    mark = one.mark(4000)
    assert mark is not None and 2900 < mark.number <= 4000
    other = CorpusPart(corpus, None, joined=False)
    first, sentences = other.at(Range(4000, None, mark, 4000))
    assert (first, next(sentences).words) == (4000, ("word", "4000"))
    assert other._log.begin == mark.bookmark and mark.bookmark.position_bytes > 10 * 2900
    first, sentences = other.at(Range(10, 20, None, 4000))
    assert (first, next(sentences).words) == (10, ("word", "10")), "someone else's that was lost is before the mark"


def test_where_documents_are_kept_together_a_mark_is_not_within_one(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("".join(f"word {number}\n" for number in range(5000)))
    one = CorpusPart(Words(str(tmp_path / "c.txt")), None, joined=True)
    _, sentences = one.at(Range(0, None))
    for _ in itertools.islice(sentences, 4001):
        pass
    assert one.mark(4000) is None, "all of the file is one document"
