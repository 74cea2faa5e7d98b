"""Columns in every shape that CoNLL-2003 and its relatives come in."""

import pytest
from corpus_contract import fault, read, write

from embedpipe.corpus import Conll2003
from embedpipe.dataflow import ReadLog, SentenceFlag


@pytest.fixture
def conll(tmp_path):
    return lambda content, **fields: Conll2003(write(tmp_path / "a.conll", content), **fields)


def words(corpus):
    return [sentence.words for sentence in read(corpus)]


def test_the_last_column_is_ner_by_default(conll):
    (sentence,) = read(conll("EU NNP B-NP I-ORG\nrejects VBZ B-VP O\n"))
    assert sentence.words == ("EU", "rejects")
    assert sentence.labels == {"ner": ("B-ORG", "O")}
    assert sentence.text == "EU rejects"


def test_labels_are_named_by_column_from_either_end(conll):
    corpus = conll("EU NNP I-NP I-ORG\nis VBZ I-VP O\n", labels={"pos": 1, "chunk": -2, "ner": 3})
    assert read(corpus)[0].labels == {"pos": ("NNP", "VBZ"), "chunk": ("B-NP", "B-VP"), "ner": ("B-ORG", "O")}


def test_raw_leaves_the_tags(conll):
    assert read(conll("EU I-ORG\n", scheme="raw"))[0].labels == {"ner": ("I-ORG",)}


def test_words_need_no_labels(conll):
    assert words(conll("EU\nrejects\n\n#\n", labels={})) == [("EU", "rejects"), ("#",)]


@pytest.mark.parametrize(
    ("start", "columns"),
    [
        ("-DOCSTART- -X- O O", "{} NN O O"),
        ("-DOCSTART- -X- -X- O", "{} NN O O"),
        ("-X- -X- O", "{} NN O O"),
        ("-X- -X- -X- O", "{} NN O O"),
        ("-DOCSTART-", "{} NN O O"),
        ("-DOCSTART- O", "{} O"),
        ("-DOCSTART-\tO", "{}\tO"),
        ("-DOCSTART- O", "{}\tO"),
        ("-DOCSTART- (1 EU)", "{}\tO"),
        ("-DOCSTART-\t-X-\tO\tO", "{}\tNN\tO\tO"),
        ("0\t-DOCSTART-\t-X-\tO\tO", "0\t{}\tNN\tO\tO"),
        ("1 -DOCSTART- -X- O", "1 {} NN O"),
        ("-DOCSTART-,O", "{},O"),
    ],
)
def test_every_shape_of_a_document_start_opens_a_document_and_is_no_sentence(conll, start, columns):
    a, b = columns.format("a"), columns.format("b").replace("0\t", "1\t").replace("1 ", "2 ")
    content = f"{start}\n\n{a}\n{b}\n\n{a}\n{b}\n\n{start}\n{a}\n{b}\n{start}\n\n{start}\n\n{a}\n{b}\n\n{start}\n"
    sentences = read(conll(content, separator="comma" if "," in start else None))
    assert [s.words for s in sentences] == [("a", "b")] * 4
    assert [s.id for s in sentences] == ["doc-1/1", "doc-1/2", "doc-2/1", "doc-3/1"]


def test_a_document_may_start_in_the_middle_or_not_at_all(conll):
    sentences = read(conll("a O\n\n-DOCSTART- O\n\nb O\n"))
    assert [(s.document, s.text) for s in sentences] == [("doc-1", "a"), ("doc-2", "b")]


def test_a_word_that_is_the_placeholder_stays_a_word(conll):
    assert words(conll("-X- O\na O\n")) == [("-X-", "a")]


def test_documents_are_counted_over_files(tmp_path):
    paths = tuple(write(tmp_path / name, "a O\n\n-DOCSTART- O\n\nb O\n") for name in ("1", "2"))
    assert [s.document for s in read(Conll2003(paths))] == ["doc-1", "doc-2", "doc-3", "doc-4"]


