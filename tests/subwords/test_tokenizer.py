from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import ARCHITECTURES, TOKENIZER_OF, WITH_CLS

from embedpipe.dataflow import Sentence, SentenceFlag, WordFlag
from embedpipe.errors import EncoderError
from embedpipe.subwords import SubwordTokenizer, align_words, flag_words

KINDS = {kind: name for name, kind in TOKENIZER_OF.items()}
ANY_CHARACTER = st.characters() | st.sampled_from("\u200b\u200d\ufeff\u00ad\x00\x85\u2028\u0301\ufe0f\ud800\U0001f600 \t\n你")


@pytest.fixture(params=sorted(KINDS))
def tokenizer(request, tiny_model) -> SubwordTokenizer:
    return SubwordTokenizer(tiny_model(KINDS[request.param]))


@pytest.fixture
def wordpiece(tiny_model) -> SubwordTokenizer:
    return SubwordTokenizer(tiny_model("bert"))


@pytest.fixture
def byte_bpe(tiny_model) -> SubwordTokenizer:
    return SubwordTokenizer(tiny_model("roberta"))


def tokenize(tokenizer, *sentences, joined=False):
    return list(tokenizer.tokenize(sentences, joined=joined))


def words_of(words, **settings):
    return Sentence.from_words("s", "d", words, **settings)


