"""A reader begins at a bookmark as if it had read all that stands before it."""

import gzip
import json
import pickle
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest
from corpus_contract import write
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.corpus import Conll2003, Conllu, Csv, Jsonl, Lines, Tsv, Words, has_bookmarks, sample_path
from embedpipe.dataflow import Bookmark, ReadLog, Sentence
from embedpipe.errors import CorpusError

REST = "\tX" * 8


@dataclass
class Reading:
    """What came of reading a corpus, and what was known behind each of its sentences."""

    sentences: list
    error: str | None
    log: ReadLog
    bookmarks: list
    positions: list
    warnings: list


def reading(corpus, begin=None, every=1):
    log = ReadLog(begin=pickle.loads(pickle.dumps(begin)))
    done = Reading([], None, log, [], [], [])
    try:
        for sentence in corpus.sentences(log):
            done.sentences.append(sentence)
            done.bookmarks.append(None if len(done.sentences) % every else log.bookmark())
            done.positions.append(log.position_bytes)
            done.warnings.append(counts(log))
    except CorpusError as error:
        done.error = str(error)
    return done


def counts(log):
    return {kind: warning.count for kind, warning in log.warnings.items()}


def assert_every_bookmark_leads_to_the_rest(corpus, every=1):
    whole = reading(corpus, every=every)
    for k in range(every - 1, len(whole.sentences), every):
        begin = whole.bookmarks[k]
        if begin is None:
            assert any(file.read_bytes().startswith(b"\x1f\x8b") for file in corpus.files)
            continue
        rest = reading(corpus, begin, every)
        assert rest.sentences == whole.sentences[k + 1 :]
        assert rest.error == whole.error
        assert rest.bookmarks == whole.bookmarks[k + 1 :]
        before = whole.warnings[k]
        assert counts(rest.log) == {
            kind: n - before.get(kind, 0) for kind, n in counts(whole.log).items() if n > before.get(kind, 0)
        }
        assert rest.log.size_bytes == whole.log.size_bytes
        assert begin.position_bytes <= min(rest.positions, default=whole.log.size_bytes) <= whole.log.size_bytes
    return whole


# --- any corpus -----------------------------------------------------------------------------------------------------------

CONLL = ["a\tO", "b\tB-X", "c\tI-Y", "c \tO", "\tO", "", "", "", "\t", "-DOCSTART-\tO", "# newdoc", "# newdoc id = x"]
CONLL += ["# newdoc id = doc-2", "# sent_id = s{n}", "# text = a b", "Größe\tO", "too\tmany\tcolumns"]
INDEXED = ["1\ta\tO\n2\tb\tO\n", "1\tc\tB-X\n2\td\tI-X\n", "# sent_id = s{n}", "# newdoc id = x", "# newdoc", "# text = e"]
CONLLU = [f"1\ta{REST}\n2\tb{REST}\n", f"# topic = t{{n}}\n1\tc{REST}\n", f"# sent_id = s{{n}}\n1\tß{REST}\n", "", " "]
CONLLU += [
    f"1-2\tdu{REST}\n1\tde{REST}\n2\tle{REST}\n",
    f"# newdoc id = x\n# topic = x\n1\td{REST}\n",
    f"# newdoc\n1\te{REST}\n",
]
CONLLU += ["# newdoc id = y\n", f"1.1\te{REST}\n1\tf{REST}\n", "x\ty\n"]
TEXT = ["a b", "Grüße aus Köln", "", " ", "c\td", "\ufeffe", "f\rg", "\U0001f1e9\U0001f1ea"]
JSON = [{"text": "a b"}, {"text": "ü"}, {"text": "c", "d": "x"}, {"text": "d", "d": "doc-2"}, {"text": "\ud83d"}]
JSON += [{"text": "of both", "tokens": ["of", "both"]}]
JSON_WORDS = [{"tokens": ["a", "b"], "d": "x"}, {"tokens": [], "d": 7}, {"tokens": ["é"], "d": "x", "text": "é"}]
JSONL = [*map(json.dumps, JSON), "", "  ", "[]"]
ROWS = ["x,a b", 'y,"c\nd"', 'x,"e ""f""\n\n"', "", "doc-1,ä", "y,z", 'z,"g', "x,y,z"]
TABBED = ["x\ta b", 'y\t"c', "doc-2\tß", "", "x\ty\tz"]

