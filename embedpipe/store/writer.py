"""Writing a store: blocks in, one sealed file out."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from embedpipe.dataflow import Block, Sentence, ViewInfo
from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.attributes import write_string
from embedpipe.store.block import check_block, narrowed, stored_rows
from embedpipe.store.column import GrowingColumn, GrowingOffsets, GrowingText
from embedpipe.store.durable import PartialFile, write_error
from embedpipe.store.id_index import GrowingIdIndex
from embedpipe.store.labels import GrowingLabels
from embedpipe.store.stream import ErrorKeepingStream


class StoreWriter:
    """Writes one store; nothing is at its path before :meth:`finish`, and nothing of it is left without.

    ::

        with StoreWriter("features.h5", views) as writer:
            for block in blocks:
                writer.append(block)
            writer.finish(provenance)

    It holds the current block, one chunk (256 KiB) a column, the label vocabularies, and 16 bytes a sentence.

    :param path: Where the store will be. Missing folders are made.
    :param views: What each view holds, by name.
    :param overwrite: Replace the store that is there. Anything else that is there is never replaced.
    :raises StoreError: On entering, if the store cannot or must not be written; later, if a block is not fit or the disk full.
    """

    def __init__(self, path: str | os.PathLike[str], views: Mapping[str, ViewInfo], *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.views = dict(views)
        self._target = PartialFile(path, overwrite=overwrite)
        self._file: Any = None
        self._is_sound = False
        for name, info in self.views.items():
            if not name or info.dtype not in names.VIEW_DTYPES:
                raise StoreError(f"cannot write the store {path}: view {name!r} with dtype {info.dtype!r} has no place in it.")

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack:
            stack.enter_context(self._target)
            self._is_sound = True
            self._stream = ErrorKeepingStream(self._target.descriptor)
            with self._writing():
                # Version 1.10 of the file format: checksums over its structure, and an index that grows in place.
                self._file = h5py.File(self._stream, "w", libver=("v110", "v110"))
                self._start()
            self._stack = stack.pop_all()
        return self

    def append(self, block: Block) -> None:
        """Store the next sentences.

        :raises StoreError: If the parts of the block do not agree, an id was there before, or the disk is full.
        :raises NonFiniteError: If a vector is not finite or does not fit into the store's dtype.
        """
        with self._writing():
            check_block(block, self.views)
            hashes = self._ids.check([sentence.id for sentence in block.sentences])
            self._labels.check(block.sentences)
            rows = {name: stored_rows(block, name, info) for name, info in self.views.items()}
            self._append_sentences(block)
            self._append_words(block)
            self._ids.add(hashes)
            self._labels.append(block.sentences)
            for name, view in self._views.items():
                view.append(rows[name])

    def finish(self, provenance: Mapping[str, Any]) -> Path:
        """Seal the store and bring it to its path.

        :param provenance: How the store was made; anything that JSON can hold.
        :returns: The path.
        """
        with self._writing():
            try:
                text = json.dumps(provenance, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise StoreError(f"cannot write the store {self.path}: its provenance is not JSON: {error}.") from None
            self._finish_columns()
            self._finish_ids()
            self._finish_views()
            self._labels.finish()
            self._file[names.PROVENANCE] = np.frombuffer(text.encode(), np.uint8)
            self._finish_attributes()
            self._file.close()
            self._stream.check()
            self._target.publish()
        self._is_sound = False  # done: no further block
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_sound = False
        with self._stack:
            self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of the system into ours; after any error the file is of no use."""
        if not self._is_sound:
            raise StoreError(
                f"cannot write the store {self.path}: it is not open for writing (outside of its `with`, finished, or an "
                "earlier block failed)."
            )
        self._is_sound = False
        try:
            yield
            self._stream.check()
        except (OSError, RuntimeError) as error:
            first = self._stream.error or error
            if isinstance(first, Exception):
                raise write_error(self.path, first) from None
            raise first from None
        self._is_sound = True

    def _start(self) -> None:
        is_offsets = {name: layout.is_offsets for name, layout in names.COLUMNS.items()}
        indexed = (names.ID_HASHES, names.ID_ORDER)  # known only at the end
        self._columns = {
            name: GrowingColumn(self._file, name, layout.dtype, layout.row_shape)
            for name, layout in names.COLUMNS.items()
            if not is_offsets[name] and name not in indexed
        }
        self._offsets = {name: GrowingOffsets(self._file, name) for name in names.COLUMNS if is_offsets[name]}
        self._texts = {name: GrowingText(self._file, name) for name in names.TEXTS}
        self._views = {
            name: GrowingColumn(
                self._file, f"{names.VIEWS}/{names.link_name(name)}", names.VIEW_DTYPES[info.dtype], info.row_shape
            )
            for name, info in self.views.items()
        }
        self._labels = GrowingLabels(self._file)
        self._ids = GrowingIdIndex(self._texts[names.SENTENCE_ID].read)
        self._document: str | None = None
        self._num_documents = 0

    def _append_sentences(self, block: Block) -> None:
        sentences = block.sentences
        self._texts[names.SENTENCE_ID].append([sentence.id for sentence in sentences])
        self._texts[names.SENTENCE_TEXT].append([sentence.text for sentence in sentences])
        self._columns[names.DOCUMENT_INDEX].append(self._document_indexes(sentences))
        self._columns[names.SENTENCE_FLAGS].append(narrowed(block.sentence_flags, "<u2", "sentence flags"))
        self._columns[names.SPACE_AFTER].append(np.array([sentence.space_after for sentence in sentences], np.uint8))
        self._offsets[names.WORD_OFFSETS].append([len(sentence.spans or ()) for sentence in sentences])
        self._offsets[names.SUBWORD_OFFSETS].append(block.num_subwords)

    def _append_words(self, block: Block) -> None:
        spans = [span for sentence in block.sentences for span in sentence.spans or ()]
        self._columns[names.WORD_SPANS].append(narrowed(spans, "<i4", "word spans").reshape(-1, 2))
        self._columns[names.WORD_SUBWORDS].append(narrowed(block.word_offsets, "<i4", "word offsets"))
        self._columns[names.WORD_FLAGS].append(narrowed(block.word_flags, "<u2", "word flags"))
        self._columns[names.SUBWORD_IDS].append(narrowed(block.subword_ids, "<i4", "subword ids"))

    def _document_indexes(self, sentences: Sequence[Sentence]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """A document is a run of sentences: one that comes back is written again, so that no table of them is needed."""
        indexes: list[int] = []
        for document, run in groupby(sentence.document for sentence in sentences):
            if document != self._document or not self._num_documents:
                self._document = document
                self._num_documents += 1
                self._texts[names.DOCUMENT_ID].append([document])
            indexes += [self._num_documents - 1] * len(list(run))
        return np.array(indexes, np.int64)

    def _finish_columns(self) -> None:
        for column in self._columns.values():
            column.finish()
        for offsets in self._offsets.values():
            offsets.finish()
        for text in self._texts.values():
            text.finish()

    def _finish_ids(self) -> None:
        self._file[names.ID_HASHES], self._file[names.ID_ORDER] = self._ids.finish()

    def _finish_views(self) -> None:
        self._file.require_group(names.VIEWS)
        for position, (name, info) in enumerate(self.views.items()):
            dataset = self._views[name].finish()
            dataset.attrs[names.POSITION] = position
            write_string(dataset, names.UNIT, info.unit)
            write_string(dataset, names.COMBINATION, info.combination)
            dataset.attrs[names.LAYERS] = np.array(info.layers, np.int64)
            dataset.attrs[names.STACKED] = int(info.stacked)
            if info.pooling is not None:
                write_string(dataset, names.POOLING, info.pooling)

    def _finish_attributes(self) -> None:
        write_string(self._file, names.FORMAT, names.FORMAT_NAME)
        write_string(self._file, names.WRITTEN_BY, importlib.metadata.version("embedpipe"))
        self._file.attrs[names.VERSION] = names.FORMAT_VERSION
        counts = (
            self._num_documents,
            len(self._columns[names.SENTENCE_FLAGS]),
            len(self._columns[names.WORD_FLAGS]),
            len(self._columns[names.SUBWORD_IDS]),
        )
        for name, count in zip(names.COUNTS, counts, strict=True):
            self._file.attrs[name] = count
