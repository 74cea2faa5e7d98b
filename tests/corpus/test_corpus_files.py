"""Paths, samples, encodings, documents and ids of the plain formats."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_contract import fault, read, write

from embedpipe.corpus import Conll2003, Jsonl, Lines, Words, sample_path
from embedpipe.dataflow import ReadLog, SentenceFlag
from embedpipe.errors import CorpusError


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path):
    assert "no file matches the pattern" in fault(Lines(str(tmp_path / "*.txt")))


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    path = write(tmp_path / "a[1].txt", "x\n")
    assert [str(file) for file in Lines(path).files] == [path]


def test_a_near_miss_in_a_file_name_is_pointed_out(tmp_path):
    write(tmp_path / "train.txt", "x\n")
    assert "Did you mean" in fault(Lines(str(tmp_path / "trian.txt")))


def test_a_missing_folder_is_pointed_out(tmp_path):
    assert "nor is there a folder" in fault(Lines(str(tmp_path / "no" / "train.txt")))


def test_a_file_that_cannot_be_reached_says_why(tmp_path):
    assert "cannot be opened: File name too long" in fault(Lines(str(tmp_path / ("x" * 300))))


def test_a_file_that_vanishes_before_it_is_read_is_an_error_of_the_corpus(tmp_path):
    path = write(tmp_path / "b.txt", "x\n")
    sentences = Lines((write(tmp_path / "a.txt", "x\n"), path)).sentences(ReadLog())
    next(sentences)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(CorpusError, match="cannot be opened: No such file or directory; tried /"):
        next(sentences)


def test_the_bundled_sample_goes_by_name():
    corpus = Conll2003("sample:sample.conll")
    assert corpus.files == (sample_path("sample.conll"),)
    assert len(read(corpus)) > 1


def test_an_unknown_sample_lists_the_known_ones():
    with pytest.raises(
        CorpusError, match=r"sample:sample.conl: .*Did you mean 'sample:sample.conllu?'\? Known: .*sample.conll"
    ):
        sample_path("sample.conl")


def test_a_sample_name_cannot_leave_the_sample():
    with pytest.raises(CorpusError, match="no such file"):
        sample_path("../errors.py")


def test_gzip_members_one_after_another_are_one_file(tmp_path):
    path = write(tmp_path / "a.gz", gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert [sentence.text for sentence in read(Lines(path))] == ["one", "two"]


def test_the_offset_of_a_wrong_byte_counts_the_byte_order_mark(tmp_path):
    path = write(tmp_path / "a.txt", b"\xef\xbb\xbfab\nc\x93d\n")
    message = fault(Lines(path))
    assert f"{path}:2: not UTF-8: byte 0x93 at byte offset 7" in message
    assert "WINDOWS-1252" in message


def test_a_byte_order_mark_inside_a_file_is_text(tmp_path):
    assert read(Lines(write(tmp_path / "a.txt", "a\n\ufeffb\n")))[1].text == "\ufeffb"


def test_a_file_of_carriage_returns_is_one_line_and_says_so(tmp_path):
    log = ReadLog()
    sentences = list(Lines(write(tmp_path / "a.txt", "a\rb\r")).sentences(log))
    assert [sentence.text for sentence in sentences] == ["a\rb"]
    assert "lone-carriage-returns" in log.warnings


def test_line_separators_of_unicode_are_text(tmp_path):
    assert [s.text for s in read(Lines(write(tmp_path / "a.txt", "a\u2028b\x0bc\x0cd\n")))] == ["a\u2028b\x0bc\x0cd"]


def test_text_is_kept_verbatim(tmp_path):
    assert [s.text for s in read(Lines(write(tmp_path / "a.txt", "  a\t b \n \n\nc")))] == ["  a\t b ", " ", "", "c"]


def test_a_document_is_a_file_and_a_row_is_its_line(tmp_path):
    sentences = read(Lines((write(tmp_path / "a.txt", "x\n\ny\n"), write(tmp_path / "b.txt", "z"))))
    assert [s.id for s in sentences] == ["a.txt/1", "a.txt/2", "a.txt/3", "b.txt/1"]
    assert [s.document for s in sentences] == ["a.txt"] * 3 + ["b.txt"]
    assert all(s.spans is None for s in sentences)


def test_the_same_file_twice_is_two_documents(tmp_path):
    path = write(tmp_path / "a.txt", "x\n")
    assert [s.id for s in read(Lines((path, path)))] == ["a.txt/1", "a.txt-2/1"]


def test_a_document_can_be_a_line(tmp_path):
    assert [s.id for s in read(Lines(write(tmp_path / "a.txt", "x\n\ny\n"), document="line"))] == [
        "doc-1/1",
        "doc-2/1",
        "doc-3/1",
    ]


def test_blank_lines_can_separate_documents(tmp_path):
    paths = (write(tmp_path / "a.txt", "\nx\ny\n\n \nz\n"), write(tmp_path / "b.txt", "w\n"))
    sentences = read(Lines(paths, document="blank_line"))
    assert [(s.id, s.text) for s in sentences] == [("doc-1/1", "x"), ("doc-1/2", "y"), ("doc-2/1", "z"), ("doc-3/1", "w")]


def test_nothing_but_blank_lines_between_documents_is_no_corpus(tmp_path):
    assert "holds no sentences" in fault(Lines(write(tmp_path / "a.txt", "\n\n"), document="blank_line"))


def test_words_are_split_at_white_space_but_not_at_control_characters(tmp_path):
    line = " a\u00a0b\u3000c\td  e\x1cf\x1fg\x85h\u200bi \n"
    (sentence,) = read(Words(write(tmp_path / "a.txt", line)))
    assert sentence.words == ("a", "b", "c", "d", "e\x1cf\x1fg\x85h\u200bi")
    assert sentence.text == " ".join(sentence.words)


def test_a_blank_line_of_words_keeps_its_row(tmp_path):
    sentences = read(Words(write(tmp_path / "a.txt", "a b\n\n \nc\n")))
    assert [s.words for s in sentences] == [("a", "b"), (), (), ("c",)]
    assert [bool(s.flags & SentenceFlag.EMPTY) for s in sentences] == [False, True, True, False]


def test_a_closed_stream_closes_its_file(tmp_path, monkeypatch):
    opened = []
    open_file = Path.open

    def note(self, *arguments, **settings):
        opened.append(open_file(self, *arguments, **settings))
        return opened[-1]

    monkeypatch.setattr(Path, "open", note)
    sentences = Jsonl(write(tmp_path / "a.jsonl", '{"text": "x"}\n' * 9)).sentences(ReadLog())
    next(sentences)
    assert any(not file.closed for file in opened)
    sentences.close()
    assert all(file.closed for file in opened)


def test_readers_import_neither_torch_nor_transformers():
    check = "import sys, embedpipe.corpus; sys.exit(bool({'torch', 'transformers', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
