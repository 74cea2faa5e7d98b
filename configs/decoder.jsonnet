// A decoder: each subword has seen what stands before it, so words are their last subword (the default) and sentences their
// last one or the mean. Any decoder of transformers will do: openai-gpt, gpt2, EleutherAI/pythia-410m, Qwen/Qwen3-0.6B, ...
//   embedpipe extract configs/decoder.jsonnet -o gpt2.h5
{
  corpus: {
    type: "jsonl",
    path: "sample:sample.jsonl",
    text: "text",  // with the text, the decoder sees the original spacing
    words: "words",
    document: "document",
    labels: ["ner", "topic"],
  },
  encoder: { type: "transformer", model: "gpt2" },  // of billions of weights: precision "bfloat16", which halves the memory
  context: { type: "document", window: 512 },  // what stands before a sentence in its document, and nothing behind it
  views: {
    all_layers: { layers: "all" },
    middle: { layers: { type: "layer", index: 6 } },  // of a decoder, middle layers often serve better than the last one
    sentence: { unit: "sentence", layers: "last", pooling: "last" },
    sentence_mean: { unit: "sentence", layers: "mean_last_four" },
  },
  store: { path: "gpt2.h5", dtype: "float16" },
}
