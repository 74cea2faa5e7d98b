"""transformers' own pipeline: the last layer of every subword, 32 sentences at a time; words are not even looked for."""

from one_pass import Sentences, one_pass, texts_of, write_each
from transformers import Pipeline, pipeline

SETTINGS = "pipeline feature-extraction, batch_size 32, last layer of subwords, no words; one HDF5 dataset a sentence"


def load(folder: str) -> Pipeline:
    made = pipeline("feature-extraction", model=folder, tokenizer=folder, device="cpu")
    made(["warm up"], batch_size=32, return_tensors=True)
    return made


def extract(extractor: Pipeline, sentences: Sentences, output: str) -> None:
    states = extractor(texts_of(sentences), batch_size=32, return_tensors=True)
    write_each((each[0].numpy() for each in states), output)


if __name__ == "__main__":
    one_pass("transformers", SETTINGS, load, extract)
