"""What the scripts of all peers share. Each runs in its peer's own environment: python run_PEER.py CORPUS MODEL OUTPUT.

CORPUS is JSON Lines with a field "words", MODEL a folder, OUTPUT an HDF5 file to write. Printed is JSON: words, seconds,
version, settings. The clock starts when the sentences are in memory and the model is loaded, and stops when the file is closed.
"""

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py

Sentences = list[list[str]]


def one_pass(package: str, settings: str, load: Callable[[str], Any], extract: Callable[[Any, Sentences, str], None]) -> None:
    """Load a model, time one pass over the corpus, print the figures."""
    corpus, folder, output = sys.argv[1:]
    with Path(corpus).open(encoding="utf-8") as lines:
        sentences = [json.loads(line)["words"] for line in lines]
    model = load(folder)
    Path(output).unlink(missing_ok=True)  # of the pass before
    started = time.perf_counter()
    extract(model, sentences, output)
    seconds = time.perf_counter() - started
    versions = {name: importlib.metadata.version(name) for name in (package, "transformers", "torch")}
    words = sum(map(len, sentences))
    print(json.dumps({"words": words, "seconds": seconds, "version": versions, "settings": settings}))


def write_each(arrays: Iterable[Any], output: str) -> None:
    """One dataset a sentence, float32: what users write where the peer has no writer."""
    with h5py.File(output, "w") as file:
        for number, array in enumerate(arrays):
            file.create_dataset(str(number), data=array)


def texts_of(sentences: Sentences) -> list[str]:
    """Sentences for those who take text."""
    return [" ".join(words) for words in sentences]
