"""Small files of word vectors, in each format, as their own tools write them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embedpipe.encoders import Static

WORDS = ["the", "Berlin", "river", "café", "你好", "</s>", "IBM", "a"]
VECTORS = np.random.default_rng(1).standard_normal((len(WORDS), 5)).astype(np.float32)


def text_of(words: Sequence[str], vectors, *, header: bool, end: str = "") -> bytes:
    """GloVe has no header; fastText ends lines with a space."""
    first = f"{len(words)} {len(vectors[0])}\n" if header else ""
    lines = [f"{word} {' '.join(map(repr, row.tolist()))}{end}\n" for word, row in zip(words, np.asarray(vectors), strict=True)]
    return (first + "".join(lines)).encode()


def binary_of(words: Sequence[str], vectors, *, newline: bytes = b"\n") -> bytes:
    """word2vec's own tool ends a vector with a newline, gensim does not."""
    rows = [word.encode() + b" " + row.tobytes() + newline for word, row in zip(words, vectors, strict=True)]
    return f"{len(words)} {len(vectors[0])}\n".encode() + b"".join(rows)


def fasttext_of(
    words: Sequence[str],
    table,
    *,
    ngrams: tuple[int, int] = (3, 6),
    num_buckets: int = 50,
    labels: Sequence[str] = (),
    old: bool = False,
    quantized: bool = False,
    version: int = 12,
) -> bytes:
    """A model: ``table`` has a row a word, then a row a bucket."""
    dim, kind = table.shape[1], 3 if labels else 2
    start = b"" if old else struct.pack("<2i", 793712314, version)
    settings = struct.pack("<12id", dim, 5, 1, 1, 5, 1, 2, kind, num_buckets, *ngrams, 100, 1e-4)
    sizes = struct.pack("<3iq", len(words) + len(labels), len(words), len(labels), 100) + (
        b"" if old else struct.pack("<q", -1)
    )
    entries = [word.encode() + b"\0" + struct.pack("<qb", 7, 0) for word in words]
    entries += [label.encode() + b"\0" + struct.pack("<qb", 7, 1) for label in labels]
    flag = b"" if old else bytes([quantized])
    shape = struct.pack("<2q", *table.shape)
    output = flag + struct.pack("<2q", len(words), dim) + bytes(4 * dim * len(words))
    return b"".join([start, settings, sizes, *entries, flag, shape, table.astype("<f4").tobytes(), output])


def fasttext_table(num_buckets: int = 50, size: int = 4):
    return np.random.default_rng(2).standard_normal((len(WORDS) + num_buckets, size)).astype(np.float32)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def load(path: Path, **settings):
    chosen = Static(str(path), **settings)
    return chosen.load(chosen.find())


def vectors_of(encoder, words: Sequence[str]):
    """What the encoder gives for words, as one sentence."""
    import torch

    from embedpipe.dataflow import Batch

    inputs = torch.tensor([[id for word in words for id in encoder.vocabulary.units(word).inputs]])
    return encoder.encode(Batch(inputs, torch.ones_like(inputs)), {0})[0][0].numpy()
