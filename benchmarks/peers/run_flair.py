"""flair: the mean of the last four layers at each word's first subword, 32 sentences at a time."""

from collections.abc import Iterator
from typing import Any

from flair.data import Sentence
from flair.embeddings import TransformerWordEmbeddings
from one_pass import Sentences, one_pass, write_each

SETTINGS = (
    "TransformerWordEmbeddings, layers -1 to -4, subtoken_pooling first, 32 sentences a batch; one HDF5 dataset a sentence"
)


def load(folder: str) -> TransformerWordEmbeddings:
    embeddings = TransformerWordEmbeddings(folder, layers="-1,-2,-3,-4", subtoken_pooling="first", fine_tune=False)
    embeddings.embed([Sentence(["warm", "up"])])
    return embeddings


def extract(embeddings: TransformerWordEmbeddings, sentences: Sentences, output: str) -> None:
    write_each(_arrays(embeddings, sentences), output)


def _arrays(embeddings: TransformerWordEmbeddings, sentences: Sentences) -> Iterator[Any]:
    import torch

    for start in range(0, len(sentences), 32):
        batch = [Sentence(words) for words in sentences[start : start + 32]]
        embeddings.embed(batch)
        for sentence in batch:
            yield torch.stack([token.embedding for token in sentence]).cpu().numpy()
            sentence.clear_embeddings()


if __name__ == "__main__":
    one_pass("flair", SETTINGS, load, extract)
