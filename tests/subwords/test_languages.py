"""Languages without spaces, from right to left, with combining marks, and emoji: no row is lost, and offsets are right."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import TOKENIZER_OF
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import embedpipe
from embedpipe.corpus import Conll2003, Conllu, Lines
from embedpipe.dataflow import ReadLog, Sentence, WordFlag
from embedpipe.subwords import SubwordTokenizer
from embedpipe.subwords.text_words import find_words

KINDS = {kind: name for name, kind in TOKENIZER_OF.items()}
SENTENCES = {
    "Chinese": ["我", "爱", "北京", "天安门", "。"],
    "Chinese beyond the basic plane": ["𠮷野家", "の", "𩸽"],
    "Japanese": ["東京", "へ", "行き", "カタカナ", "ｶﾞｷﾞ", "か\u3099"],
    "Korean, composed and decomposed": ["한국어", unicodedata.normalize("NFD", "한국어"), "입니다"],
    "Thai": ["ภาษาไทย", "ที่", "นี่"],
    "Arabic with vowel marks": ["مَرْحَبًا", "بِالعَالَمِ", "،", "ـــ"],
    "Arabic with marks of direction": ["\u200fمرحبا\u200e", "\u202babc\u202c", "2024"],
    "Persian with a zero-width non-joiner": ["می\u200cخواهم", "کتاب\u200cها"],
    "Hebrew with points": ["שָׁלוֹם", "עוֹלָם"],
    "Hindi": ["हिन्दी", "क्षत्रिय", "क\u094d\u200dष"],
    "Bengali and Tamil": ["বাংলা", "தமிழ்"],
    "Vietnamese, composed and decomposed": ["tiếng", unicodedata.normalize("NFD", "tiếng"), "Việt"],
    "accents in another order": ["a\u0323\u0301", "a\u0301\u0323", "a\u0301\u0327b"],
    "Turkish": ["İstanbul", "ığdır", "I", "i̇"],
    "German and ligatures": ["Straße", "STRASSE", "ﬁne", "Ⅻ", "㎏", "½"],
    "emoji": ["👨‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "❤️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
    "nothing to see": ["\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u0301"],
}
PIECES = sorted({char for words in SENTENCES.values() for word in words for char in word})


def _normalizing() -> PreTrainedTokenizerFast:
    """A tokenizer of words that decomposes and strips accents, as uncased BERTs do, and knows no character."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    tokenizer.train_from_iterator([" ".join(words) for words in SENTENCES.values()], trainer)
    ids = [(piece, tokenizer.token_to_id(piece)) for piece in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


@pytest.fixture(scope="module", params=["normalizing", "minilm", *sorted(KINDS)])
def tokenizer(
    request: pytest.FixtureRequest, tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> SubwordTokenizer:
    if request.param == "normalizing":
        folder = tmp_path_factory.mktemp("normalizing")
        _normalizing().save_pretrained(folder)
        return SubwordTokenizer(folder)
    if request.param == "minilm":
        return SubwordTokenizer(minilm())
    return SubwordTokenizer(tiny_model(KINDS[request.param]))


def minilm() -> Path:
    from embedpipe.encoders import Transformer

    return Transformer().find().folder


def check(tokenizer: SubwordTokenizer, words: list[str], *, apart: bool = True) -> None:
    """Every word has its row; with white space between them none has a subword of another."""
    sentence = Sentence.from_words("s", "d", words, spaces=[apart] * len(words))
    (out,) = tokenizer.tokenize([sentence])
    assert out.sentence.words == tuple(words)
    starts, ends = out.word_offsets.T
    assert len(out.word_flags) == len(starts) == len(words)
    assert ((starts == ends) == (out.word_flags & WordFlag.NO_SUBWORDS > 0)).all()
    assert (np.diff(starts) >= 0).all() and (ends <= len(out.subword_ids)).all()
    if apart:  # no subword goes across white space, so none may be lost or moved to a neighbour
        assert not (out.word_flags & WordFlag.SHARED_SUBWORD).any()
        owned = np.zeros(len(out.subword_ids), int)
        for start, end in out.word_offsets:
            owned[start:end] += 1
        assert owned.max(initial=0) <= 1


@pytest.mark.parametrize("language", SENTENCES)
def test_every_word_of_every_script_keeps_its_row_and_its_own_subwords(language: str, tokenizer: SubwordTokenizer) -> None:
    words = SENTENCES[language]
    check(tokenizer, words)
    check(tokenizer, words, apart=False)
    (whole,) = tokenizer.tokenize([Sentence.from_words("s", "d", words)])
    for word, (start, end) in list(zip(words, whole.word_offsets.tolist(), strict=True))[1:]:
        (behind,) = tokenizer.tokenize([Sentence.from_words("s", "d", ["a", word])])
        first, last = behind.word_offsets[1]
        assert whole.subword_ids[start:end].tolist() == behind.subword_ids[first:last].tolist(), word


@given(words=st.lists(st.text(st.sampled_from(PIECES), min_size=1, max_size=6), max_size=8))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mixture_of_their_characters_does_so_too(words: list[str], tokenizer: SubwordTokenizer) -> None:
    check(tokenizer, words, apart=False)


@pytest.mark.parametrize("words", [["ﬁne", "Ⅻ", "dog"], ["tiếng", "Việt", "dog"], ["a\u0323\u0301", "İstanbul", "dog"]])
def test_a_normalization_that_changes_lengths_moves_no_word_behind_it(words: list[str], tokenizer: SubwordTokenizer) -> None:
    """The last word has the same subwords whether what stands before it is composed or not."""
    found = []
    for form in ("NFC", "NFD"):
        given_words = [*(unicodedata.normalize(form, word) for word in words[:-1]), words[-1]]
        (out,) = tokenizer.tokenize([Sentence.from_words("s", "d", given_words)])
        start, end = out.word_offsets[-1]
        assert end == len(out.subword_ids)
        found.append(out.subword_ids[start:end].tolist())
    assert found[0] == found[1]


def test_berts_tokenizer_makes_a_word_of_each_han_character_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("我爱北京 Peking，2024年\n", encoding="utf-8")
    tokenizer = SubwordTokenizer(minilm())
    (out,) = tokenizer.tokenize(Lines(str(tmp_path / "a.txt")).sentences(ReadLog()))
    assert out.sentence.words == ("我", "爱", "北", "京", "Peking", "，", "2024", "年")
    (chosen,) = tokenizer.tokenize(Lines(str(tmp_path / "a.txt"), words_by="white_space").sentences(ReadLog()))
    assert chosen.sentence.words == ("我爱北京", "Peking，2024年")
    assert chosen.subword_ids.tolist() == out.subword_ids.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's Zürich’s 1st café,  e.g.!", ["It's", "Zürich’s", "1st", "café", ",", "e", ".", "g", ".", "!"]),
        ("我爱北京 2024年x", ["我", "爱", "北", "京", "2024", "年", "x"]),
        ("カタカナ と𠮷 か\u3099", ["カ", "タ", "カ", "ナ", "と", "𠮷", "か\u3099"]),
        ("हिन्दी क\u094d\u200dष", ["हिन्दी", "क\u094d\u200dष"]),
        ("می\u200cخواهم، مَرْحَبًا", ["می\u200cخواهم", "،", "مَرْحَبًا"]),
        ("cafe\u0301s ภาษาไทย 한국어", ["cafe\u0301s", "ภาษาไทย", "한국어"]),
        ("👨‍👩‍👧👍🏽 🇩🇪🇫🇷🇫❤️", ["👨‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "🇫", "❤️"]),
        ("a\u200bb '' \u0301", ["a", "\u200b", "b", "'", "'", "\u0301"]),
    ],
)
def test_words_for_a_vocabulary_of_words_are_those_of_the_script(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in find_words(text)] == words


@given(st.text() | st.text(st.sampled_from([*PIECES, " ", "'"])))
def test_words_for_a_vocabulary_of_words_cover_all_but_white_space_once(text: str) -> None:
    spans = list(find_words(text))
    covered = [index for start, end in spans for index in range(start, end)]
    assert covered == [index for index, char in enumerate(text) if not char.isspace()]
    assert all(start < end for start, end in spans)


def first_sentences(path: Path, corpus: dict[str, object], number: int, folder: Path) -> dict[str, object]:
    """The corpus of the first sentences of a file."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")[:number]
    small = folder / path.name
    small.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")
    return {**corpus, "path": str(small)}


@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        ("ner/uner_zh_gsdsimp/zh_gsdsimp-ud-test.iob2", {"type": "conll2003", "labels": {"ner": 2}}),
        ("pos/ud_zh_gsdsimp/zh_gsdsimp-ud-test.conllu", {"type": "conllu"}),
        ("pos/ud_tr_framenet/tr_framenet-ud-test.conllu", {"type": "conllu"}),
    ],
)
def test_treebanks_are_extracted_without_a_lost_row(name: str, corpus: dict[str, object], shared: Path, tmp_path: Path) -> None:
    config = {
        "corpus": first_sentences(shared / "data" / name, corpus, 150, tmp_path),
        "encoder": {"type": "transformer", "model": "minilm"},
        "views": {"last": {"layers": "first"}},
    }
    path = str(config["corpus"]["path"])  # type: ignore[index]
    rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines() if line.split("\t")[0].isdigit()]
    store = embedpipe.extract(config, output=str(tmp_path / "s.h5"))
    assert [word for sentence in store for word in sentence.words] == [row[1] for row in rows]
    matrix = np.asarray(store.matrix("last"))
    flags = store.words_frame()["flags"].to_numpy()
    assert len(matrix) == len(rows)
    assert ((matrix == 0).all(axis=1) == (flags & WordFlag.NO_SUBWORDS > 0)).all()
    assert len(store) == len(list((Conll2003 if "iob2" in name else Conllu)(path).sentences(ReadLog()))) == 150
