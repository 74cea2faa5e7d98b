// Table 7 of Devlin et al. 2019: which vectors of BERT are best for CoNLL-2003, and how far is that from fine-tuning?
// The paper: bert-base-cased, the whole document as context, the first subword, a BiLSTM of two layers of 768 without a CRF.
// The data set is not free: DATA holds eng.train, eng.testa and eng.testb.
//   embedpipe compare configs/compare_conll2003.jsonnet -o conll2003 --ext-var data=DATA
local data = std.extVar("data");
{
  title: "CoNLL-2003",
  task: { type: "ner" },
  splits: {
    type: "files",
    train: { type: "conll2003", path: data + "/eng.train" },
    dev: { type: "conll2003", path: data + "/eng.testa" },
    test: { type: "conll2003", path: data + "/eng.testb" },
  },
  encoders: { bert: { type: "transformer", model: "bert-base-cased" } },
  contexts: { document: { type: "document" }, sentence: { type: "sentence" } },
  choices: ["paper", "layers", "mixes"],
  heads: { bilstm: { type: "bilstm" }, linear: { type: "linear" } },
  seeds: [0, 1, 2, 3, 4],
  fine_tune: {},
  dtype: "float16",
}
