"""sentence-transformers: the last layer of every subword, in the batches that it makes by itself; words are not looked for."""

from one_pass import Sentences, one_pass, texts_of, write_each
from sentence_transformers import SentenceTransformer

SETTINGS = "encode, output_value token_embeddings, batch_size 32 (its default), no words; one HDF5 dataset a sentence"


def load(folder: str) -> SentenceTransformer:
    model = SentenceTransformer(folder, device="cpu")
    model.encode(["warm up"], output_value="token_embeddings", show_progress_bar=False)
    return model


def extract(model: SentenceTransformer, sentences: Sentences, output: str) -> None:
    vectors = model.encode(texts_of(sentences), output_value="token_embeddings", show_progress_bar=False)
    write_each((each.cpu().numpy() for each in vectors), output)


if __name__ == "__main__":
    one_pass("sentence-transformers", SETTINGS, load, extract)
