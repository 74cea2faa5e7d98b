"""minicons: the last four layers of a word in its sentence, one forward pass for each word, 32 words at a time."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from minicons.cwe import CWE
from one_pass import Sentences, one_pass, write_each

SETTINGS = (
    "CWE.extract_representation of every word, last four layers, 32 words a batch, no gradients; one HDF5 dataset a batch"
)


def load(folder: str) -> CWE:
    model = CWE(folder, device="cpu")
    model.extract_representation([("warm up", (0, 4))], layer=_last_four(model))
    return model


def extract(model: CWE, sentences: Sentences, output: str) -> None:
    write_each(_arrays(model, sentences), output)


def _arrays(model: CWE, sentences: Sentences) -> Iterator[Any]:
    pairs = [pair for words in sentences for pair in _words_in_sentence(words)]
    with torch.no_grad():
        for start in range(0, len(pairs), 32):
            layers = model.extract_representation(pairs[start : start + 32], layer=_last_four(model))
            yield torch.stack(layers, dim=1).numpy()


def _last_four(model: CWE) -> list[int]:
    return list(range(model.layers - 3, model.layers + 1))


def _words_in_sentence(words: list[str]) -> list[tuple[str, tuple[int, int]]]:
    """A sentence beside the characters of each of its words."""
    ends = itertools.accumulate(len(word) + 1 for word in words)
    return [(" ".join(words), (end - 1 - len(word), end - 1)) for word, end in zip(words, ends, strict=True)]


if __name__ == "__main__":
    one_pass("minicons", SETTINGS, load, extract)
