// Parts of speech in the English Web Treebank (UD 2, 17 tags): 12,544 sentences to train on, 2,077 to test on.
//   embedpipe compare benchmarks/layers/ewt_pos.jsonnet -o ewt_pos --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// FOLDER of data: holds en_ewt-ud-train.conllu, en_ewt-ud-dev.conllu, en_ewt-ud-test.conllu.
local data = std.extVar("data");
local encoders = import "encoders.libsonnet";
local part(name) = { type: "conllu", path: data + "/en_ewt-ud-" + name + ".conllu", labels: ["upos"] };
{
  title: "Parts of speech, UD English EWT",
  task: { type: "word_labels", label: "upos" },
  splits: { type: "files", train: part("train"), dev: part("dev"), test: part("test") },
  encoders: encoders[std.extVar("encoder")],
  // Without the learned mixes: their training vectors, all layers of 204,000 words, would not fit into memory.
  choices: ["embeddings", "second_to_last", "last", "sum_last_four", "concat_last_four", "sum_all", "layers"],
  heads: { linear: { type: "linear" } },
  seeds: [0, 1, 2, 3, 4],
  dtype: "float16",
}
