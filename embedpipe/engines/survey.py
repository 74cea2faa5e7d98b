"""What there is in a corpus, counted in one pass, without vectors and without holding on to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

from embedpipe.dataflow import ReadLog, Sentence, Unit, WarningCount, WindowedSentence, WordFlag
from embedpipe.errors import CorpusError
from embedpipe.progress import Progress

if TYPE_CHECKING:
    from embedpipe.dataflow import Corpus
    from embedpipe.extraction import Embedder

_SENTENCES_A_REPORT = 512
_KNOWN_VALUES = 100_000
"""Values of a label that are remembered; beyond, each one is taken for a new one."""


class LongestSentence(NamedTuple):
    """The sentence with the most subwords; the first one of several."""

    id: str
    num_words: int
    num_subwords: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What an extraction would read, encode and store.

    :param num_documents: Runs of sentences of the same document, as the store counts them.
    :param num_pairs: Sentences that are pairs of texts.
    :param num_subwords: Without special ones and context, each once.
    :param num_window_subwords: Those that the encoder computes: special ones, context and overlaps counted, padding not. It is
        less where windows are equal, which are computed once in a shard.
    :param num_windowed_sentences: Sentences longer than the encoder's window, covered by several windows.
    :param num_cut_words: Words of which the encoder sees only the first characters.
    :param num_text_bytes: UTF-8 of the sentences.
    :param num_id_bytes: UTF-8 of the sentences' and the documents' ids.
    :param num_vocabulary_bytes: UTF-8 of the labels' different values.
    :param labels: By name, whether words or sentences have it.
    :param warnings: What was irregular in the corpus, by kind.
    :param seconds: For reading, cutting into subwords and making windows.
    """

    num_documents: int
    num_sentences: int
    num_pairs: int
    num_words: int
    num_subwords: int
    num_windows: int
    num_window_subwords: int
    num_windowed_sentences: int
    num_empty_sentences: int
    num_words_without_subwords: int
    num_cut_words: int
    num_text_bytes: int
    num_id_bytes: int
    num_vocabulary_bytes: int
    longest: LongestSentence | None
    labels: Mapping[str, Unit]
    warnings: Mapping[str, WarningCount]
    seconds: float

    def num_rows(self, unit: Unit) -> int:
        """Rows of a view or label."""
        return {"sentence": self.num_sentences, "word": self.num_words, "subword": self.num_subwords}[unit]

    def projected(self, num_sentences: int) -> Survey:
        """What a corpus of so many sentences of the same kind would be: all counts and the time in proportion.

        :raises CorpusError: If there is no sentence to go by.
        """
        if not self.num_sentences:
            raise CorpusError("the corpus", None, f"has no sentence, so nothing can be said of {num_sentences:,} of its kind")
        counts = {name: math.ceil(getattr(self, name) * num_sentences / self.num_sentences) for name in COUNTS}
        return replace(self, seconds=self.seconds * num_sentences / self.num_sentences, **counts)


COUNTS = tuple(field.name for field in fields(Survey) if field.name.startswith("num_"))
"""The fields of a survey that grow with the corpus."""


def survey(
    corpus: Corpus,
    embedder: Embedder,
    log: ReadLog,
    *,
    on_sentence: Callable[[WindowedSentence], None] = lambda sentence: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Survey:
    """Read a corpus to its end and count.

    :param embedder: Its encoder is only asked for its shape: an :class:`~embedpipe.encoders.EncoderOutline` will do.
    :param on_sentence: Is shown every sentence.
    :raises CorpusError: Names file and line of what cannot be read.
    """
    started, tally = time.perf_counter(), _Tally()
    subwords = embedder.tokenizer.tokenize(corpus.sentences(log), joined=embedder.context.joined)
    for sentence in embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special):
        tally.add(sentence)
        on_sentence(sentence)
        if tally.counts["num_sentences"] % _SENTENCES_A_REPORT == 0:
            on_progress(tally.progress(log))
    on_progress(tally.progress(log))
    return Survey(
        **tally.counts, longest=tally.longest, labels=tally.labels, warnings=log.warnings, seconds=time.perf_counter() - started
    )


class _Tally:
    """A survey in the making."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self.longest: LongestSentence | None = None
        self.labels: dict[str, Unit] = {}
        self._values: dict[str, set[str]] = {}
        self._document: str | None = None

    def add(self, windowed: WindowedSentence) -> None:
        subwords, sentence, counts = windowed.subwords, windowed.subwords.sentence, self.counts
        num_words, num_subwords = len(subwords.word_offsets), len(subwords.subword_ids)
        counts["num_sentences"] += 1
        counts["num_pairs"] += sentence.second_start is not None
        counts["num_words"] += num_words
        counts["num_subwords"] += num_subwords
        counts["num_windows"] += len(windowed.windows)
        counts["num_window_subwords"] += sum(len(window.input_ids) for window in windowed.windows)
        counts["num_windowed_sentences"] += len(windowed.windows) > 1
        counts["num_empty_sentences"] += not num_words
        counts["num_words_without_subwords"] += int((subwords.word_flags & int(WordFlag.NO_SUBWORDS)).sum())
        counts["num_cut_words"] += int((subwords.word_flags & int(WordFlag.CUT) != 0).sum())
        counts["num_text_bytes"] += _num_bytes([sentence.text])
        counts["num_id_bytes"] += _num_bytes([sentence.id])
        if self.longest is None or num_subwords > self.longest.num_subwords:
            self.longest = LongestSentence(sentence.id, num_words, num_subwords)
        self._add_document(sentence.document)
        self._add_labels(sentence)

    def _add_document(self, document: str) -> None:
        if document != self._document or not self.counts["num_documents"]:
            self._document = document
            self.counts["num_documents"] += 1
            self.counts["num_id_bytes"] += _num_bytes([document])

    def _add_labels(self, sentence: Sentence) -> None:
        for name, label in sentence.labels.items():
            self.labels[name] = "sentence" if isinstance(label, str) else "word"
            known = self._values.setdefault(name, set())
            new = {label} - known if isinstance(label, str) else set(label) - known
            self.counts["num_vocabulary_bytes"] += _num_bytes(new)
            if len(known) < _KNOWN_VALUES:
                known |= new

    def progress(self, log: ReadLog) -> Progress:
        return Progress(
            num_sentences=self.counts["num_sentences"],
            num_words=self.counts["num_words"],
            num_subwords=self.counts["num_subwords"],
            done_bytes=log.position_bytes,
            size_bytes=log.size_bytes,
        )


def _num_bytes(strings: Iterable[str]) -> int:
    return sum(len(string) if string.isascii() else len(string.encode("utf-8", "surrogatepass")) for string in strings)