@pytest.mark.parametrize("first", [0, 1])
def test_an_index_column_is_recognised_and_left_out(conll, first):
    rows = [f"{n}\t{word}\tO\t-" for n, word in enumerate("abc", first)]
    content = "\n".join(["# text = a b c", *rows, "", *rows]) + "\n"
    assert words(conll(content, labels={"ner": 2})) == [("a", "b", "c")] * 2


@pytest.mark.parametrize(
    "content",
    [
        "1 O\n2 O\n3 O\n",  # two columns: nothing else could be the word
        "1 CD O\n2 CD O\n\nthe DT O\n",  # numbers in one sentence only
        "1 CD O\n2 CD O\n\n2 CD O\n",  # does not start again
        "1 CD O\n1 CD O\n",  # does not count up
        "0 CD O\n1 CD O\n\n1 CD O\n2 CD O\n",  # starts differ
        "01 CD O\n02 CD O\n",
    ],
)
def test_words_that_are_numbers_are_not_an_index_column(conll, content):
    assert all(sentence.words[0] in ("0", "1", "01", "2", "the") for sentence in read(conll(content)))


def test_the_word_column_can_be_given(conll):
    assert words(conll("1 CD O\n2 CD O\n", word_column=0)) == [("1", "2")]
    assert words(conll("x a O\ny b O\n", word_column=1)) == [("a", "b")]


def test_a_label_in_column_one_rules_an_index_out(conll):
    (sentence,) = read(conll("1 CD O\n2 CD O\n", labels={"pos": 1}))
    assert (sentence.words, sentence.labels) == (("1", "2"), {"pos": ("CD", "CD")})


def test_comments_name_documents_and_sentences(conll):
    content = (
        "# newdoc id = d\n# sent_id = d-1\n# text = x y\n1\tx\tO\t-\n2\ty\tO\t-\n\n"
        "# sent_id = d-2\n1\tz\tO\t-\n\n# newdoc\n1\tw\tO\t-\n\n# a last remark\n"
    )
    sentences = read(conll(content, labels={"ner": 2}))
    assert [(s.document, s.id, s.text) for s in sentences] == [
        ("d", "d-1", "x y"),
        ("d", "d-2", "z"),
        ("doc-1", "doc-1/1", "w"),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("#\tO\n", ["#"]),
        ("# O\n", ["#"]),
        ("#NFL\tO\n", ["#NFL"]),
        ("#NFL O\n", ["#NFL"]),
        ("a\tO\n\n#\tO\nb\tO\n", ["a", "#", "b"]),
        ("a O\n\n# O\nb O\n", ["a", "#", "b"]),
        ("a NN O O\n\n# NN B-NP O\n", ["a", "#"]),
        ("a\tO\n#\tO\n", ["a", "#"]),
        ("# a remark\na O\n", ["a"]),
        ("# a b\na\tO\n", ["a"]),
        ("# sent_id = 5\na NN O O\n", ["a"]),
        ("# text = # O\n# O\n", ["#"]),
        ("# text = tab\there\na\tO\t-\n", ["a"]),
        ("#newpar\tO\n", ["#newpar"]),
        ("#newpar O\n", ["#newpar"]),
    ],
)
def test_hash_signs_are_words_where_they_have_labels_and_comments_otherwise(conll, content, expected):
    assert [word for sentence in read(conll(content)) for word in sentence.words] == expected


@pytest.mark.parametrize(
    ("separator", "content"),
    [
        (None, "a\tO\nb c\tO\n"),
        ("tab", "a\tO\nb c\tO\n"),
        ("comma", "a,O\nb c,O\n"),
        ("|||", "a|||O\nb c|||O\n"),
    ],
)
def test_any_separator_keeps_spaces_in_words(conll, separator, content):
    assert words(conll(content, separator=separator)) == [("a", "b c")]


