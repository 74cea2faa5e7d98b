"""Whether labels and documents of a run of sentences keep the rules of FORMAT.md."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.store import format as names
from embedpipe.store.finding import Fault
from embedpipe.store.verify_words import is_utf8

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.sealed import SealedFile
    from embedpipe.store.verify_runs import SentenceRows

_STRINGS_A_READ = 4096


def check_vocabulary(file: SealedFile, name: str) -> Iterator[Fault]:
    text = f"{file.structure.labels[name].group}/{names.VOCABULARY}"
    faults = list(check_strings(file, text))
    yield from faults
    if not faults:
        strings = file.text(text)
        values = strings.read(0, len(strings))
        if len(set(values)) < len(values):
            twice = next(value for index, value in enumerate(values) if value in values[:index])
            yield Fault.of_file("labels", f"the vocabulary of {name!r} has {twice!r} twice")


def check_codes(rows: SentenceRows, name: str, seen: int) -> Generator[Fault, None, int]:
    """Check the codes of a label; generates faults and returns the highest code that was seen."""
    label = rows.file.structure.labels[name]
    path = f"{label.group}/{names.LABEL_CODES}"
    codes = rows.words(path) if label.unit == "word" else rows.sentences(path)
    size = len(rows.file.text(f"{label.group}/{names.VOCABULARY}"))
    wrong = (codes < names.NO_LABEL) | (codes >= size)
    kind = rows.of_words if label.unit == "word" else rows.of_sentences
    place = "word {word}" if label.unit == "word" else "it"
    shown = repr(name).replace("{", "{{").replace("}", "}}")
    yield from kind("labels", wrong, f"{place} has the code {{}} of {shown}, whose vocabulary has {size:,} values", codes)
    if wrong.any():
        return seen
    highest = np.maximum.accumulate(np.concatenate([[seen], codes]))
    skipped = codes > highest[:-1] + 1
    say = f"{place} has the code {{}} of {shown} before all lower ones were seen"
    yield from kind("labels", skipped, say, codes)
    return int(highest[-1])


def check_documents(rows: SentenceRows, documents: IntArray, last: int) -> Iterator[Fault]:
    steps = np.diff(documents, prepend=last)
    wrong = (steps != 0) & (steps != 1)
    if last < 0:
        wrong[0] = documents[0] != 0
    say = names.DOCUMENT_INDEX + " is {}, expected that of the sentence before or one more"
    yield from rows.of_sentences("documents", wrong, say, documents)


def check_strings(file: SealedFile, text: str) -> Iterator[Fault]:
    """Check packed strings that belong to no sentence."""
    offsets = file.column(names.offsets_of(text))
    data = file.column(names.bytes_of(text))
    for start in range(0, len(offsets) - 1, _STRINGS_A_READ):
        values = offsets.read(start, min(start + _STRINGS_A_READ, len(offsets) - 1) + 1)
        if (np.diff(values) < 0).any() or values[0] < 0 or values[-1] > len(data):
            yield Fault.of_file("offsets", f"{names.offsets_of(text)} are not ascending numbers from 0 to {len(data)}")
        elif not is_utf8(data.read(int(values[0]), int(values[-1])), values - values[0]):
            yield Fault.of_file("text", f"{names.bytes_of(text)} is not UTF-8")