CORPORA = {
    "conll2003": (Conll2003, {}, "a\tO\n", CONLL),
    "conll2003 of indexed words": (
        Conll2003,
        {"scheme": "raw"},
        "0\ta\tO\n1\tb\tO\n\n",
        [p.replace("2\t", "1\t").replace("1\t", "0\t", 1) for p in INDEXED],
    ),
    "conllu": (Conllu, {"sentence_labels": ("topic",)}, "", CONLLU),
    "conllu surface": (Conllu, {"words": "surface", "labels": ("lemma", "feats.X")}, "", CONLLU),
    "lines": (Lines, {}, "", TEXT),
    "lines, a document each": (Lines, {"document": "line", "words_by": "characters"}, "", TEXT),
    "lines between blank ones": (Lines, {"document": "blank_line", "words_by": "white_space"}, "", TEXT),
    "words": (Words, {}, "", TEXT),
    "words between blank lines": (Words, {"document": "blank_line"}, "", TEXT),
    "jsonl that decides for text": (Jsonl, {}, "", JSONL),
    "jsonl that decides for words": (Jsonl, {}, "", [*map(json.dumps, JSON_WORDS), "\t"]),
    "jsonl with documents": (Jsonl, {"words": "tokens", "document": "d"}, "", [*map(json.dumps, JSON_WORDS), "1"]),
    "csv": (Csv, {"document": "d"}, "d,text\n", ROWS),
    "csv without header": (Csv, {"header": False, "text": 1, "labels": (0,)}, "", ROWS),
    "csv with blank lines first": (Csv, {}, "\n\nd,text\n", ROWS),
    "tsv": (Tsv, {"document": "d"}, "d\ttext\n", TABBED),
    "tsv of one column": (Tsv, {}, "text\n", ["a", "", "ü", "b"]),
    "tsv without header": (Tsv, {"header": False, "text": 1}, "", TABBED),
}


@pytest.mark.parametrize("name", CORPORA)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_read_from_a_bookmark_is_what_would_have_come_next(name, data):
    kind, fields, header, pieces = CORPORA[name]
    files = data.draw(st.lists(st.lists(st.sampled_from(pieces), max_size=14), min_size=1, max_size=3))
    numbers = iter(range(1000))
    contents = [header + "".join(piece.replace("{n}", str(next(numbers))) + "\n" for piece in file) for file in files]
    if data.draw(st.booleans(), "CRLF"):
        contents = [content.replace("\n", "\r\n") for content in contents]
    if data.draw(st.booleans(), "no last line end"):
        contents = [content.rstrip("\r\n") for content in contents]
    mark = data.draw(st.sampled_from(["", "\ufeff"]))
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("embedpipe.corpus.line_reader._BLOCK_BYTES", data.draw(st.sampled_from([1, 7, 50, 1 << 16]))),
    ):
        paths = [write(Path(folder) / f"{n}.txt", mark + content) for n, content in enumerate(contents)]
        assert_every_bookmark_leads_to_the_rest(kind(tuple(paths), **fields))


