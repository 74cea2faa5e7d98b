"""A model's own tokenizer, made to cut nothing, pad nothing, and take every character of a corpus for text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import PairSubwords, Sentence, Span, SpecialSubwords, SubwordSentence
from embedpipe.errors import EncoderError
from embedpipe.subwords.alignment import align_words, flag_words
from embedpipe.subwords.marian import is_marian, load_marian

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from embedpipe.dataflow import IntArray

_SENTENCES_AT_A_TIME = 512
_NO_LIMIT = 10**9
"""transformers writes "no limit" as a model_max_length of about 1e30."""


_VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


class SubwordTokenizer:
    """A fast tokenizer of transformers.

    The text is given to the tokenizer as it stands, so that "Berlin." and "Berlin ." differ for an encoder that was trained to
    see the difference. Truncation and padding stored in ``tokenizer.json`` are switched off. A literal "[SEP]" in a corpus is
    text: it is cut into subwords and does not become the special one.

    :param folder: Holds the tokenizer's files.
    :raises EncoderError: If they cannot be read, or there is no fast tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        loaded = load_marian(folder) if is_marian(folder) else _load(folder)
        self._tokenizer: Tokenizer = _for_corpus_text(loaded.backend_tokenizer, loaded.unk_token)
        self._unknown_id: int | None = loaded.unk_token_id
        self._ids_end: int | None = getattr(loaded, "ids_end", None)
        self._splits_words = _splits_words(self._tokenizer)
        has_segments = "token_type_ids" in loaded.model_input_names
        self.special = _special_subwords(self._tokenizer, loaded.cls_token_id, loaded.pad_token_id, has_segments=has_segments)
        self.max_window: int | None = None if loaded.model_max_length > _NO_LIMIT else int(loaded.model_max_length)
        """Longest sequence with special subwords that the tokenizer's own files state."""
        self.description = {"class": type(loaded).__name__, "vocabulary_size": self._tokenizer.get_vocab_size()}

    def tokenize(self, sentences: Iterable[Sentence], *, joined: bool = False) -> Iterator[SubwordSentence]:
        """Cut sentences into subwords and align them with the words; of a pair, each text by itself.

        :param joined: Take a sentence for the continuation of the one before it in its document: white space in front of it is
            part of what the tokenizer sees.
        """
        waiting = _with_gaps(sentences, joined=joined)
        while chunk := list(itertools.islice(waiting, _SENTENCES_AT_A_TIME)):
            texts = [text for gap in chunk for text in gap.texts]
            encodings = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
            yield from self._align([self._cut(gap, [next(encodings) for _ in gap.texts]) for gap in chunk])

    def _cut(self, gap: _WithGap, encodings: Sequence[Encoding]) -> _Cut:
        sentence = gap.sentence
        spans = _shifted(encodings[0].offsets, -gap.length)
        words = self._find_words(sentence.texts[0], spans, encodings[0]) if sentence.spans is None else sentence.spans
        if sentence.second_start is not None:
            of_second = encodings[1].offsets
            spans = [*spans, *_shifted(of_second, sentence.second_start)]
            if sentence.spans is None:
                found = self._find_words(sentence.texts[1], of_second, encodings[1])
                words = (*words, *_shifted(found, sentence.second_start))
        if sentence.spans is None:
            sentence = replace(sentence, spans=words)
        ids = [id for encoding in encodings for id in encoding.ids]
        return _Cut(sentence, words, spans, ids, None if sentence.second_start is None else len(encodings[0].ids))

    def _align(self, chunk: Sequence[_Cut]) -> Iterator[SubwordSentence]:
        """Align sentences as if they stood in one text, which is several times as fast as one after the other."""
        subword_ids = _flat((cut.ids for cut in chunk), sum(len(cut.ids) for cut in chunk))
        if self._ids_end is not None and self._unknown_id is not None:
            subword_ids[subword_ids >= self._ids_end] = self._unknown_id
        bases = np.cumsum([0, *(len(cut.sentence.text) + 2 for cut in chunk)])[:-1]  # a subword may start at -1, see _WithGap
        word_offsets = align_words(
            _in_one_text([cut.words for cut in chunk], bases), _in_one_text([cut.spans for cut in chunk], bases)
        )
        flags = flag_words(word_offsets, subword_ids, self._unknown_id)
        word, subword = 0, 0
        for cut in chunk:
            words, subwords = slice(word, word := word + len(cut.words)), slice(subword, subword := subword + len(cut.ids))
            offsets = word_offsets[words] - subwords.start
            yield SubwordSentence(cut.sentence, subword_ids[subwords], offsets, flags[words], num_first=cut.num_first)

    def _find_words(self, text: str, spans: Sequence[Span], encoding: Encoding) -> tuple[Span, ...]:
        """The words that the tokenizer's pre-tokenization makes; without one, what stands between white space."""
        if not self._splits_words:
            return tuple(_trimmed_spans(text, _white_space_words(text)))
        words: dict[int, Span] = {}
        for (start, end), word in zip(spans, encoding.word_ids, strict=True):
            if word is not None:
                first, last = words.get(word, (start, end))
                words[word] = (min(first, start), max(last, end))
        return tuple(_trimmed_spans(text, words.values()))


