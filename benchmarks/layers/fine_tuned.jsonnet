// The encoder itself trained for a task, three seeds, beside a linear probe on the sum of all its layers.
//   embedpipe compare benchmarks/layers/fine_tuned.jsonnet -o out --ext-var of=wnut17 --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// of: wnut17, ewt_pos or sms_spam, the config of that name; for the Broad Twitter Corpus, see btc_trained.jsonnet.
local of = {
  wnut17: import "wnut17.jsonnet",
  ewt_pos: import "ewt_pos.jsonnet",
  sms_spam: (import "sms_spam.jsonnet") + { poolings: ["mean"] },
}[std.extVar("of")];
of + {
  title: of.title + ": fine-tuned",
  choices: ["sum_all"],
  seeds: [0, 1, 2],
  fine_tune: { learning_rate: 1e-4 },
}
