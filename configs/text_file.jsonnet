// Any text file, a sentence a line; words are found by the tokenizer's own pre-tokenization.
//   embedpipe extract configs/text_file.jsonnet --ext-var text=moby_dick.txt -o moby_dick.h5
{
  corpus: { type: "lines", path: std.extVar("text") },
  encoder: { type: "transformer", model: "minilm" },
  views: {
    last: { layers: "last", pooling: "mean" },
    mean: { unit: "sentence", layers: "last", pooling: "mean" },
  },
}
