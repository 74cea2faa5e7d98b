// A tagger on the vectors of a store: a learned mix of all layers, then the paper's BiLSTM with a CRF.
//   embedpipe extract configs/quickstart.jsonnet -o all.h5 --overrides '{"views": {"all_layers": {"layers": "all"}}}'
//   embedpipe train configs/ner_tagger.jsonnet -o tagger
//   embedpipe predict tagger new.txt
{
  train: "all.h5",
  view: "all_layers",
  learned_mix: {},
  head: { type: "bilstm_crf", hidden_size: 64, training: { epochs: 20 } },
}
