// The two encoders of the committed results. MPNET is the folder of all-mpnet-base-v2 (12 layers of 768).
{
  minilm: { minilm: { type: "transformer", model: "minilm" } },
  mpnet: { mpnet: { type: "transformer", model: std.extVar("mpnet") } },
}
