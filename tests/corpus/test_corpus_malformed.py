"""Files that are not what they are said to be: the line, and the message each gets."""

import pytest
from corpus_contract import fault, write

from embedpipe.corpus import Conll2003, Conllu, Csv, Jsonl, Tsv

REST = "\t_" * 8
WIDE = "x" * 200

CASES = [
    # Conll2003
    (Conll2003, {}, "a\tO\nb\n", 2, "has 1 column where the file's first line has 2: 'b'"),
    (Conll2003, {}, "a\tO\nb O\n", 2, "has 1 column where the file's first line has 2: 'b O'"),
    (Conll2003, {}, "a\tO\n\n#Tag\n", 3, "has 1 column where the file's first line has 2: '#Tag'"),
    (Conll2003, {}, "a\tO\n# in a sentence\n", 2, "has 1 column"),
    (Conll2003, {}, "a O\nNew York B-LOC\n", 2, "has 3 columns where the file's first line has 2: 'New York B-LOC'"),
    (Conll2003, {}, f"a O\n{WIDE} b c\n", 2, f"'{'x' * 80}'..."),
    (Conll2003, {"separator": "space"}, "a O\nb  O\n", 2, "has 3 columns"),
    (Conll2003, {"separator": "comma"}, "a,O\n,,O\n", 2, "has 3 columns"),
    (Conll2003, {}, "\na\n", 2, "the label 'ner' should be in column -1, but the line has 1 column, counted from 0"),
    (Conll2003, {"labels": {"pos": 4}}, "a b c\n", 1, "the label 'pos' should be in column 4, but the line has 3 columns"),
    (Conll2003, {"labels": {"pos": -4}}, "a b c\n", 1, "the label 'pos' should be in column -4, but the line has 3 columns"),
    (Conll2003, {"word_column": 3}, "a b c\n", 1, "the words should be in column 3, but the line has 3 columns"),
    # Conllu
    (Conllu, {}, "1\ta\n", 1, "has 2 columns where CoNLL-U has 10: '1\\ta'"),
    (Conllu, {}, "1 a _ _ _ _ _ _ _ _\n", 1, "has 1 column where CoNLL-U has 10 (the columns are to be separated by tabs)"),
    (Conllu, {}, f"x\ta{REST}\n", 1, "the id is 'x'; expected a number, 1-2 or 1.1"),
    (Conllu, {}, f"²\ta{REST}\n", 1, "the id is '²'"),
    (Conllu, {}, f"1\t{REST}\n", 1, "the form is empty"),
    (Conllu, {}, f"1\ta{REST}\n3\tb{REST}\n", 2, "the id is 3 where 2 was expected"),
    (Conllu, {}, f"1\ta{REST}\n1\tb{REST}\n", 2, "the id is 1 where 2 was expected"),
    (Conllu, {}, f"2\ta{REST}\n", 1, "the id is 2 where 1 was expected"),
    (Conllu, {}, f"1-2\tab{REST}\n1\ta{REST}\n", 1, "the multiword token 1-2 ('ab') does not fit its sentence"),
    (Conllu, {}, f"1\ta{REST}\n1-2\tab{REST}\n2\tb{REST}\n", 2, "the multiword token 1-2 ('ab') does not fit its sentence"),
    (Conllu, {}, f"1-2\ta{REST}\n1\ta{REST}\n2-3\tb{REST}\n2\tb{REST}\n3\tc{REST}\n", 3, "it overlaps 1-2"),
    (Conllu, {}, f"2-1\ta{REST}\n1\ta{REST}\n", 1, "does not fit"),
    # Jsonl
    (Jsonl, {}, '{"text": "a"}\n{"text": "b"\n', 2, "is not JSON"),
    (Jsonl, {}, '[{"text": "a"}]\n', 1, "holds a list where a JSON object was expected"),
    (Jsonl, {}, "null\n", 1, "holds null where a JSON object was expected"),
    (Jsonl, {}, "[" * 100_000 + "\n", 1, "is nested too deeply"),
    (Jsonl, {}, '{"text": ' + "1" * 5000 + "}\n", 1, "is not JSON"),
    (Jsonl, {}, '{"sentence": "a"}\n', 1, "the object has no field 'text', 'words' or 'tokens'; it has 'sentence'"),
    (Jsonl, {}, '{"text": "a", "tokens": ["a"]}\n', 1, "several of the fields text, words and tokens (text, tokens)"),
    (Jsonl, {}, '{"text": "a"}\n{"txt": "b"}\n', 2, "the object has no field 'text' (text); it has 'txt'"),
    (Jsonl, {}, '{"text": "a"}\n{}\n', 2, "the object has no field 'text' (text); it has none"),
    (Jsonl, {}, '{"text": null}\n', 1, "the field 'text' (text) is null where a string was expected"),
    (Jsonl, {"words": "w"}, '{"w": "a b"}\n', 1, "the field 'w' (words) is a string where a list of strings was expected"),
    (Jsonl, {"words": "w"}, '{"w": ["a", 1]}\n', 1, "w[1] (words) is a number where a string was expected"),
    (Jsonl, {"labels": ("y",)}, '{"text": "a"}\n', 1, "the object has no field 'y' (labels)"),
    (Jsonl, {"labels": ("y",)}, '{"text": "a", "y": null}\n', 1, "y (labels) is null where a string, number or boolean"),
    (Jsonl, {"labels": ("y",)}, '{"text": "a", "y": ["O"]}\n', 1, "a label a word, but no field of words was named"),
    (Jsonl, {"labels": ("y",)}, '{"words": ["a", "b"], "y": ["O"]}\n', 1, "has 1 label for 2 words"),
    (Jsonl, {"labels": ("y",)}, '{"words": ["a"], "y": [{}]}\n', 1, "y[0] (labels) is an object where"),
    (
        Jsonl,
        {"id": "i"},
        '{"text": "a", "i": true}\n',
        1,
        "the field 'i' (id) is true or false where a string or a whole number",
    ),
    (
        Jsonl,
        {"document": "d"},
        '{"text": "a", "d": 1.5}\n',
        1,
        "the field 'd' (document) is a number where a string or a whole",
    ),
    (Jsonl, {"text": "t", "words": "w"}, '{"t": "a c", "w": ["a", "b"]}\n', 1, "word 2, 'b', is not in the text after 'a'"),
    # Csv, Tsv
    (Csv, {}, "body,y\na,1\n", 1, "the header has no column 'text' (text): 'body', 'y'. Set header: false"),
    (Csv, {}, "Text,y\na,1\n", 1, "the header has no column 'text' (text): 'Text', 'y'. Did you mean 'Text'?"),
    (Csv, {}, "text,text\na,1\n", 1, "the header has 'text' (text) more than once"),
    (Csv, {"labels": (5,)}, "text,y\na,1\n", 1, "there is no column 5 (labels): the first row has 2, from 0"),
    (Csv, {}, 'text,y\n"a\nb",1\n"c\nd",2,3\n', 4, "the row that starts here has 3 fields where the header has 2"),
    (Csv, {}, "text,y\na\n", 2, "the row that starts here has 1 field where the header has 2: 'a'. Set delimiter"),
    (Csv, {}, 'text,y\n"a,1\nb,2\n', 2, "the row that starts here is not CSV (unexpected end of data, at line 3)"),
    (Csv, {}, 'text,y\n"a" b,1\n', 2, "the row that starts here is not CSV"),
    (
        Tsv,
        {"header": False, "text": 1},
        "a\tb\nc\td\te\n",
        2,
        "has 3 fields where the first row has 2: 'c\\td\\te'. Set quoting: true",
    ),
]


@pytest.mark.parametrize(("kind", "fields", "content", "line", "message"), CASES, ids=lambda value: str(value)[:30])
def test_a_malformed_file_is_refused_at_its_line(tmp_path, kind, fields, content, line, message):
    path = write(tmp_path / "bad", content)
    got = fault(kind(path, **fields))
    assert got.startswith(f"{path}:{line}: ")
    assert message in got
    assert "\n" not in got
    assert len(got) < len(path) + 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"separator": ""}, r"^separator: is empty"),
        ({"word_column": -1}, r"^word_column: got -1"),
        ({"word_column": 1, "labels": {"ner": 1}}, r"^labels: column 1 is the word column"),
    ],
)
def test_conll2003_refuses_columns_that_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        Conll2003("a.conll", **fields)
