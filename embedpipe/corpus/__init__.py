"""Bytes to sentences: one reader a format, each read as a stream (:class:`embedpipe.dataflow.Corpus`).

::

    files (paths, gzip, UTF-8) --lines--> a reader --Sentence-->

:mod:`~embedpipe.corpus.files` finds them, :mod:`~embedpipe.corpus.line_reader` opens them and knows where each line begins,
:mod:`~embedpipe.corpus.reading` goes from file to file, from the first or from a bookmark, :mod:`~embedpipe.corpus.ids` names
sentences and documents, :mod:`~embedpipe.corpus.tags` brings entity tags to BIO; the other files are the formats.
"""

from __future__ import annotations

from embedpipe.corpus.conll2003 import Conll2003
from embedpipe.corpus.conllu import Conllu
from embedpipe.corpus.delimited import Csv, Tsv
from embedpipe.corpus.files import sample_path
from embedpipe.corpus.jsonl import Jsonl
from embedpipe.corpus.lines import Lines
from embedpipe.corpus.words import Words
from embedpipe.dataflow import Corpus

__all__ = ["Conll2003", "Conllu", "Csv", "Jsonl", "Lines", "Tsv", "Words", "has_bookmarks", "sample_path"]


def has_bookmarks(corpus: Corpus) -> bool:
    """Whether the bookmarks that come of reading a corpus hold all that it takes to read on.

    They do for the readers here. One that a plug-in has derived from them, or wrapped around them, hands on their bookmarks
    while it may count or compare sentences itself.
    """
    return type(corpus) in (Conll2003, Conllu, Csv, Jsonl, Lines, Tsv, Words)
