// One encoder for a hundred languages, on the treebanks of Universal Dependencies; DATA has their .conllu files.
//   embedpipe extract configs/multilingual.jsonnet --ext-var data=DATA -o multilingual.h5
// BERT in place of RoBERTa: --overrides '{"encoder.model": "bert-base-multilingual-cased"}'
{
  corpus: { type: "conllu", path: std.extVar("data") + "/*.conllu", labels: ["upos"] },
  encoder: { type: "transformer", model: "xlm-roberta-base" },
  views: {
    last: { layers: "last" },
    concat_last_four: { layers: "concat_last_four" },
    mean: { layers: "mean_all", pooling: "mean" },
  },
  store: { path: "multilingual.h5", dtype: "float16" },
}
