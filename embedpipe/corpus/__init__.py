"""Bytes to sentences: one reader a format, each read as a stream (:class:`embedpipe.dataflow.Corpus`).

::

    files (paths, gzip, UTF-8) --lines--> a reader --Sentence-->

:mod:`~embedpipe.corpus.files` finds and opens, :mod:`~embedpipe.corpus.ids` names sentences and documents,
:mod:`~embedpipe.corpus.tags` brings entity tags to BIO; the other files are the formats.
"""

from __future__ import annotations

from embedpipe.corpus.conll2003 import Conll2003
from embedpipe.corpus.conllu import Conllu
from embedpipe.corpus.delimited import Csv, Tsv
from embedpipe.corpus.files import sample_path
from embedpipe.corpus.jsonl import Jsonl
from embedpipe.corpus.lines import Lines
from embedpipe.corpus.words import Words

__all__ = ["Conll2003", "Conllu", "Csv", "Jsonl", "Lines", "Tsv", "Words", "sample_path"]
