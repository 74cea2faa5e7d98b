// Chinese: a file of raw text, a sentence a line, whose words are its single characters, as BERT for Chinese reads it.
//   embedpipe extract configs/chinese.jsonnet --ext-var text=hongloumeng.txt -o chinese.h5
// Words that are marked are kept as they are: give them with white space in between (type: "words"), or as CoNLL-U.
{
  corpus: { type: "lines", path: std.extVar("text"), words_by: "characters" },
  encoder: { type: "transformer", model: "bert-base-chinese" },
  views: {
    last: { layers: "last" },
    sum_last_four: { layers: "sum_last_four" },
    sentence: { unit: "sentence", layers: "second_to_last", pooling: "mean" },
  },
  store: { path: "chinese.h5", dtype: "float16" },
}
