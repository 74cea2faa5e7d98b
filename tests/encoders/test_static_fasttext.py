"""fastText's models: known words and others out of character n-grams, as fastText itself and gensim have them."""

from __future__ import annotations

import gzip
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from static_files import VECTORS, WORDS, fasttext_of, fasttext_table, load, text_of, vectors_of, write

from embedpipe.encoders.static.ngrams import Ngrams
from embedpipe.errors import EncoderError

UNKNOWN = ["Berlins", "naïveté", "你们好", "😀", "<", "x" * 300, "re-entry"]


def fnv(ngram: bytes) -> int:
    """fastText's hash, byte by byte."""
    value = 2166136261
    for byte in ngram:
        value = ((value ^ ((byte if byte < 128 else byte - 256) & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return value


def ngrams_of(word: str, shortest: int, longest: int) -> list[str]:
    marked = f"<{word}>"
    spans = [(start, start + size) for start in range(len(marked)) for size in range(shortest, longest + 1)]
    return [marked[start:end] for start, end in spans if end <= len(marked) and marked[start:end] not in ("<", ">")]


def mean_of(rows):
    return np.mean(np.asarray(rows, np.float64), axis=0) if len(rows) else np.zeros(4)


@pytest.mark.parametrize(
    ("word", "ngrams", "buckets"),
    [  # of fastText 0.9.3, model.get_subwords(word), less the number of words
        ("né", (3, 6), [91, 1143, 1737]),
        ("你好吗", (3, 6), [369, 471, 638, 985, 1165, 1747]),
        ("<", (3, 6), [289]),
        ("", (3, 6), []),
        ("naïve", (3, 6), [43, 190, 546, 548, 654, 687, 832, 890, 1007, 1201, 1331, 1404, 1570, 1692]),
        ("né", (1, 2), [655, 781, 1165, 1553, 1777]),
        ("好x", (1, 2), [91, 304, 695, 870, 1226]),
    ],
)
def test_buckets_are_those_that_fasttext_itself_finds(word, ngrams, buckets):
    (found,) = Ngrams(*ngrams, 2000).buckets([word.encode()])
    assert sorted(found.tolist()) == buckets


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), max_size=9), max_size=5),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_buckets_of_many_words_at_once_are_those_of_each(words, shortest, more):
    found = Ngrams(shortest, shortest + more, 997).buckets([word.encode() for word in words])
    expected = [[fnv(part.encode()) % 997 for part in ngrams_of(word, shortest, shortest + more)] for word in words]
    assert [sorted(buckets.tolist()) for buckets in found] == [sorted(buckets) for buckets in expected]


@pytest.mark.parametrize("old", [False, True])
def test_a_word_is_the_mean_of_its_own_row_and_its_ngrams_and_an_unknown_one_of_its_ngrams(old, tmp_path):
    table = fasttext_table()
    encoder = load(write(tmp_path / "m.bin", fasttext_of(WORDS, table, old=old)), case="as_is")
    buckets = {word: [len(WORDS) + fnv(part.encode()) % 50 for part in ngrams_of(word, 3, 6)] for word in WORDS + UNKNOWN}
    if not old:
        buckets["</s>"] = []  # the end of a sentence
    known = [mean_of(table[[row, *buckets[word]]]) for row, word in enumerate(WORDS)]
    assert np.allclose(vectors_of(encoder, WORDS), known, atol=1e-6)
    assert np.allclose(vectors_of(encoder, UNKNOWN), [mean_of(table[buckets[word]]) for word in UNKNOWN], atol=2e-5)
    assert encoder.description["unknown"] == "subwords"


def test_an_unknown_word_has_the_id_behind_the_last_word_and_a_flag_though_it_has_a_vector(tmp_path):
    encoder = load(write(tmp_path / "m.bin", fasttext_of(WORDS, fasttext_table())))
    first, second, again = (encoder.vocabulary.units(word) for word in ("Berlins", "rivers", "Berlins"))
    assert first.ids == second.ids == (len(WORDS),)
    assert first.unknown
    assert first.inputs != second.inputs
    assert first.inputs == again.inputs


def test_a_model_without_ngrams_and_a_classifier_give_their_words_rows(tmp_path):
    table = fasttext_table(0)
    plain = load(write(tmp_path / "m.bin", fasttext_of(WORDS, table, ngrams=(0, 0), num_buckets=0)))
    labelled = fasttext_of(WORDS, table, ngrams=(0, 0), num_buckets=0, labels=["__label__a", "__label__b"])
    classifier = load(write(tmp_path / "c.bin", labelled))
    for encoder in (plain, classifier):
        assert np.array_equal(vectors_of(encoder, WORDS), table)
        assert encoder.description["unknown"] == "zero"
        assert not vectors_of(encoder, ["other"]).any()


def test_subwords_are_refused_where_there_are_none(tmp_path):
    path = write(tmp_path / "v", text_of(WORDS, VECTORS, header=True))
    with pytest.raises(EncoderError, match=r"encoder.unknown: 'subwords', but .* has no character n-grams; take zero"):
        load(path, unknown="subwords")
    with pytest.raises(ValueError, match="unknown: 'subwords', but a file of format 'glove' has none"):
        load(path, unknown="subwords", format="glove")


def test_gensim_reads_the_same_out_of_a_model(tmp_path):
    fasttext = pytest.importorskip("gensim.models.fasttext", reason="gensim, the oracle, is not installed")
    words = [word for word in WORDS if word != "</s>"]  # for which gensim has n-grams and fastText none
    table = np.delete(fasttext_table(), WORDS.index("</s>"), axis=0)
    path = write(tmp_path / "m.bin", fasttext_of(words, table))
    oracle = fasttext.load_facebook_vectors(str(path))
    assert np.allclose(vectors_of(load(path, case="as_is"), words + UNKNOWN), oracle[words + UNKNOWN], atol=2e-5)


def test_gensim_reads_the_same_out_of_fasttexts_own_test_model(shared, tmp_path):
    fasttext = pytest.importorskip("gensim.models.fasttext", reason="gensim, the oracle, is not installed")
    source = shared / "models/gensim_test_vectors/lee_fasttext.bin"
    path = write(tmp_path / "lee.bin", source.read_bytes())
    oracle = fasttext.load_facebook_vectors(str(source))
    words = oracle.index_to_key + UNKNOWN
    assert np.allclose(vectors_of(load(path, case="as_is"), words), oracle[words], atol=2e-5)


def test_gensim_reads_the_same_out_of_glove(shared, tmp_path):
    models = pytest.importorskip("gensim.models", reason="gensim, the oracle, is not installed")
    source = shared / "models/glove/glove.6B.50d.top50k.txt.gz"
    with gzip.open(source) as file:
        lines = b"".join(itertools.islice(file, 5000))
    path = write(tmp_path / "glove.txt", lines)
    oracle = models.KeyedVectors.load_word2vec_format(str(write(tmp_path / "headed.txt", b"5000 50\n" + lines)))
    corpus = (shared / "data/ner/btc/btc.dev").read_text(encoding="utf-8").lower().split()
    words = sorted({*oracle.index_to_key} & {*corpus})
    assert len(words) > 1000
    assert np.array_equal(vectors_of(load(path, case="as_is"), words), oracle[words])