def test_runs_of_spaces_separate_where_there_is_no_tab(conll):
    (sentence,) = read(conll("a   NN    O \nb  NN B-X\n"))
    assert (sentence.words, sentence.labels["ner"]) == (("a", "b"), ("O", "B-X"))


def test_white_space_as_separator_takes_tabs_and_spaces(conll):
    assert words(conll("a\t O\nb O\n", separator="whitespace")) == [("a", "b")]


def test_other_white_space_belongs_to_words(conll):
    assert words(conll("\u00a0 O\na\u3000b O\n\x85 O\n\x1c O\n\u2028 O\n")) == [
        ("\u00a0", "a\u3000b", "\x85", "\x1c", "\u2028")
    ]


def test_separators_in_a_row_make_no_sentences(conll):
    assert words(conll("\n\n\na O\n\n\n\nb O\n\n\n")) == [("a",), ("b",)]


def test_a_file_whose_head_is_looked_at_first_is_warned_of_once(conll):
    log = ReadLog()
    assert len(list(conll("a O\r").sentences(log))) == 1
    assert log.warnings == {}
    assert len(list(conll("a O\rb\r").sentences(log))) == 1
    assert log.warnings["lone-carriage-returns"].count == 1


def test_words_behind_a_great_many_blank_lines_are_found(conll):
    assert words(conll("\n" * 1001 + "a O\n")) == [("a",)]


@pytest.mark.parametrize(
    ("content", "kind", "place", "expected"),
    [
        ("a\tO\n\t\nb\tO\n", "blank-separator", 2, [("a",), ("b",)]),
        ("a\tO\n  \nb\tO\n", "blank-separator", 2, [("a",), ("b",)]),
        ("a\tO\n\tB-X\nb\tO\n", "empty-word", 2, [("a", "", "b")]),
        ("a\tO\n \tO\n", "space-in-word", 2, [("a", " ")]),
        ("a\tO\nMH17 \tO\n", "space-in-word", 2, [("a", "MH17 ")]),
        ("a\tO\nke s\tO\n", "space-in-word", 2, [("a", "ke s")]),
        ("# newdoc id = x\na\tO\n\n# newdoc id = x\nb\tO\n", "document-again", 4, [("a",), ("b",)]),
        ("1\ta\tO\n2\tb\tO\nx\tc\tO\n", "index-column", 3, [("a", "b", "c")]),
    ],
)
def test_the_usual_irregularities_are_recorded_and_shift_no_row(conll, monkeypatch, content, kind, place, expected):
    monkeypatch.setattr("embedpipe.corpus.conll2003._HEAD_LINES", 2)
    corpus, log = conll(content), ReadLog()
    sentences = list(corpus.sentences(log))
    assert [s.words for s in sentences] == expected
    assert all(len(s.labels["ner"]) == len(s.words) for s in sentences)
    assert {name: warning.places for name, warning in log.warnings.items()} == {kind: [f"{corpus.path}:{place}"]}
    flagged = [bool(s.flags & SentenceFlag.SOURCE_WARNING) for s in sentences]
    assert flagged == ([False, True] if kind == "document-again" else [True, False][: len(sentences)])


def test_an_id_given_twice_names_both_lines(conll):
    corpus = conll("# sent_id = s\na\tO\n\n# sent_id = s\nb\tO\n")
    assert fault(corpus) == f"{corpus.path}:5: the id 's' is used twice, first at {corpus.path}:2; ids must be unique"


@pytest.mark.parametrize("content", ["a\tO\n\n# sent_id = doc-1/1\nb\tO\n", "# sent_id = doc-1/2\na\tO\n\nb\tO\n"])
def test_a_generated_id_never_meets_a_given_one(conll, content):
    assert "doc-1/" in fault(conll(content))


def test_an_id_that_looks_generated_is_fine_where_none_was_generated(conll):
    ids = ["doc-1/2", "doc-1/1", "doc-1/3"]
    content = "".join(f"# sent_id = {id}\na\tO\n\n" for id in ids)
    assert [s.id for s in read(conll(content))] == ids
