"""Every name and type of the store's files, once. FORMAT.md next to this file says the same in prose."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from embedpipe.dataflow import Unit

FORMAT_NAME: Final = "embedpipe-store"
FORMAT_VERSION: Final = 1

MANIFEST_NAME: Final = "embedpipe-manifest"
MANIFEST: Final = "manifest.jsonl"
LOCK: Final = "lock"
PARTIAL: Final = ".partial"
SHARDS_FOLDER: Final = ".shards"  # after the name of the store
SHARD_NAME: Final = re.compile(r"[0-9]{6,}\.h5")

# Attributes of the root group.
FORMAT: Final = "format"
VERSION: Final = "format_version"
WRITTEN_BY: Final = "embedpipe_version"

Count: TypeAlias = Literal["num_documents", "num_sentences", "num_words", "num_subwords"]
COUNTS: Final[tuple[Count, ...]] = ("num_documents", "num_sentences", "num_words", "num_subwords")
ROWS: Final[dict[Unit, Count]] = {"word": "num_words", "subword": "num_subwords", "sentence": "num_sentences"}

# Packed text: <name>_bytes and <name>_offsets, see text.py.
DOCUMENT_ID: Final = "documents/id"
SENTENCE_ID: Final = "sentences/id"
SENTENCE_TEXT: Final = "sentences/text"

# Fixed-width columns.
DOCUMENT_INDEX: Final = "sentences/document_index"
SENTENCE_FLAGS: Final = "sentences/flags"
SPACE_AFTER: Final = "sentences/space_after"
SECOND_START: Final = "sentences/second_start"
WORD_OFFSETS: Final = "sentences/word_offsets"
SUBWORD_OFFSETS: Final = "sentences/subword_offsets"
ID_HASHES: Final = "sentences/id_hashes"
ID_ORDER: Final = "sentences/id_order"
WORD_SPANS: Final = "words/spans"
WORD_SUBWORDS: Final = "words/subwords"
WORD_FLAGS: Final = "words/flags"
SUBWORD_IDS: Final = "subwords/ids"

PROVENANCE: Final = "provenance"
SHARDS: Final = "shards"
CHECKSUMS: Final = "checksums"
VIEWS: Final = "views"
LABELS: Final = "labels"
LABEL_CODES: Final = "codes"
VOCABULARY: Final = "vocabulary"
NO_LABEL: Final = -1
NO_PAIR: Final = -1

# Attributes of a view and of a label.
UNIT: Final = "unit"
POSITION: Final = "position"
COMBINATION: Final = "combination"
POOLING: Final = "pooling"
LAYERS: Final = "layers"
STACKED: Final = "stacked"
VECTOR_SIZE: Final = "vector_size"

BYTE: Final = "|u1"
OFFSET: Final = "<i8"
CODE: Final = "<i4"
VIEW_DTYPES: Final = {"float32": "<f4", "float16": "<f2"}


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """One fixed-width column: its numpy dtype, how many rows it has, and the shape of a row."""

    dtype: str
    count: Count
    row_shape: tuple[int, ...] = ()
    is_offsets: bool = False

    def shape(self, counts: Mapping[Count, int]) -> tuple[int, ...]:
        """Shape of the whole column; offsets have one row more than there are ranges."""
        return (counts[self.count] + self.is_offsets, *self.row_shape)


COLUMNS: Final[dict[str, ColumnLayout]] = {
    DOCUMENT_INDEX: ColumnLayout("<i8", "num_sentences"),
    SENTENCE_FLAGS: ColumnLayout("<u2", "num_sentences"),
    SPACE_AFTER: ColumnLayout(BYTE, "num_sentences"),
    WORD_OFFSETS: ColumnLayout(OFFSET, "num_sentences", is_offsets=True),
    SUBWORD_OFFSETS: ColumnLayout(OFFSET, "num_sentences", is_offsets=True),
    ID_HASHES: ColumnLayout("<u8", "num_sentences"),
    ID_ORDER: ColumnLayout("<i8", "num_sentences"),
    WORD_SPANS: ColumnLayout("<i4", "num_words", (2,)),
    WORD_SUBWORDS: ColumnLayout("<i4", "num_words", (2,)),
    WORD_FLAGS: ColumnLayout("<u2", "num_words"),
    SUBWORD_IDS: ColumnLayout("<i4", "num_subwords"),
}

OPTIONAL_COLUMNS: Final[dict[str, ColumnLayout]] = {
    SECOND_START: ColumnLayout("<i4", "num_sentences"),
}
"""Those that only a file with pairs of texts has."""

TEXTS: Final[dict[str, Count]] = {
    DOCUMENT_ID: "num_documents",
    SENTENCE_ID: "num_sentences",
    SENTENCE_TEXT: "num_sentences",
}


def bytes_of(text: str) -> str:
    """Name of the dataset with the bytes of a packed text."""
    return f"{text}_bytes"


def offsets_of(text: str) -> str:
    """Name of the dataset with the offsets of a packed text."""
    return f"{text}_offsets"


IN_SHARDS: Final[dict[str, Count | None]] = {
    bytes_of(SENTENCE_TEXT): None,  # as many bytes as the offsets say
    SENTENCE_FLAGS: "num_sentences",
    SPACE_AFTER: "num_sentences",
    WORD_SPANS: "num_words",
    WORD_SUBWORDS: "num_words",
    WORD_FLAGS: "num_words",
    SUBWORD_IDS: "num_subwords",
}
"""What a master leaves in its shards, beside the views: columns whose rows are the same wherever their shard lies."""


@functools.lru_cache(maxsize=1024)
def link_name(name: str) -> str:
    """The HDF5 link name of a view or label: percent-escaped where HDF5 would not take it as it is.

    ``/`` would make groups, NUL ends a C string, and a name of dots alone means the group itself; ``%`` starts an escape.
    """
    escaped = re.sub(r"[%/\x00-\x1f\x7f\ud800-\udfff]", _escape, name)
    return escaped.replace(".", "%2E") if not name.strip(".") else escaped


def name_of_link(link: str) -> str:
    """The name of the view or label behind a link name."""
    return unquote(link, errors="surrogatepass")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))
