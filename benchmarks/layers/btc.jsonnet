// Named entities in the Broad Twitter Corpus (Derczynski et al. 2016): 6,338 sentences to train on, 2,001 to test on.
//   embedpipe compare benchmarks/layers/btc.jsonnet -o btc --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// FOLDER of data: holds btc.train, btc.dev, btc.test.
local data = std.extVar("data");
local encoders = import "encoders.libsonnet";
{
  title: "Broad Twitter Corpus",
  task: { type: "ner" },
  splits: {
    type: "files",
    train: { type: "conll2003", path: data + "/btc.train" },
    dev: { type: "conll2003", path: data + "/btc.dev" },
    test: { type: "conll2003", path: data + "/btc.test" },
  },
  encoders: encoders[std.extVar("encoder")],
  // Learned mixes of 13 layers of 768 would take two cores many hours.
  choices: ["embeddings", "second_to_last", "last", "sum_last_four", "concat_last_four", "sum_all", "layers"] +
           (if std.extVar("encoder") == "mpnet" then [] else ["mixes"]),
  heads: { linear: { type: "linear" } },
  seeds: [0, 1, 2, 3, 4],
  dtype: "float16",
}
