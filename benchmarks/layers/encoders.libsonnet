// The encoders of the committed results. mpnet is the folder of all-mpnet-base-v2 (12 layers of 768), glove a file of GloVe.
{
  minilm: { minilm: { type: "transformer", model: "minilm" } },
  mpnet: { mpnet: { type: "transformer", model: std.extVar("mpnet") } },
  glove: { glove: { type: "static", path: std.extVar("glove"), case: "lower" } },
}
