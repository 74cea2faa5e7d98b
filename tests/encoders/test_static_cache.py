"""A file of vectors is read once; what is kept of it is never taken for something else, whoever is killed on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from static_files import VECTORS, WORDS, fasttext_of, fasttext_table, load, text_of, vectors_of, write

from embedpipe.encoders.static import cache
from embedpipe.errors import EncoderError


@pytest.fixture
def source(tmp_path):
    (tmp_path / "models").mkdir()
    return write(tmp_path / "models/vectors.txt", text_of(WORDS, VECTORS, header=True))


@pytest.fixture
def conversions(monkeypatch):
    """The files that were read, one entry each time."""
    seen = []
    convert = cache.write_table

    def counted(path, format, file):
        seen.append(path)
        convert(path, format, file)

    monkeypatch.setattr(cache, "write_table", counted)
    return seen


@pytest.fixture(autouse=True)
def users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg/embedpipe"


def kept(source):
    return source.with_name(source.name + ".embedpipe")


def is_right(encoder):
    return np.array_equal(vectors_of(encoder, WORDS), VECTORS)


def test_a_second_load_reads_the_table_and_not_the_file(source, conversions):
    assert is_right(load(source))
    assert is_right(load(source))
    assert len(conversions) == 1
    assert sorted(path.name for path in source.parent.iterdir()) == ["vectors.txt", "vectors.txt.embedpipe"]


def test_two_conversions_give_the_same_bytes_of_vectors_and_words(source):
    load(source)
    first = kept(source).read_bytes()
    kept(source).unlink()
    load(source)
    assert kept(source).read_bytes() == first


def test_a_changed_file_is_read_again_even_if_it_is_as_long_and_says_it_is_as_old(source, conversions):
    load(source)
    before = source.stat()
    write(source, text_of(WORDS[::-1], VECTORS, header=True))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert np.array_equal(vectors_of(load(source), WORDS), VECTORS[::-1])
    assert len(conversions) == 2


def test_a_table_that_was_copied_with_its_file_is_good(source, tmp_path, conversions):
    load(source)
    (tmp_path / "other").mkdir()
    for path in (source, kept(source)):
        shutil.copy(path, tmp_path / "other" / path.name)
    assert is_right(load(tmp_path / "other/vectors.txt"))
    assert len(conversions) == 1


def test_a_folder_that_cannot_be_written_sends_the_table_to_the_users_cache(source, conversions, users_cache):
    source.parent.chmod(0o555)
    try:
        assert is_right(load(source))
        assert is_right(load(source))
        assert [path.name for path in source.parent.iterdir()] == ["vectors.txt"]
    finally:
        source.parent.chmod(0o755)
    assert len(conversions) == 1
    assert [path.name.endswith("-vectors.txt.embedpipe") for path in users_cache.iterdir()] == [True]


def test_where_nothing_can_be_written_the_message_says_what_to_do(source, users_cache):
    users_cache.mkdir(parents=True)
    for folder in (source.parent, users_cache):
        folder.chmod(0o555)
    try:
        with pytest.raises(EncoderError, match=r"can be written neither to .* \(Permission denied\) nor to .*XDG_CACHE_HOME"):
            load(source)
    finally:
        for folder in (source.parent, users_cache):
            folder.chmod(0o755)


@pytest.mark.parametrize("size", [0, 10, 200, -1])
def test_a_table_that_is_cut_off_is_made_anew(source, conversions, size):
    load(source)
    kept(source).write_bytes(kept(source).read_bytes()[:size])
    assert is_right(load(source))
    assert len(conversions) == 2


def test_a_table_with_any_changed_byte_is_found_out_before_a_wrong_vector_gets_out(source):
    load(source)
    whole = kept(source).read_bytes()
    outcomes = set()
    for place in range(0, len(whole), 41):
        kept(source).write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            assert is_right(load(source))
            outcomes.add("made anew")
        except EncoderError as error:
            assert "was damaged on the disk and is removed" in str(error)
            assert not kept(source).exists()
            assert is_right(load(source))
            outcomes.add("told")
    assert outcomes == {"made anew", "told"}


def test_a_table_of_another_format_is_not_taken(source, conversions):
    load(source)
    with pytest.raises(EncoderError, match="is no model of fastText"):
        load(source, format="fasttext_binary")
    load(source, format="word2vec_text")
    assert len(conversions) == 2


def test_a_file_that_is_still_being_written_is_not_kept(source, monkeypatch):
    recognize = cache.write_table.__globals__["recognize"]

    def meanwhile(path, format):
        found = recognize(path, format)
        os.utime(path, ns=(1, 1))
        return found

    monkeypatch.setitem(cache.write_table.__globals__, "recognize", meanwhile)
    with pytest.raises(EncoderError, match="has changed while it was read"):
        load(source)
    assert not kept(source).exists()


def test_several_that_come_first_at_once_all_get_it_right(source):
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda _: is_right(load(source)), range(8)))
    assert sorted(path.name for path in source.parent.iterdir()) == ["vectors.txt", "vectors.txt.embedpipe"]


def test_a_killed_conversion_leaves_nothing_that_is_taken_for_a_table_and_its_rest_is_swept(tmp_path):
    path = write(tmp_path / "m.bin", fasttext_of(WORDS, fasttext_table()))
    code = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from embedpipe.encoders.static import cache, table_writer\n"
        "table_writer.write_contents = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cache.load_table(Path(sys.argv[1]), None)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -signal.SIGKILL
    (rest,) = tmp_path.glob("*.partial")
    assert rest.stat().st_size > 0
    load(path)
    assert rest.exists(), "it is young: its process may not have locked it yet"
    os.utime(rest, (time.time() - 100, time.time() - 100))
    kept(path).unlink()
    load(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.bin", "m.bin.embedpipe"]


def test_what_a_living_process_is_writing_is_left_alone(source):
    rest = source.with_name("vectors.txt.embedpipe.1-00.partial")
    with rest.open("wb") as file:
        cache._lock(file)
        os.utime(rest, (1, 1))
        load(source)
        assert rest.exists()
