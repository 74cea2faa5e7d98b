// Which vectors of MiniLM are best for named entities? Three seeds, on the bundled sample: two minutes on two cores.
//   embedpipe compare configs/compare-sample.jsonnet -o comparison
// The sample has 65 documents: enough to see how it works, too few to believe the order of what is close.
{
  title: "Named entities in the sample",
  task: { type: "ner" },
  splits: {
    type: "random",
    corpus: {
      type: "jsonl",
      path: "sample:sample.jsonl",
      text: "text",
      words: "words",
      document: "document",
      labels: ["ner", "sense"],
    },
    by: "document",
    fractions: [0.6, 0.2, 0.2],
  },
  encoders: { minilm: { type: "transformer", model: "minilm" } },
  choices: ["paper", "layers", "mixes"],
  // So few sentences are learned in fewer seconds by small batches and long steps than by the defaults.
  heads: { linear: { type: "linear", training: { batch_sentences: 8, learning_rate: 0.003 } } },
  seeds: [0, 1, 2],
  maps: ["stick"],
  map_label: "sense",
}
