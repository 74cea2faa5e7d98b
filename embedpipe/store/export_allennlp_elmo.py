"""The HDF5 file that AllenNLP's command ``allennlp elmo`` writes, as of its version 0.9.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from embedpipe.errors import StoreError

if TYPE_CHECKING:
    from embedpipe.store.export import OnRows
    from embedpipe.store.reader import Store
    from embedpipe.store.sentence import StoredSentence

INDEX = "sentence_to_index"


def write_allennlp_elmo(store: Store, views: tuple[str, ...], path: Path, doing: str, on_progress: OnRows) -> None:
    """Write a dataset a sentence, named by its number, float32, and an index from the sentence to that name.

    A stacked view gives ``(num_layers, num_words, vector_size)``, as ``--all`` does; any other ``(num_words, vector_size)``, as
    ``--top`` and ``--average`` do. Of sentences with the same words, the index knows the last one.

    :raises StoreError: If it is not one view of words.
    """
    fitting = [view for view in views if store.views[view].unit == "word"]
    if len(fitting) != 1 or len(views) != 1:
        known = ", ".join(view for view, info in store.views.items() if info.unit == "word") or "none"
        raise StoreError(
            f"{doing}: a file of the format allennlp-elmo holds one view of words; choose it with --view. Views of words here: "
            f"{known}"
        )
    view, index = fitting[0], {}
    stacked, total, done = store.views[view].stacked, store.num_words, 0
    with h5py.File(path, "w") as file:
        for sentence in store:
            vectors = store.vectors(view, sentence).astype(np.float32, copy=False)
            layers_first = np.ascontiguousarray(vectors.swapaxes(0, 1)) if stacked else vectors
            file.create_dataset(str(sentence.index), layers_first.shape, dtype="float32", data=layers_first)
            index[_as_a_line(sentence)] = str(sentence.index)
            done += sentence.num_words
            on_progress(done, total)
        names = file.create_dataset(INDEX, (1,), dtype=h5py.string_dtype())
        names[0] = json.dumps(index)


def _as_a_line(sentence: StoredSentence) -> str:
    """The sentence as a line of the command's input: its words are what white space separates."""
    line = sentence.text.strip()
    return line if tuple(line.split()) == sentence.words else " ".join(sentence.words)
