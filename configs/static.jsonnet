// What is context worth? Word vectors without any (GloVe, word2vec, fastText) beside the layers of MiniLM, on the bundled sample.
//   embedpipe compare configs/static.jsonnet -o static --ext-var vectors=glove.6B.300d.txt
// GloVe's words of Wikipedia are in lower case; where a file has both, leave case out.
{
  title: "Named entities with and without context",
  task: { type: "ner" },
  splits: {
    type: "random",
    corpus: {
      type: "jsonl",
      path: "sample:sample.jsonl",
      text: "text",
      words: "words",
      document: "document",
      labels: ["ner"],
    },
    by: "document",
    fractions: [0.6, 0.2, 0.2],
  },
  encoders: {
    static: { type: "static", path: std.extVar("vectors"), case: "lower" },
    minilm: { type: "transformer", model: "minilm" },
  },
  choices: ["embeddings", "layers"],
  heads: { linear: { type: "linear", training: { batch_sentences: 8, learning_rate: 0.003 } } },
  seeds: [0, 1, 2],
}
