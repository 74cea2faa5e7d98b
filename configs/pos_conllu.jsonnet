// Part-of-speech tags from CoNLL-U, with every layer kept apart: any combination can be made when the store is read.
//   embedpipe extract configs/pos_conllu.jsonnet -o pos.h5
{
  corpus: {
    type: "conllu",
    path: "sample:sample.conllu",
    labels: ["upos", "misc.NER", "misc.Sense"],
    sentence_labels: ["topic"],
  },
  encoder: { type: "transformer", model: "minilm" },
  views: {
    all_layers: { layers: "all", pooling: "mean" },
  },
  store: { path: "pos.h5", dtype: "float16" },
}
