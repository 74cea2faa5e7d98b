"""Whether the rows of one file keep the rules of FORMAT.md: sentences, words, labels and documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from embedpipe.store import format as names
from embedpipe.store.finding import Fault
from embedpipe.store.verify_labels import check_codes, check_documents, check_strings, check_vocabulary
from embedpipe.store.verify_runs import runs_of
from embedpipe.store.verify_words import check_flags, check_pairs, check_subwords, check_texts_and_spans

if TYPE_CHECKING:
    from embedpipe.store.sealed import SealedFile


def check_rows(file: SealedFile) -> Iterator[Fault]:
    """Check all that a file says of its sentences and words.

    :raises DamagedStoreError: If something cannot be read at all.
    """
    for name in file.structure.labels:
        yield from check_vocabulary(file, name)
    yield from check_strings(file, names.DOCUMENT_ID)
    seen = dict.fromkeys(file.structure.labels, -1)
    last_document = -1
    for rows in runs_of(file):
        if isinstance(rows, Fault):
            yield rows
            continue
        yield from check_texts_and_spans(rows)
        if file.structure.has_pairs:
            yield from check_pairs(rows)
        yield from check_subwords(rows)
        yield from check_flags(rows)
        documents = rows.sentences(names.DOCUMENT_INDEX)
        yield from check_documents(rows, documents, last_document)
        last_document = int(documents[-1])
        for name in seen:
            seen[name] = yield from check_codes(rows, name, seen[name])
    if last_document + 1 != file.structure.counts["num_documents"]:
        num_documents = file.structure.counts["num_documents"]
        what = f"{names.DOCUMENT_INDEX} ends at {last_document}, and there are {num_documents:,} documents"
        yield Fault.of_file("documents", what)
