// Emerging entities (WNUT-17, Derczynski et al. 2017): 3,394 sentences to train on, 1,287 to test on.
//   embedpipe compare benchmarks/layers/wnut17.jsonnet -o wnut17 --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// FOLDER of data: holds wnut17train.conll, emerging.dev.conll, emerging.test.annotated.
local data = std.extVar("data");
local encoders = import "encoders.libsonnet";
{
  title: "WNUT-17",
  task: { type: "ner" },
  splits: {
    type: "files",
    train: { type: "conll2003", path: data + "/wnut17train.conll" },
    dev: { type: "conll2003", path: data + "/emerging.dev.conll" },
    test: { type: "conll2003", path: data + "/emerging.test.annotated" },
  },
  encoders: encoders[std.extVar("encoder")],
  // Learned mixes of 13 layers of 768 would take two cores many hours.
  choices: ["embeddings", "second_to_last", "last", "sum_last_four", "concat_last_four", "sum_all", "layers"] +
           (if std.extVar("encoder") == "mpnet" then [] else ["mixes"]),
  heads: { linear: { type: "linear" } },
  seeds: [0, 1, 2, 3, 4],
  dtype: "float16",
}
