"""What every corpus reader keeps to; the tests of each format subclass it."""

import gzip
import tracemalloc
from pathlib import Path
from typing import ClassVar

import pytest

from embedpipe.dataflow import Corpus, ReadLog, Sentence
from embedpipe.errors import CorpusError


def read(corpus: Corpus) -> list[Sentence]:
    return list(corpus.sentences(ReadLog()))


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def fault(corpus: Corpus) -> str:
    with pytest.raises(CorpusError) as caught:
        read(corpus)
    return str(caught.value)


class CorpusContract:
    header: ClassVar[str] = ""

    def reader(self, path: str | tuple[str, ...]) -> Corpus:
        raise NotImplementedError

    def record(self, words: list[str]) -> str:
        """One sentence in the format, line end included."""
        raise NotImplementedError

    def content(self, num_sentences: int) -> str:
        return self.header + "".join(self.record(["Wort", "größer", str(n)]) for n in range(num_sentences))

    def test_sentences_come_in_the_order_of_the_file(self, tmp_path):
        sentences = read(self.reader(write(tmp_path / "a.txt", self.content(30))))
        assert [sentence.text for sentence in sentences] == [f"Wort größer {n}" for n in range(30)]

    def test_files_are_read_in_the_order_given_and_patterns_sorted(self, tmp_path):
        for name, word in (("b.txt", "zwei"), ("a.txt", "eins"), ("z.dat", "null")):
            write(tmp_path / name, self.header + self.record([word]))
        corpus = self.reader((str(tmp_path / "z.dat"), str(tmp_path / "*.txt")))
        assert [file.name for file in corpus.files] == ["z.dat", "a.txt", "b.txt"]
        assert [sentence.text for sentence in read(corpus)] == ["null", "eins", "zwei"]

    def test_ids_are_unique_over_all_files_even_of_the_same_name(self, tmp_path):
        paths = []
        for folder in ("one", "two", "three"):
            (tmp_path / folder).mkdir()
            paths.append(write(tmp_path / folder / "a.txt", self.content(7)))
        ids = [sentence.id for sentence in read(self.reader(tuple(paths)))]
        assert len(set(ids)) == len(ids) == 21

    def test_reading_twice_gives_the_same_sentences(self, tmp_path):
        corpus = self.reader(write(tmp_path / "a.txt", self.content(7)))
        assert read(corpus) == read(corpus)

    def test_gzip_is_recognised_by_its_content_and_changes_nothing(self, tmp_path):
        path = tmp_path / "a.txt"
        plain = read(self.reader(write(path, self.content(20))))
        assert read(self.reader(write(path, gzip.compress(self.content(20).encode())))) == plain
        assert read(self.reader(write(tmp_path / "a.txt.gz", gzip.compress(self.content(20).encode())))) == plain

    def test_a_byte_order_mark_changes_nothing(self, tmp_path):
        path = tmp_path / "a.txt"
        plain = read(self.reader(write(path, self.content(3))))
        assert read(self.reader(write(path, b"\xef\xbb\xbf" + self.content(3).encode()))) == plain

    def test_windows_line_ends_change_nothing(self, tmp_path):
        path = tmp_path / "a.txt"
        plain = read(self.reader(write(path, self.content(3))))
        assert read(self.reader(write(path, self.content(3).replace("\n", "\r\n")))) == plain

    def test_a_missing_last_line_end_changes_nothing(self, tmp_path):
        path = tmp_path / "a.txt"
        plain = read(self.reader(write(path, self.content(3))))
        assert read(self.reader(write(path, self.content(3).rstrip("\n")))) == plain

    def test_lines_do_not_end_at_unicode_separators(self, tmp_path):
        words = ["a\x85b", "c\x1cd", "e\x1df"]
        assert [s.text for s in read(self.reader(write(tmp_path / "a.txt", self.header + self.record(words))))] == [
            " ".join(words)
        ]

    def test_nul_bytes_belong_to_words(self, tmp_path):
        content = self.header + self.record(["a\0b", "c"])
        assert [s.text for s in read(self.reader(write(tmp_path / "a.txt", content)))] == ["a\0b c"]

    def test_a_missing_file_is_named_with_the_absolute_path_tried(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        message = fault(self.reader("absent.txt"))
        assert message.startswith("absent.txt: there is no such file")
        assert str(tmp_path / "absent.txt") in message

    def test_a_folder_is_not_a_file(self, tmp_path):
        assert "is a folder" in fault(self.reader(str(tmp_path)))

    def test_bytes_that_are_not_utf8_are_named_by_line_and_offset(self, tmp_path):
        good = self.content(2000).encode()
        bad = self.record(["Stra\xdfe"]).encode("latin-1")
        path = write(tmp_path / "a.txt", good + bad)
        line = (good + bad[: bad.index(b"\xdf")]).count(b"\n") + 1
        message = fault(self.reader(path))
        assert message.startswith(
            f"{path}:{line}: not UTF-8: byte 0xdf at byte offset {len(good) + bad.index(0xDF)} of the file"
        )
        assert "iconv -f LATIN1 -t UTF-8" in message

    def test_utf16_is_recognised(self, tmp_path):
        assert "iconv -f UTF-16" in fault(self.reader(write(tmp_path / "a.txt", self.content(2).encode("utf-16"))))

    def test_a_gzip_file_cut_short_or_damaged_is_an_error_not_a_short_corpus(self, tmp_path):
        packed = gzip.compress(self.content(2000).encode())
        assert "the gzip file is cut short" in fault(self.reader(write(tmp_path / "a.gz", packed[:-20])))
        damaged = packed[:200] + bytes(60) + packed[260:]
        assert "the gzip file is damaged" in fault(self.reader(write(tmp_path / "b.gz", damaged)))
        assert "the gzip file is damaged" in fault(self.reader(write(tmp_path / "c.gz", packed + b"more")))

    @pytest.mark.parametrize("packed", [False, True])
    def test_an_empty_file_holds_no_sentences(self, tmp_path, packed):
        path = write(tmp_path / "a.txt", gzip.compress(b"") if packed else b"")
        assert fault(self.reader(path)).startswith(f"{path}: holds no sentences")

    def test_an_empty_file_among_others_is_a_recorded_warning(self, tmp_path):
        log = ReadLog()
        paths = (write(tmp_path / "a.txt", ""), write(tmp_path / "b.txt", self.content(2)))
        assert len(list(self.reader(paths).sentences(log))) == 2
        assert log.warnings["empty-file"].places == [paths[0]]

    @pytest.mark.parametrize("packed", [False, True])
    def test_the_position_grows_to_the_size_of_all_files_on_disk(self, tmp_path, packed):
        content = self.content(3000).encode()
        content = gzip.compress(content) if packed else content
        paths = (write(tmp_path / "a.txt", content), write(tmp_path / "b.txt", content))
        log = ReadLog()
        positions = [log.position_bytes for _ in self.reader(paths).sentences(log)]
        assert positions == sorted(positions)
        assert log.position_bytes == log.size_bytes == 2 * len(content)

    def test_the_first_sentence_comes_before_the_file_has_been_read(self, tmp_path):
        log = ReadLog()
        sentences = self.reader(write(tmp_path / "a.txt", self.content(20_000))).sentences(log)
        next(sentences)
        assert 0 < log.position_bytes < log.size_bytes / 2

    def test_memory_does_not_grow_with_the_file(self, tmp_path):
        def peak_bytes(num_sentences: int) -> int:
            long = self.header + "".join(self.record(["Wort" * 100, str(n)]) for n in range(num_sentences))
            sentences = self.reader(write(tmp_path / "a.txt", long)).sentences(ReadLog())
            tracemalloc.start()
            try:
                for _ in sentences:
                    pass
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        peak_bytes(100)  # warms caches
        assert peak_bytes(2_400) < peak_bytes(600) + 20_000  # both fill the buffers that a file is read through

    def test_making_a_reader_touches_no_file(self):
        self.reader("/nowhere/at/all.txt")

    def test_a_path_that_names_nothing_is_refused(self):
        for nothing in ("", (), ("a", "")):
            with pytest.raises(ValueError, match=r"^path: names no file"):
                self.reader(nothing)
