"""The sentences of the small store that most tests of this folder read."""

from __future__ import annotations

from embedpipe.dataflow import Sentence

CITIES, OTHERS = ("Berlin", "Tokyo", "U.S.A."), ("fox", "bank", "river", "stick")


def sentences() -> list[Sentence]:
    """Six documents of eight sentences, among them an empty one and words without subwords."""
    made = []
    for number in range(48):
        city, other = CITIES[number % 3], OTHERS[number % 4]
        words = [["The", other, "near", city, "."], [city, "is", "a", other], [other, "and", city, "\u200b", other]][number % 3]
        words = [] if number == 20 else words
        ner = tuple("B-LOC" if word == city else "O" for word in words)
        labels = {"ner": ner, "topic": f"about {other}"}
        made.append(Sentence.from_words(f"doc-{number // 8}/{number % 8}", f"doc-{number // 8}", words, labels=labels))
    return made
