// One vector a sentence, three ways, with the topic of its document as the label.
//   embedpipe extract configs/sentence_classification.jsonnet -o topics.h5
{
  corpus: {
    type: "csv",
    path: "sample:sample.csv",
    text: "text",
    id: "id",
    document: "document",
    labels: ["topic"],
  },
  encoder: { type: "transformer", model: "minilm" },
  views: {
    cls: { unit: "sentence", layers: "last", pooling: "cls" },
    mean: { unit: "sentence", layers: "last", pooling: "mean" },
    mean_last_four: { unit: "sentence", layers: "mean_last_four", pooling: "mean" },
  },
  store: { path: "topics.h5" },
}
