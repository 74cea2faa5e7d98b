// Word senses in SemCor and MASC (Yuan et al. 2016): 14,471 sentences, in each one occurrence of one of 64 words, 196 senses.
//   embedpipe compare benchmarks/layers/word_senses.jsonnet -o senses --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// FOLDER of data: holds lexical_sample.tsv. Nearest neighbours among the occurrences of the same lemma; nothing is drawn by seeds.
local data = std.extVar("data");
local encoders = import "encoders.libsonnet";
{
  title: "Word senses, NOAD in SemCor and MASC",
  task: { type: "word_sense", label: "sense", lemma: "lemma" },
  splits: {
    type: "random",
    corpus: {
      type: "tsv",
      path: data + "/lexical_sample.tsv",
      text: "sentence",
      word_index: "token_index",
      word_labels: { sense: "noad_sense", lemma: "lemma" },
    },
    by: "sentence",
    fractions: [0.6, 0.2, 0.2],
  },
  encoders: encoders[std.extVar("encoder")],
  // Without the learned mixes, which nearest neighbours cannot train.
  choices: ["embeddings", "second_to_last", "last", "sum_last_four", "concat_last_four", "sum_all", "layers"],
  heads: { nearest: { type: "k_nearest", k: 5 } },
  seeds: [0],
  dtype: "float16",
}