@given(words=st.lists(st.text(ANY_CHARACTER, max_size=8), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_list_of_words_comes_back_with_as_many_rows_in_order_and_the_right_flags(tokenizer, words):
    (out,) = tokenize(tokenizer, words_of(words))
    expected = tuple("".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in word) for word in words)
    assert out.sentence.words == expected
    assert len(out.word_offsets) == len(out.word_flags) == len(words)
    assert bool(out.sentence.flags & SentenceFlag.REPLACED_CHARACTERS) == (list(expected) != words)
    starts, ends = out.word_offsets.T
    assert (starts >= 0).all() and (starts <= ends).all() and (ends <= len(out.subword_ids)).all()
    assert (np.diff(starts) >= 0).all()
    assert ((starts == ends) == (out.word_flags & WordFlag.NO_SUBWORDS > 0)).all()


@pytest.mark.parametrize("word", ["", "\u200b", "\u200d", "\ufeff", "\x00", "\x7f", "\u2060"])
def test_a_word_that_yields_no_subword_is_flagged_and_shifts_nothing(wordpiece, word):
    (out,) = tokenize(wordpiece, words_of(["the", word, "dog"]))
    (without,) = tokenize(wordpiece, words_of(["the", "dog"]))
    assert out.word_flags.tolist() == [0, WordFlag.NO_SUBWORDS, 0]
    assert out.subword_ids.tolist() == without.subword_ids.tolist()
    assert out.word_offsets[[0, 2]].tolist() == without.word_offsets.tolist()


@pytest.mark.parametrize("literal", ["[SEP]", "[CLS]", "[PAD]", "[MASK]", "<s>", "</s>", "<|endoftext|>"])
def test_a_literal_special_subword_in_a_corpus_is_text(tokenizer, literal):
    special = {*tokenizer.special.prefix, *tokenizer.special.suffix}
    (out,) = tokenize(tokenizer, words_of(["a", literal, "b"]))
    assert not special & set(out.subword_ids.tolist())
    assert out.word_offsets[1, 1] - out.word_offsets[1, 0] > 1


def test_a_lone_surrogate_is_replaced_and_flagged(tokenizer):
    (out,) = tokenize(tokenizer, words_of(["a", "x\ud800y", "b"]))
    assert out.sentence.words == ("a", "x\ufffdy", "b")
    assert out.sentence.flags == SentenceFlag.REPLACED_CHARACTERS


def test_nothing_is_cut_though_the_tokenizers_file_carries_truncation_and_padding(wordpiece, tiny_model):
    stored = json.loads((tiny_model("bert") / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["truncation"] and stored["padding"]
    long, short = tokenize(wordpiece, words_of(["a"] * 3000), words_of(["a"]))
    assert len(long.subword_ids) == 3000
    assert len(short.subword_ids) == 1


def test_a_word_of_10000_characters_keeps_its_subwords_and_its_neighbours(tokenizer):
    (out,) = tokenize(tokenizer, words_of(["a", "x7" * 5000, "b"]))
    starts, ends = out.word_offsets.T
    assert (starts < ends).all()
    assert ends[0] <= starts[1] and ends[1] <= starts[2]


def test_white_space_that_is_known_reaches_a_byte_level_tokenizer(byte_bpe):
    apart, together = tokenize(byte_bpe, words_of(["Berlin", "."]), words_of(["Berlin", "."], spaces=[False, True]))
    assert apart.sentence.text == "Berlin ." and together.sentence.text == "Berlin."
    assert apart.subword_ids.tolist() != together.subword_ids.tolist()


def test_a_leading_space_belongs_to_the_word_behind_it_as_byte_level_models_expect(byte_bpe):
    (out,) = tokenize(byte_bpe, words_of(["the", "bank"]))
    whole = byte_bpe._tokenizer.encode("the bank", add_special_tokens=False)
    assert out.subword_ids.tolist() == whole.ids
    assert whole.tokens[out.word_offsets[1, 0]].startswith("Ġ")
    assert not out.word_flags.any()


def test_a_subword_across_two_words_is_given_to_both_and_flagged(wordpiece):
    (out,) = tokenize(wordpiece, words_of(["do", "n't"], spaces=[False, True]))
    assert out.word_offsets[0, 1] > out.word_offsets[1, 0]
    assert (out.word_flags & WordFlag.SHARED_SUBWORD).all()


def test_unknown_subwords_are_flagged(wordpiece):
    (out,) = tokenize(wordpiece, words_of(["the", "\U00012000"]))
    assert out.word_flags.tolist() == [0, WordFlag.UNKNOWN_SUBWORD]


def test_words_of_raw_text_are_those_of_the_tokenizers_own_pre_tokenization(wordpiece, byte_bpe, tiny_model):
    text = "  Don't go to  Berlin, ok?\u200b 你好"
    assert tokenize(wordpiece, Sentence.from_text("s", "d", text))[0].sentence.words == (
        "Don", "'", "t", "go", "to", "Berlin", ",", "ok", "?", "你", "好",
    )  # fmt: skip
    assert tokenize(byte_bpe, Sentence.from_text("s", "d", "Don't go  now"))[0].sentence.words == ("Don", "'t", "go", "now")
    unigram = SubwordTokenizer(tiny_model("albert"))
    assert tokenize(unigram, Sentence.from_text("s", "d", "Don't go  now."))[0].sentence.words == ("Don't", "go", "now.")


@given(text=st.text(ANY_CHARACTER, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_words_of_any_raw_text_lie_in_it_in_order_without_white_space_at_their_ends(tokenizer, text):
    (out,) = tokenize(tokenizer, Sentence.from_text("s", "d", text))
    assert all(word and word == word.strip() for word in out.sentence.words)
    assert list(out.sentence.spans) == sorted(out.sentence.spans)
    assert len(out.word_offsets) == len(out.sentence.words)


def test_a_sentence_that_follows_another_is_tokenized_as_its_continuation(byte_bpe):
    first, second = Sentence.from_words("1", "d", ["the", "bank"]), Sentence.from_words("2", "d", ["the", "bank"])
    other = Sentence.from_words("3", "other", ["the", "bank"])
    a, b, c = tokenize(byte_bpe, first, second, other, joined=True)
    whole = byte_bpe._tokenizer.encode("the bank the bank", add_special_tokens=False).ids
    assert [*a.subword_ids, *b.subword_ids] == whole
    assert c.subword_ids.tolist() == a.subword_ids.tolist()
    assert b.sentence == second
    assert b.word_offsets[0, 0] == 0 and b.word_offsets[1, 1] == len(b.subword_ids) and not b.word_flags.any()


def test_sentences_without_a_space_between_them_are_joined_without_one(byte_bpe):
    first = Sentence.from_words("1", "d", ["the", "bank"], spaces=[True, False])
    (_, second) = tokenize(byte_bpe, first, Sentence.from_words("2", "d", ["The"]), joined=True)
    assert second.subword_ids.tolist() == byte_bpe._tokenizer.encode("The", add_special_tokens=False).ids


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_special_subwords_are_what_the_tokenizer_itself_puts_around_a_sequence(name, tiny_model):
    tokenizer = SubwordTokenizer(tiny_model(name))
    (out,) = tokenize(tokenizer, words_of(["the", "dog"]))
    whole = tokenizer._tokenizer.encode("the dog").ids
    assert [*tokenizer.special.prefix, *out.subword_ids, *tokenizer.special.suffix] == whole
    assert (tokenizer.special.cls_index is None) == (name not in WITH_CLS)


@pytest.mark.parametrize("content", ["{", "{}", "not json"])
def test_a_broken_tokenizer_file_is_an_error_that_names_the_folder(content, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(EncoderError, match=r"loading the tokenizer in .*model"):
        SubwordTokenizer(folder)


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.lists(st.integers(0, 3), max_size=12),
)
def test_alignment_equals_looking_at_every_character(word_lengths, subword_lengths):
    def spans(lengths):
        ends = np.cumsum([0, *lengths]).tolist()
        return list(itertools.pairwise(ends))

    words, subwords = spans(word_lengths), [span for span in spans(subword_lengths) if span[0] < span[1]]
    offsets = align_words(words, subwords)
    flags = flag_words(offsets, np.zeros(len(subwords), dtype=np.int64), None)
    owners = [[i for i, sub in enumerate(subwords) if set(range(*sub)) & set(range(*word))] for word in words]
    for owned, (start, end), flag in zip(owners, offsets.tolist(), flags.tolist(), strict=True):
        assert list(range(start, end)) == owned
        assert bool(flag & WordFlag.NO_SUBWORDS) == (not owned)
        shared = any(sum(subword in other for other in owners) > 1 for subword in owned)
        assert bool(flag & WordFlag.SHARED_SUBWORD) == shared
