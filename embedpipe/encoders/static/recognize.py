"""Which of the formats a file of vectors has, told by its beginning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from embedpipe.encoders.static.fasttext import is_fasttext
from embedpipe.encoders.static.source import beginning
from embedpipe.errors import EncoderError

Format: TypeAlias = Literal["word2vec_text", "word2vec_binary", "glove", "fasttext_binary"]

_HEADER = re.compile(rb"(\d{1,12})[ \t]+(\d{1,6})[ \t\r]*\n")
_LOOKED_AT = 2**20
_OTHERS = {
    b"PK\x03\x04": "a zip archive; unpack it and name the file in it",
    b"\x80": "a pickle (as gensim's own save writes), which may run anything; have gensim write it with save_word2vec_format",
    b"BZh": "compressed by bzip2; decompress it, or compress it by gzip",
    b"\xfd7zXZ": "compressed by xz; decompress it, or compress it by gzip",
    b"\x89HDF": "an HDF5 file",
    b"<": "a web page or XML",
}
_ASK = "If it is one all the same, give encoder.format."


class Layout(NamedTuple):
    """What is known of a file of vectors from its beginning.

    :param num_words: As the file says; ``None`` where it does not.
    :param vector_size: 0 where only reading on will tell.
    """

    format: Format
    num_words: int | None
    vector_size: int


def recognize(path: Path, given: Format | None = None) -> Layout:
    """Tell the format of a file.

    :param given: The format that it is said to have.
    :raises EncoderError: If it has none, or not the given one.
    """
    start = beginning(path, _LOOKED_AT)
    if not start.strip():
        raise EncoderError(f"{path}: the file is empty; expected word vectors")
    header = _HEADER.match(start)
    found = given or _format(start, header)
    if found == "glove":
        return Layout("glove", None, _glove_size(path, start, least=1 if given else 2))
    if found == "fasttext_binary":
        if not is_fasttext(start):
            raise EncoderError(f"{path}: is no model of fastText: it begins with {_shown(start)}")
        return Layout("fasttext_binary", None, 0)
    if header is None or not int(header[2]):
        raise EncoderError(
            f"{path}: a file of format {found} begins with a line of two numbers, how many words and how long a vector is; "
            f"this one with {_shown(start)}"
        )
    return Layout(found, int(header[1]), int(header[2]))


def _format(start: bytes, header: re.Match[bytes] | None) -> Format:
    if is_fasttext(start):
        return "fasttext_binary"
    if header is None:
        return "glove"
    if int(header[1]) == 0:
        return "word2vec_text"
    line = start[header.end() :].split(b"\n", 1)[0].rstrip()
    return "word2vec_text" if _num_numbers(line) >= int(header[2]) else "word2vec_binary"


def _glove_size(path: Path, start: bytes, least: int) -> int:
    """Length of the vectors: the fewest fields of a line, less the word (some words have spaces)."""
    lines = start.split(b"\n")
    whole = lines[:-1] if len(lines) > 1 else lines
    size = min((line.rstrip().count(b" ") for line in whole if line.strip()), default=0)
    if size < least or _num_numbers(whole[0].rstrip()) < size:
        other = next((f"It is {what}." for magic, what in _OTHERS.items() if start.startswith(magic)), _ASK)
        raise EncoderError(
            f"{path}: is not a file of word vectors: it begins with {_shown(start)}. {other} "
            "Expected: a word and its numbers on each line, with one space between (GloVe; word2vec and fastText text with "
            "their line of two numbers on top), or the binary files of word2vec or fastText"
        )
    return size


def _num_numbers(line: bytes) -> int:
    """How many numbers there are at the end of a line, the first field left out."""
    count = 0
    for field in reversed(line.split(b" ")[1:]):
        if not is_number(field):
            break
        count += 1
    return count


def is_number(field: bytes) -> bool:
    """Whether a field of a line is a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(start: bytes) -> str:
    line = start.split(b"\n", 1)[0]
    return repr(line[:40].decode("utf-8", "backslashreplace")) + ("..." if len(line) > 40 else "")
