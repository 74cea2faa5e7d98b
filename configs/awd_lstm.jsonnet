// ULMFiT's language models, forward and backward, over the bundled sample:
//   embedpipe extract configs/awd_lstm.jsonnet --ext-var fastai=models/wt103 -o features.h5
// with the files of fastai's wt103-fwd and wt103-bwd in one folder. Their layers are 400, 1152, 1152 and 400 wide, in both
// directions twice that: they can be taken singly, concatenated or stacked, but not added.
local fastai = std.extVar("fastai");
{
  corpus: { type: "conll2003", path: "sample:sample.conll" },
  encoder: {
    type: "awd_lstm",
    weights: fastai + "/lstm_fwd.pth",
    backward_weights: fastai + "/lstm_bwd.pth",
    vocabulary: fastai + "/itos_wt103.pkl",
  },
  views: {
    last: { layers: "last" },
    all_layers: { layers: "all" },
  },
  store: { path: "features.h5" },
}