@pytest.mark.parametrize(
    "corpus",
    [
        Conll2003("sample:sample.conll"),
        Conllu("sample:sample.conllu", sentence_labels=("topic",)),
        Jsonl("sample:sample.jsonl", words="words", text="text", id="id", document="document", labels=("topic",)),
        Csv("sample:sample.csv", id="id", document="document", labels=("topic",)),
        Lines("sample:sample.txt"),
        Words("sample:sample.txt", document="line"),
        Tsv(("sample:sample.txt", "sample:sample.conll"), header=False, text=0),
    ],
    ids=lambda corpus: type(corpus).__name__,
)
def test_the_sample_can_be_begun_at_any_sentence(corpus):
    num_sentences = len(reading(corpus, every=10**6).sentences)
    whole = assert_every_bookmark_leads_to_the_rest(corpus, every=num_sentences // 7)
    positions = [bookmark.position_bytes for bookmark in whole.bookmarks if bookmark]
    assert len(positions) >= 7
    assert positions == sorted(positions)


# --- the particular -------------------------------------------------------------------------------------------------------


def test_nothing_in_front_of_a_bookmark_is_read(tmp_path):
    content = "".join(f"line {n}\n" for n in range(50_000)).encode()
    path = Path(write(tmp_path / "a.txt", content))
    whole = reading(Lines(str(path)), every=40_000)
    begin = whole.bookmarks[39_999]
    path.write_bytes(b"\xff" * (begin.offset - 1) + b"\n" + content[begin.offset :])
    assert reading(Lines(str(path)), begin).sentences == whole.sentences[40_000:]


def test_files_in_front_of_a_bookmark_are_not_opened(tmp_path):
    paths = [write(tmp_path / name, "x\ny\n") for name in "abc"]
    whole = reading(Lines(tuple(paths)))
    Path(paths[0]).write_bytes(b"\xff\xfe\xff\n")
    rest = reading(Lines(tuple(paths)), whole.bookmarks[2])
    assert [sentence.id for sentence in rest.sentences] == ["b/2", "c/1", "c/2"]
    assert rest.positions == [8, 12, 12]


def test_an_error_behind_a_bookmark_names_the_line_in_the_file(tmp_path):
    good = "a\tO\n\n" * 700
    path = write(tmp_path / "a.conll", good + "b\n")
    whole = assert_every_bookmark_leads_to_the_rest(Conll2003(path), every=175)
    assert whole.error.startswith(f"{path}:1401: has 1 column")


def test_bytes_that_are_not_utf8_are_found_at_the_same_place_behind_a_bookmark(tmp_path):
    path = write(tmp_path / "a.txt", "ä\n".encode() * 100 + b"\xff\n")
    whole = assert_every_bookmark_leads_to_the_rest(Lines(path))
    assert whole.error.startswith(f"{path}:101: not UTF-8: byte 0xff at byte offset 300 of the file")
    assert len(whole.sentences) == 100


def test_an_empty_file_is_warned_of_by_whoever_reads_it(tmp_path):
    paths = [write(tmp_path / name, content) for name, content in (("a", ""), ("b", "x\n"), ("c", ""))]
    whole = reading(Lines(tuple(paths)))
    assert whole.warnings == [{"empty-file": 1}]
    assert whole.log.warnings["empty-file"].places == [paths[0], paths[2]]
    assert reading(Lines(tuple(paths)), whole.bookmarks[0]).log.warnings["empty-file"].places == [paths[2]]


def test_no_line_is_warned_of_on_both_sides_of_a_bookmark(tmp_path):
    path = write(tmp_path / "a.conll", "a\tO\n\t\nb\tO\n\t\nc\tO\n")
    begin = reading(Conll2003(path)).bookmarks[0]
    assert begin.num_lines == 2
    assert reading(Conll2003(path), begin).log.warnings["blank-separator"].places == [f"{path}:4"]


@pytest.mark.parametrize("packed_first", [False, True])
def test_a_gzipped_file_has_no_bookmarks_but_one_beside_it_has(tmp_path, packed_first):
    paths = [write(tmp_path / "plain", "x\ny\n"), write(tmp_path / "packed", gzip.compress(b"x\ny\n"))]
    if packed_first:
        paths.reverse()
    corpus = Lines(tuple(paths))
    given = [bookmark is not None for bookmark in reading(corpus).bookmarks]
    assert given == ([False, False, True, True] if packed_first else [True, True, False, False])
    assert_every_bookmark_leads_to_the_rest(corpus)


def test_counts_of_too_many_documents_are_not_handed_around(tmp_path, monkeypatch):
    monkeypatch.setattr("embedpipe.corpus.ids.MOST_DOCUMENTS", 5)
    content = "".join(json.dumps({"text": "x", "d": str(n)}) + "\n" for n in range(7))
    bookmarks = reading(Jsonl(write(tmp_path / "a", content), document="d")).bookmarks
    assert [bookmark is not None for bookmark in bookmarks] == [True] * 5 + [False] * 2


def test_a_bookmark_of_rows_that_are_documents_is_small_however_many_they_are(tmp_path):
    content = "text\n" + "x\n" * 20_000
    bookmark = reading(Csv(write(tmp_path / "a.csv", content)), every=20_000).bookmarks[-1]
    assert bookmark.num_lines == 20_001
    assert len(pickle.dumps(bookmark)) < 250


def test_there_is_no_bookmark_before_the_first_sentence_nor_after_the_end(tmp_path):
    log = ReadLog()
    sentences = Lines(write(tmp_path / "a", "x\n")).sentences(log)
    assert log.bookmark() is None
    next(sentences)
    assert isinstance(log.bookmark(), Bookmark)
    assert list(sentences) == []
    assert log.bookmark() is None


def test_a_reader_that_knows_nothing_of_bookmarks_gives_none(tmp_path):
    @dataclass(frozen=True)
    class PlugIn:
        files: tuple = ()

        def sentences(self, log):
            log.size_bytes = log.position_bytes = 1
            yield Sentence.from_words("1", "d", ["a"])

    assert reading(PlugIn()).bookmarks == [None]
    assert not has_bookmarks(PlugIn())


def test_a_reader_made_from_a_built_in_one_may_keep_what_no_bookmark_holds():
    class Every(Lines):
        def sentences(self, log):
            return (replace(sentence, id=str(n)) for n, sentence in enumerate(super().sentences(log)))

    assert has_bookmarks(Lines("a"))
    assert has_bookmarks(Tsv("a"))
    assert not has_bookmarks(Every("a"))


@pytest.mark.parametrize("content", ["a\n", "aaaa\nbbbb\n", ""])
def test_a_file_that_has_changed_under_a_bookmark_is_an_error_not_a_short_corpus(tmp_path, content):
    path = write(tmp_path / "a", "x\ny\nz\n")
    begin = reading(Lines(path)).bookmarks[1]
    write(tmp_path / "a", content)
    assert f"{path}: no line begins at byte 4" in reading(Lines(path), begin).error


def test_a_file_that_has_gone_on_behind_a_last_line_without_an_end_is_an_error(tmp_path):
    path = write(tmp_path / "a", "x\ny")
    begin = reading(Lines(path)).bookmarks[-1]
    assert reading(Lines(path), begin).sentences == []
    write(tmp_path / "a", "x\nyes\n")
    assert f"{path}: no line begins at byte 3" in reading(Lines(path), begin).error


def test_a_corpus_that_has_lost_files_under_a_bookmark_is_an_error(tmp_path):
    paths = tuple(write(tmp_path / name, "x\n") for name in "ab")
    begin = reading(Lines(paths)).bookmarks[-1]
    assert "files of the corpus have gone" in reading(Lines(paths[:1]), begin).error


def test_a_log_can_go_to_another_process_while_its_corpus_is_read():
    log = ReadLog()
    corpus = Conll2003(str(sample_path("sample.conll")))
    next(corpus.sentences(log))
    log.warn("kind", "a:1", "message")
    copy = pickle.loads(pickle.dumps(log))
    assert copy == log
    assert copy.bookmark() is None
    assert log.bookmark() is not None


def test_an_id_that_was_made_up_in_front_of_a_bookmark_is_refused_behind_it(tmp_path):
    content = "a\tO\n\n# sent_id = s\nb\tO\n\n# sent_id = doc-1/1\nc\tO\n"
    whole = assert_every_bookmark_leads_to_the_rest(Conll2003(write(tmp_path / "a", content)))
    assert len(whole.sentences) == 2
    assert "the id 'doc-1/1' was made up already" in whole.error


def test_an_id_that_was_not_made_up_in_front_of_a_bookmark_is_taken_behind_it(tmp_path):
    content = "a\tO\n\n# sent_id = s\nb\tO\n\n# sent_id = doc-1/2\nc\tO\n"
    whole = assert_every_bookmark_leads_to_the_rest(Conll2003(write(tmp_path / "a", content)))
    assert [sentence.id for sentence in whole.sentences] == ["doc-1/1", "s", "doc-1/2"]


def test_ids_behind_a_bookmark_are_checked_among_themselves(tmp_path):
    content = "".join(f"# sent_id = {id}\na\tO\n\n" for id in ("x", "y", "x", "z", "z"))
    corpus = Conll2003(write(tmp_path / "a", content))
    whole = reading(corpus)
    rest = reading(corpus, whole.bookmarks[1])
    assert "'x' is used twice" in whole.error
    assert [sentence.id for sentence in rest.sentences] == ["x", "z"]
    assert "'z' is used twice" in rest.error


def test_document_ids_that_come_again_are_flagged_alike(tmp_path):
    content = "# newdoc id = x\na\tO\n\n# newdoc id = y\nb\tO\n\n# newdoc id = x\nc\tO\n\nd\tO\n"
    whole = assert_every_bookmark_leads_to_the_rest(Conll2003(write(tmp_path / "a", content)))
    assert [s.id for s in whole.sentences] == ["x/1", "y/1", "x/2", "x/3"]
    assert [bool(s.flags) for s in whole.sentences] == [False, False, True, False]
