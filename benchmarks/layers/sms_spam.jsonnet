// Spam among text messages (Almeida et al. 2011): 5,574 messages, those that come twice left out before they are divided.
//   embedpipe compare benchmarks/layers/sms_spam.jsonnet -o sms_spam --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// FOLDER of data: holds SMSSpamCollection.
local data = std.extVar("data");
local encoders = import "encoders.libsonnet";
{
  title: "SMS spam",
  task: { type: "sentence_labels", label: "class" },
  splits: {
    type: "random",
    corpus: { type: "tsv", path: data + "/SMSSpamCollection", header: false, quoting: false, text: 1, labels: { class: 0 } },
    by: "sentence",
    fractions: [0.6, 0.2, 0.2],
  },
  encoders: encoders[std.extVar("encoder")],
  choices: ["paper", "layers", "mixes"],
  poolings: ["cls", "mean", "max"],
  heads: { linear: { type: "linear" } },
  seeds: [0, 1, 2, 3, 4],
  dtype: "float16",
}
