"""CSV and TSV: columns, quotes, line ends in fields."""

import pytest
from corpus_contract import fault, read, write

from embedpipe.corpus import Csv, Tsv
from embedpipe.dataflow import ReadLog


@pytest.fixture
def table(tmp_path):
    return lambda content, kind=Csv, **fields: kind(write(tmp_path / "a.csv", content), **fields)


def test_quoted_fields_hold_delimiters_quotes_and_line_ends(table):
    sentences = read(table('text,y\n"a, ""b""\nc\r\nd\n\ne",1\nf,2\n', labels=("y",)))
    assert [(s.text, s.labels) for s in sentences] == [('a, "b"\nc\r\nd\n\ne', {"y": "1"}), ("f", {"y": "2"})]


def test_columns_go_by_name_or_number_and_labels_by_their_keys(table):
    content = "id,y,body,d\ni1,pos,a b,x\ni2,neg,,x\n"
    corpus = table(content, text=2, labels={"label": "y", "again": 1}, id="id", document="d")
    assert [(s.id, s.document, s.text, s.labels) for s in read(corpus)] == [
        ("i1", "x", "a b", {"label": "pos", "again": "pos"}),
        ("i2", "x", "", {"label": "neg", "again": "neg"}),
    ]


def test_a_label_column_by_number_is_named_by_it(table):
    assert read(table("ham\thi\n", Tsv, header=False, text=1, labels=(0,)))[0].labels == {"column_0": "ham"}


def test_quotes_are_characters_in_a_tsv(table):
    sentences = read(table('text\ty\n"a\t1\nb"" "c\t2\n', Tsv, labels=("y",)))
    assert [s.text for s in sentences] == ['"a', 'b"" "c']


def test_a_tsv_can_be_quoted(table):
    assert [s.text for s in read(table('text\n"a\tb\nc"\n', Tsv, quoting=True))] == ["a\tb\nc"]


def test_a_carriage_return_inside_a_plain_field_is_text(table):
    assert [s.text for s in read(table("text\ty\na\rb\t1\n", Tsv))] == ["a\rb"]


def test_a_field_may_be_longer_than_the_csv_module_allows_at_first(table):
    assert len(read(table('text\n"' + "x" * 300_000 + '"\n'))[0].text) == 300_000


def test_blank_lines_are_skipped_with_a_warning(table):
    log = ReadLog()
    corpus = table("text,y\n\na,1\n\n", labels=("y",))
    assert [s.text for s in corpus.sentences(log)] == ["a"]
    assert log.warnings["blank-line"].places == [f"{corpus.path}:2", f"{corpus.path}:4"]


def test_blank_lines_of_a_tsv_with_one_column_keep_their_row(table):
    assert [s.text for s in read(table("text\na\n\nb\n", Tsv))] == ["a", "", "b"]


def test_blank_lines_of_a_wider_tsv_are_skipped_with_a_warning(table):
    log = ReadLog()
    assert [s.text for s in table("text\ty\n\na\t1\n", Tsv).sentences(log)] == ["a"]
    assert log.warnings["blank-line"].count == 1


def test_each_row_is_a_document_where_none_is_named(table):
    assert [s.id for s in read(table("text\na\nb\n"))] == ["doc-1/1", "doc-2/1"]


def test_a_header_alone_holds_no_sentences(table):
    assert "holds no sentences" in fault(table("text,y\n"))


def test_every_file_has_its_own_header(tmp_path):
    paths = (write(tmp_path / "a.csv", "text,y\na,1\n"), write(tmp_path / "b.csv", "y,text\n2,b\n"))
    assert [(s.text, s.labels["y"]) for s in read(Csv(paths, labels=("y",)))] == [("a", "1"), ("b", "2")]


def test_an_id_given_twice_names_the_lines_where_the_rows_start(table):
    corpus = table('text,id\n"a\nb",1\nc,1\n', id="id")
    assert fault(corpus) == f"{corpus.path}:4: the id '1' is used twice, first at {corpus.path}:2; ids must be unique"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"header": False}, r"^text: got 'text', but without a header"),
        ({"header": False, "text": 0, "labels": ("y",)}, r"^labels: got 'y'"),
        ({"header": False, "text": 0, "id": "i"}, r"^id: got 'i'"),
        ({"text": -1}, r"^text: got -1"),
        ({"document": -2}, r"^document: got -2"),
        ({"delimiter": "::"}, r"^delimiter: got '::'"),
        ({"delimiter": ""}, r"^delimiter: got ''"),
        ({"delimiter": "\n"}, r"^delimiter: "),
    ],
)
def test_columns_that_cannot_be_are_refused_without_reading(fields, message):
    for kind in (Csv, Tsv):
        with pytest.raises(ValueError, match=message):
            kind("a.csv", **fields)
