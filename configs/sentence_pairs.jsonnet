// Pairs of texts, as in SNLI and MultiNLI: the encoder sees [CLS] premise [SEP] hypothesis [SEP].
//   embedpipe extract configs/sentence_pairs.jsonnet --ext-var data=snli_1.0_dev.jsonl -o pairs.h5
{
  corpus: {
    type: "jsonl",
    path: std.extVar("data"),
    text: "sentence1",
    second: "sentence2",
    id: "pairID",
    labels: ["gold_label"],
  },
  encoder: { type: "transformer", model: "bert-base-uncased" },
  views: {
    cls: { unit: "sentence", layers: "last", pooling: "cls" },  // of the pair
    mean: { unit: "sentence", layers: "last" },
    premise: { unit: "sentence", layers: "last", pooling: "mean", of: "first" },
    hypothesis: { unit: "sentence", layers: "last", pooling: "mean", of: "second" },
    words: { layers: "last" },  // of both texts; store.words_frame() says which is which
  },
  store: { path: "pairs.h5", dtype: "float16" },
}
