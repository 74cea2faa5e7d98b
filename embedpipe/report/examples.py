"""Sentences on which the choices disagree: who read what, and who was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from embedpipe.experiment.results import Disagreement
from embedpipe.report.names import spaced

Tags: TypeAlias = tuple[str, ...]

_AROUND = 12  # words around those that matter
_MOST_CHARACTERS = 600
_MOST_READINGS = 5


@dataclass(frozen=True)
class Piece:
    """Some words with their tag.

    :param text: Empty where the tag is of the whole sentence.
    :param tag: ``None`` for words that need none.
    :param right: Whether the gold tags have it so.
    """

    text: str
    tag: str | None = None
    right: bool = True


@dataclass(frozen=True)
class Reading:
    """What some of the choices have read.

    :param choices: Their names.
    :param right: Whether it is what the gold tags say.
    """

    choices: tuple[str, ...]
    right: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Example:
    """A sentence: its readings, the right one first.

    :param text: The sentence, where it is the sentence that has a label; else its words are in the readings.
    :param gold: The gold tags, where no choice has read them.
    :param num_more: Wrong readings that are not shown, each by few choices.
    """

    sentence_id: str
    where: str
    text: str
    gold: tuple[Piece, ...] | None
    readings: tuple[Reading, ...]
    num_more: int = 0


def example(disagreement: Disagreement, where: str) -> Example:
    """Put choices that read the same together, and words with the same entity."""
    by_tags: dict[Tags, list[str]] = {}
    for choice, tags in disagreement.predicted.items():
        by_tags.setdefault(tuple(tags), []).append(choice)
    gold = tuple(disagreement.gold)
    first, last = _window(gold, list(by_tags))
    readings = [
        Reading(
            tuple(spaced(choice) for choice in choices),
            tags == gold,
            _pieces(disagreement.words, tags, gold, first, last, by_tags),
        )
        for tags, choices in by_tags.items()
    ]
    readings.sort(key=lambda reading: (not reading.right, -len(reading.choices)))
    gold_pieces = _pieces(disagreement.words, gold, gold, first, last, by_tags)
    shown = readings[:_MOST_READINGS]
    gold_to_show = None if readings[0].right else gold_pieces
    words = disagreement.words
    text = _short(words[0]) if len(words) == 1 and not readings[0].pieces[0].text else ""
    return Example(disagreement.sentence_id, where, text, gold_to_show, tuple(shown), len(readings) - len(shown))


def types_of(tags: Sequence[str]) -> list[str]:
    """The types of BIO tags, or the labels themselves."""
    bare = (_type(tag) for tag in tags) if is_bio(tags) else iter(tags)
    return [name for name in dict.fromkeys(bare) if name is not None]


def is_bio(tags: Sequence[str]) -> bool:
    """Whether tags mark entities: ``O``, ``B-X`` and ``I-X`` alone, and not ``O`` alone."""
    return all(tag == "O" or tag[:2] in {"B-", "I-"} for tag in tags) and any(tag != "O" for tag in tags)


def _type(tag: str) -> str | None:
    return None if tag == "O" else tag[2:]


def _window(gold: tuple[str, ...], readings: list[tuple[str, ...]]) -> tuple[int, int]:
    """The words to show: those on which readings differ, with some around them."""
    differ = [i for i, tag in enumerate(gold) if any(tags[i] != tag for tags in readings)] or [0]
    first, last = max(differ[0] - _AROUND, 0), min(differ[-1] + 1 + _AROUND, len(gold))
    inside = [any(tags[i][:2] == "I-" for tags in (gold, *readings)) for i in range(len(gold))]
    while first > 0 and inside[first]:  # an entity is not cut
        first -= 1
    while last < len(gold) and inside[last]:
        last += 1
    return first, last


def _pieces(
    words: tuple[str, ...],
    tags: tuple[str, ...],
    gold: tuple[str, ...],
    first: int,
    last: int,
    readings: dict[tuple[str, ...], list[str]],
) -> tuple[Piece, ...]:
    every_tag = [tag for reading in (gold, *readings) for tag in reading]
    if is_bio(every_tag):
        pieces = _entities(words, tags, gold, first, last)
    elif len(words) == 1:
        return (Piece("", tags[0], tags == gold),)
    else:
        differs = {i for i, tag in enumerate(gold) if any(reading[i] != tag for reading in readings)}
        pieces = [Piece(words[i], tags[i] if i in differs else None, tags[i] == gold[i]) for i in range(first, last)]
    return (*([Piece("…")] if first else []), *pieces, *([Piece("…")] if last < len(words) else []))


def _entities(words: Tags, tags: Tags, gold: Tags, first: int, last: int) -> list[Piece]:
    spans, gold_spans = {span[0]: span for span in _spans(tags)}, _spans(gold)
    pieces, i = [], first
    while i < last:
        start, stop, name = spans.get(i, (i, i + 1, ""))
        shown = " ".join(words[start:stop])
        # a stray I- makes an entity to be seen, but none that counts
        right = (start, stop, name) in gold_spans and tags[start:stop] == gold[start:stop]
        pieces.append(Piece(shown, name, right) if name else Piece(shown))
        i = stop
    return pieces


def _spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Entities of BIO tags; an ``I-X`` that follows no ``X`` begins one."""
    spans, start = set(), 0
    for i, tag in enumerate((*tags, "O")):
        before = tags[i - 1] if i else "O"
        if before != "O" and (tag[:2] != "I-" or _type(tag) != _type(before)):
            spans.add((start, i, before[2:]))
        if tag[:2] == "B-" or (tag != "O" and _type(tag) != _type(before)):
            start = i
    return spans


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
