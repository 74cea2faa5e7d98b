// The six choices of Devlin et al. 2019, table 7, on the bundled sample, from one forward pass; and the [CLS] vector.
//   embedpipe extract configs/quickstart.jsonnet -o features.h5
{
  corpus: {
    type: "jsonl",
    path: "sample:sample.jsonl",
    text: "text",  // with the text, the encoder sees the original spacing
    words: "words",
    id: "id",
    document: "document",
    labels: ["ner", "topic"],  // a label a word, and one a sentence
  },
  encoder: { type: "transformer", model: "minilm" },
  views: {
    embeddings: { layers: "embeddings" },
    last: { layers: "last" },
    second_to_last: { layers: "second_to_last" },
    sum_last_four: { layers: "sum_last_four" },
    concat_last_four: { layers: "concat_last_four" },
    sum_all: { layers: "sum_all" },
    cls: { unit: "sentence", layers: "last", pooling: "cls" },
  },
  store: { path: "features.h5" },
}
