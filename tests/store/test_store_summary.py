from __future__ import annotations

import numpy as np

from embedpipe.dataflow import Block, Sentence, SentenceFlag, ViewInfo, WordFlag
from embedpipe.store import StoreWriter, open_store
from embedpipe.store.summary import LabelSummary, StoreSummary


def test_a_summary_counts_what_a_store_holds(tmp_path):
    first = Sentence.from_words("1", "a", ["x", "\u200b"], labels={"ner": ("O", "B-PER"), "topic": "sport"})
    second = Sentence.from_words("2", "b", [], labels={"ner": (), "topic": "money"})
    block = Block(
        sentences=(first, second),
        sentence_flags=np.array([SentenceFlag.WORDS_WITHOUT_SUBWORDS, SentenceFlag.EMPTY | SentenceFlag.SOURCE_WARNING]),
        word_flags=np.array([0, WordFlag.NO_SUBWORDS]),
        num_subwords=np.array([3, 0]),
        subword_ids=np.array([7, 8, 9]),
        word_offsets=np.array([[0, 3], [3, 3]]),
        views={"last": np.zeros((2, 4), dtype=np.float32)},
    )
    with StoreWriter(tmp_path / "s.h5", {"last": ViewInfo("word", 4, (1,), "float32", "last", "first")}) as writer:
        writer.append(block, 0)
        writer.finish({})
    with open_store(tmp_path / "s.h5") as store:
        assert store.summary() == StoreSummary(
            counts={"documents": 2, "sentences": 2, "words": 2, "subwords": 3},
            flags={"EMPTY": 1, "WORDS_WITHOUT_SUBWORDS": 1, "SOURCE_WARNING": 1, "NO_SUBWORDS": 1},
            labels={"ner": LabelSummary("word", ("O", "B-PER")), "topic": LabelSummary("sentence", ("sport", "money"))},
        )
