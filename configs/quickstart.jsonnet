// The six choices of Devlin et al. 2019, table 7, on the bundled sample, from one forward pass; and the [CLS] vector.
//   embedpipe extract configs/quickstart.jsonnet -o features.h5
{
  corpus: { type: "conll2003", path: "sample:sample.conll" },  // NER is the last column, as in CoNLL-2003
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
