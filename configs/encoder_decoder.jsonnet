// An encoder-decoder: its encoder's layers, which see both sides; the decoder is not kept in memory. T5, mT5, UMT5, BART, mBART,
// Marian and Pegasus are taken alike. T5 has no classification subword, so sentences are a mean or a maximum.
//   embedpipe extract configs/encoder_decoder.jsonnet -o t5.h5
{
  corpus: {
    type: "jsonl",
    path: "sample:sample.jsonl",
    text: "text",
    words: "words",
    document: "document",
    labels: ["ner", "topic"],
  },
  encoder: { type: "transformer", model: "google/flan-t5-small" },  // on a GPU: precision "bfloat16"; float16 may overflow
  views: {
    all_layers: { layers: "all" },
    sum_last_four: { layers: "sum_last_four" },
    sentence: { unit: "sentence", layers: "last", pooling: "mean" },
  },
  store: { path: "t5.h5" },
}
