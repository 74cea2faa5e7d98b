"""NeuroX: its extractor, every layer at each word's last subword, a sentence at a time, in its own HDF5 file."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from neurox.data.extraction import transformers_extractor
from one_pass import Sentences, one_pass, texts_of

SETTINGS = "transformers_extractor, all layers, aggregation last (its default), its own HDF5; what it prints goes to /dev/null"


def load(folder: str) -> Any:
    return transformers_extractor.get_model_and_tokenizer(folder)


def extract(loaded: Any, sentences: Sentences, output: str) -> None:
    """The extractor loads the model itself; it is given the one that is loaded."""
    transformers_extractor.get_model_and_tokenizer = lambda *args, **settings: loaded
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        corpus = Path(folder, "sentences.txt")
        corpus.write_text("\n".join(texts_of(sentences)) + "\n", encoding="utf-8")
        written = f"{output}.hdf5"
        transformers_extractor.extract_representations(folder, str(corpus), written, output_type="hdf5")
    Path(written).replace(output)


if __name__ == "__main__":
    one_pass("neurox", SETTINGS, load, extract)