@dataclass(frozen=True, slots=True)
class _WithGap:
    """A sentence and the number of spaces (0 or 1) that the tokenizer sees in front of it."""

    sentence: Sentence
    length: int

    @property
    def texts(self) -> tuple[str, ...]:
        first, *second = self.sentence.texts
        return (" " * self.length + first, *second)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A sentence, the characters of its words and subwords, and the subwords; of a pair, how many are of the first text."""

    sentence: Sentence
    words: Sequence[Span]
    spans: Sequence[Span]
    ids: Sequence[int]
    num_first: int | None


def _flat(values: Iterable[Iterable[int]], count: int) -> IntArray:
    return np.fromiter(itertools.chain.from_iterable(values), np.int64, count)


def _in_one_text(spans: Sequence[Sequence[Span]], bases: IntArray) -> IntArray:
    """The spans of several sentences, each moved to where its sentence starts. *Shape:* ``(num_spans, 2)``."""
    lengths = [len(each) for each in spans]
    flat = _flat(itertools.chain.from_iterable(spans), 2 * sum(lengths)).reshape(-1, 2)
    return flat + np.repeat(bases, lengths)[:, None]


def _shifted(spans: Sequence[Span], shift: int) -> Sequence[Span]:
    return [(start + shift, end + shift) for start, end in spans] if shift else spans


def _with_gaps(sentences: Iterable[Sentence], *, joined: bool) -> Iterator[_WithGap]:
    before: Sentence | None = None
    for sentence in sentences:
        follows = joined and before is not None and before.document == sentence.document
        yield _WithGap(sentence, int(follows and before is not None and before.space_after))
        before = sentence


def _white_space_words(text: str) -> Iterator[Span]:
    position = 0
    for word in text.split():
        position = text.index(word, position)
        yield position, position + len(word)
        position += len(word)


def _trimmed_spans(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Leave out the white space that byte-level and sentencepiece tokenizers count to a word, and words of nothing else."""
    for start, end in sorted(spans):
        word = text[max(start, 0) : end]
        trimmed = word.strip()
        if trimmed:
            first = max(start, 0) + word.index(trimmed)
            yield first, first + len(trimmed)


def _load(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in _VOCABULARY_FILES) and not any(folder.glob("*.model")):
        raise EncoderError(f"loading the tokenizer in {folder}: there is none; expected tokenizer.json")
    try:
        loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # tokenizers raises bare Exception for a file that it cannot parse
        reason = str(error).strip().split("\n", 1)[0]
        raise EncoderError(f"loading the tokenizer in {folder}: {reason or type(error).__name__}") from error
    if not getattr(loaded, "is_fast", False):
        raise EncoderError(
            f"loading the tokenizer in {folder}: {type(loaded).__name__} is not a fast tokenizer, so its subwords cannot be "
            "aligned with words; a tokenizer.json is needed (sentencepiece models: pip install 'embedpipe[sentencepiece]')"
        )
    return loaded


def _for_corpus_text(tokenizer: Tokenizer, unknown: str | None) -> Tokenizer:
    """The same tokenizer, for which every character is text, and which neither cuts nor pads.

    Special subwords are taken out of the ones that are looked for in the text, and renamed in the vocabulary, where
    sentencepiece models would find them as pieces. What is put around a sequence is known by id, and stays.
    """
    from tokenizers import Tokenizer

    settings = json.loads(tokenizer.to_str())
    settings["truncation"] = settings["padding"] = None
    special = {added["content"] for added in settings["added_tokens"] if added["special"]} - {unknown}
    settings["added_tokens"] = [added for added in settings["added_tokens"] if not added["special"]]
    vocabulary = settings["model"]["vocab"]
    if isinstance(vocabulary, dict):
        renamed = {_unwritable(piece) if piece in special else piece: id for piece, id in vocabulary.items()}
        settings["model"]["vocab"] = renamed
    else:
        settings["model"]["vocab"] = [[_unwritable(piece) if piece in special else piece, score] for piece, score in vocabulary]
    return Tokenizer.from_str(json.dumps(settings))


def _splits_words(tokenizer: Tokenizer) -> bool:
    """Whether its pre-tokenization makes words; Llama's only puts a sign in the place of white space."""
    return tokenizer.pre_tokenizer is not None and len(tokenizer.pre_tokenizer.pre_tokenize_str("a b")) > 1


def _unwritable(piece: str) -> str:
    return f"\U0010ffff{piece}"


def _special_subwords(tokenizer: Tokenizer, cls_id: int | None, pad_id: int | None, *, has_segments: bool) -> SpecialSubwords:
    """Find out what the tokenizer puts around a sequence by looking at what it does."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    start = next(i for i in range(len(whole) + 1) if whole[i : i + len(bare)] == bare)
    prefix, suffix = tuple(whole[:start]), tuple(whole[start + len(bare) :])
    around = prefix + suffix
    pair = _pair_subwords(tokenizer, len(prefix), len(suffix), has_segments=has_segments)
    return SpecialSubwords(prefix, suffix, pad_id or 0, around.index(cls_id) if cls_id in around else None, pair)


def _pair_subwords(tokenizer: Tokenizer, num_front: int, num_behind: int, *, has_segments: bool) -> PairSubwords | None:
    """Find out in the same way what it puts between two; ``None`` where that is nothing."""
    whole = tokenizer.encode("a", "b", add_special_tokens=True)
    texts: list[int | None] = whole.sequence_ids
    first, second = ([position for position, text in enumerate(texts) if text == number] for number in (0, 1))
    between = range(first[-1] + 1, second[0]) if first and second else range(0)
    if not between or first[0] != num_front or len(texts) - second[-1] - 1 != num_behind:
        return None
    types: list[int] = whole.type_ids
    special = tuple(segment for segment, text in zip(types, texts, strict=True) if text is None)
    ids = tuple(whole.ids[position] for position in between)
    if not has_segments or not any(types):
        return PairSubwords(ids)
    return PairSubwords(ids, special, (types[first[0]], types[second[0]]))
