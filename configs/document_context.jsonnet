// The encoder sees each sentence in the middle of its own document; vectors are kept for the sentence's words only.
//   embedpipe extract configs/document_context.jsonnet -o in_context.h5
{
  corpus: { type: "conll2003", path: "sample:sample.conll" },
  encoder: { type: "transformer", model: "minilm" },
  context: { type: "document", window: 256 },
  views: {
    last: { layers: "last" },
    sum_last_four: { layers: "sum_last_four" },
  },
  store: { path: "in_context.h5" },
}
