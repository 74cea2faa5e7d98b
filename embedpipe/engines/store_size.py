"""What a store takes beside its vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.store import format as store_format

if TYPE_CHECKING:
    from embedpipe.engines.survey import Survey

_STRUCTURE_BYTES = 11 * 1024
_STRUCTURE_BYTES_A_VIEW = 1024
"""What HDF5 itself takes in a file of any size, the manifest and the provenance included."""


def bytes_beside_vectors(
    survey: Survey, vector_bytes: int, shard_bytes: int, *, num_views: int, single_file: bool = True
) -> int:
    """Estimate what a store takes beside its vectors, by the columns of its format.

    A master beside its shards repeats what cannot be looked up in them: ids, labels, offsets, where second texts start.

    :param vector_bytes: What the vectors take.
    :param shard_bytes: What a shard takes at most.
    :param single_file: Whether a store of one shard has no master beside it.
    """
    counts = {name: int(getattr(survey, name)) for name in store_format.COUNTS}
    layouts = store_format.COLUMNS | (store_format.OPTIONAL_COLUMNS if survey.num_pairs else {})
    columns = {name: np.dtype(column.dtype).itemsize * math.prod(column.shape(counts)) for name, column in layouts.items()}
    ids = survey.num_id_bytes + sum(8 * counts[count] for count in store_format.TEXTS.values())
    labels = sum(4 * survey.num_rows(unit) for unit in survey.labels.values()) + survey.num_vocabulary_bytes
    structure = _STRUCTURE_BYTES + _STRUCTURE_BYTES_A_VIEW * num_views
    in_shards = sum(columns.values()) + ids + survey.num_text_bytes + labels
    num_shards = math.ceil((vector_bytes + in_shards) / shard_bytes)
    if num_shards <= 1 and single_file:
        return in_shards + structure
    in_master = sum(size for name, size in columns.items() if name not in store_format.IN_SHARDS) + ids + labels
    return in_shards + in_master + structure * (num_shards + 1)
