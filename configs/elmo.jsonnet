// ELMo as AllenNLP publishes it (original, small, medium, 5.5B): options.json and weights.hdf5, unchanged.
//   embedpipe extract configs/elmo.jsonnet --ext-var options=options.json --ext-var weights=weights.hdf5 -o elmo.h5
//   embedpipe export elmo.h5 --format allennlp-elmo --view all -o elmo.hdf5
{
  corpus: { type: "conll2003", path: "sample:sample.conll" },
  encoder: {
    type: "elmo",
    options_file: std.extVar("options"),
    weight_file: std.extVar("weights"),
    // stateful: true, batch_sentences: 64,  // as the command "allennlp elmo": vectors depend on the sentences before
  },
  views: {
    all: { layers: "all" },  // the character CNN and both layers of the biLM, kept apart
    top: { layers: "last" },
    average: { layers: { type: "mean", layers: [0, 1, 2] } },
    mix: { layers: { type: "scalar_mix", scalars: [0, 0, 0], gamma: 1.0 } },
  },
  store: { path: "elmo.h5" },
}
