"""A block that is written to no shard, because it is all there is: it goes into the store's one file at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import ViewInfo
from embedpipe.store import format as names
from embedpipe.store.layout import label_infos
from embedpipe.store.made import CheckedBlock
from embedpipe.store.manifest import ShardRecord, shard_name
from embedpipe.store.shard import shard_image

if TYPE_CHECKING:
    import numpy as np

    from embedpipe.store.format import Count
    from embedpipe.store.structure import LabelInfo


class HeldShard:
    """What :class:`~embedpipe.store.shard_files.ShardFiles` would give if the block were the one shard of a store."""

    def __init__(self, held: CheckedBlock, views: Mapping[str, ViewInfo]) -> None:
        self._units = held.sentences.labels
        self._image, counts = shard_image(held.block, views, self._units, held.sentences.id_hashes, {})
        self.records = (_record(counts),)

    def labels(self, index: int) -> Mapping[str, LabelInfo]:
        """Its labels, in their order."""
        return label_infos(self._units)

    def has_pairs(self, index: int) -> bool:
        """Whether one of its sentences is a pair of texts."""
        return names.SECOND_START in self._image.file

    def num_rows(self, index: int, name: str) -> int:
        """Length of a dataset."""
        return int(self._image.file[name].shape[0])

    def pieces(self, index: int, name: str, start: int, stop: int) -> Iterator[np.ndarray[Any, Any]]:
        """Rows of a dataset, as they lie in memory; those of a view can be had once."""
        row = 0
        for piece in self._image.rows(name):
            if len(part := piece[max(0, start - row) : max(0, stop - row)]):
                yield part
            row += len(piece)

    def close(self) -> None:
        """Forget the image."""
        self._image.file.close()


def _record(counts: Mapping[Count, int]) -> ShardRecord:
    sizes = (counts["num_sentences"], counts["num_words"], counts["num_subwords"], counts["num_documents"])
    return ShardRecord(shard_name(0), 0, *sizes, size_bytes=0, sha256="")
