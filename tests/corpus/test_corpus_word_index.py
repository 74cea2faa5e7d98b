"""Tables whose row is a sentence with one labelled word, as data of word senses are."""

import pytest
from corpus_contract import fault, read, write
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.corpus import Csv, Tsv
from embedpipe.corpus.one_word import with_labelled_word
from embedpipe.dataflow import Sentence

SENSES = {"word_index": "place", "word_labels": {"sense": "sense", "lemma": "word"}}
HEADER = "word\tsense\tplace\ttext\n"


@pytest.fixture
def table(tmp_path):
    return lambda rows, **fields: Tsv(write(tmp_path / "senses.tsv", HEADER + rows), **(SENSES | fields))


def test_the_word_at_the_index_has_the_labels_and_all_others_have_none(table):
    first, second = read(table("bank\tbank.1\t2\tby the banks .\nbank\tbank.2\t0\tBanks fail\n"))
    assert first.words == ("by", "the", "banks", ".")
    assert first.labels == {"sense": ("_", "_", "bank.1", "_"), "lemma": ("_", "_", "bank", "_")}
    assert (second.words, second.labels["sense"]) == (("Banks", "fail"), ("bank.2", "_"))


def test_labels_of_the_sentence_stand_beside_those_of_the_word(table):
    (sentence,) = read(table("bank\tbank.1\t0\tbanks fail\n", labels={"asked": "word"}))
    assert sentence.labels == {"asked": "bank", "sense": ("bank.1", "_"), "lemma": ("bank", "_")}


def test_an_empty_field_is_no_label(table):
    assert read(table("bank\t\t1\tthe bank\n"))[0].labels["sense"] == ("_", "_")


def test_columns_go_by_number_too_and_quoted_texts_keep_their_spacing(tmp_path):
    path = write(tmp_path / "a.csv", '1,"  one\u3000two,\nthree ",x\n')
    (sentence,) = read(Csv(path, text=1, header=False, word_index=0, word_labels=(2,)))
    assert sentence.text == "  one\u3000two,\nthree "
    assert sentence.words == ("one", "two,", "three")
    assert sentence.labels == {"column_2": ("_", "x", "_")}


@pytest.mark.parametrize(
    ("index", "text", "message"),
    [
        ("2", "the bank", "is 2, but the text has 2 words, counted from 0: 'the bank'. Words are what white space separates"),
        ("0", " ", "is 0, but the text has 0 words, counted from 0: ' '. Words are what white space separates"),
        ("-1", "the bank", "is '-1'; it must be a whole number, 0 for the first word"),
        ("two", "the bank", "is 'two'; it must be a whole number, 0 for the first word"),
        ("²", "the bank", "is '²'; it must be a whole number, 0 for the first word"),
        ("", "the bank", "is ''; it must be a whole number, 0 for the first word"),
    ],
)
def test_a_word_that_is_not_there_is_a_fault_of_its_line(table, index, text, message):
    corpus = table(f"bank\tbank.1\t0\tbank\nbank\tbank.2\t{index}\t{text}\n")
    assert fault(corpus) == f"{corpus.path}:3: the field 'place' (word_index) {message}"


def test_a_column_that_is_not_there_is_named_with_its_role(table):
    assert "the header has no column 'places' (word_index)" in fault(table("b\tb.1\t0\tb\n", word_index="places"))
    assert "the header has no column 'senses' (word_labels)" in fault(table("b\tb.1\t0\tb\n", word_labels=("senses",)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"word_index": "place"}, r"^word_index, word_labels: .*give both or none"),
        ({"word_labels": ("sense",)}, r"^word_index, word_labels: .*give both or none"),
        ({"word_index": -1, "word_labels": (0,)}, r"^word_index: got -1; columns are counted from 0"),
        ({"word_index": 1, "word_labels": (-1,)}, r"^word_labels: got -1"),
        ({"word_index": 1, "word_labels": ("y",), "labels": ("y",)}, r"^word_labels: 'y' is a label of the sentence already"),
    ],
)
def test_fields_that_cannot_be_are_refused_without_reading(fields, message):
    for kind in (Csv, Tsv):
        with pytest.raises(ValueError, match=message):
            kind("a.csv", **fields)


@given(words=st.lists(st.text(st.characters(exclude_categories=["Z", "Cc", "Cs"]), min_size=1), min_size=1), data=st.data())
def test_words_that_white_space_separates_are_counted_as_they_were_joined(words, data):
    index = data.draw(st.integers(0, len(words) - 1))
    space = data.draw(st.sampled_from([" ", "  ", "\t", "\u00a0", "\n"]))
    sentence = with_labelled_word(Sentence.from_text("s", "d", space.join(words)), str(index), {"sense": "x"})
    assert list(sentence.words) == words
    assert [label for label in sentence.labels["sense"] if label != "_"] == ["x"]
    assert sentence.labels["sense"].index("x") == index


def test_every_row_of_the_published_data_has_its_lemma_at_the_index(shared):
    path = shared / "data" / "wsd" / "noad_masc_semcor" / "lexical_sample.tsv"
    irregular = {"best", "came", "feet", "found", "gave", "held", "left", "ran", "saw", "stood", "stuck", "thought", "took"}
    corpus = Tsv(str(path), text="sentence", word_index="token_index", word_labels={"sense": "noad_sense", "lemma": "lemma"})
    sentences = read(corpus)
    assert len(sentences) == 14_471
    for sentence in sentences:
        ((word, lemma),) = [pair for pair in zip(sentence.words, sentence.labels["lemma"], strict=True) if pair[1] != "_"]
        assert word.lower() in irregular | {"wrote"} or word.lower().startswith(lemma[: max(2, len(lemma) - 2)])
