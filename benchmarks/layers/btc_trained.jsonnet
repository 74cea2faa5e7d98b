// The Broad Twitter Corpus again, with what takes longer: the paper's head, and the encoder fine-tuned, three seeds each.
//   embedpipe compare benchmarks/layers/btc_trained.jsonnet -o btc_trained --ext-var data=FOLDER --ext-var mpnet=FOLDER --ext-var encoder=minilm
// The BiLSTM has 100 units in a direction instead of the paper's 768, and eight epochs, so that two cores are done in hours.
(import "btc.jsonnet") + {
  title: "Broad Twitter Corpus: a BiLSTM on MiniLM's vectors, and MiniLM fine-tuned",
  choices: ["embeddings", "second_to_last", "last", "sum_last_four", "concat_last_four", "sum_all"],
  heads: { bilstm: { type: "bilstm", hidden_size: 100, training: { epochs: 8, patience: 3, learning_rate: 0.002 } } },
  seeds: [0, 1, 2],
  fine_tune: { learning_rate: 1e-4 },
}
