"""What it brings that sentences come again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speed.corpora import Words, count_words, four_times, write_corpus
from speed.ours import Extraction
from speed.turns import medians, take_turns


def dedup_figures(sentences: Sequence[Words], model: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Words per second of a corpus where each sentence comes four times, beside one as large where none comes twice."""
    corpora = {"without_repeats": sentences, "four_times": four_times(sentences)}
    files = {name: write_corpus(corpus, folder / f"{name}.jsonl") for name, corpus in corpora.items()}
    runs = {name: Extraction(file, model).run(folder / "store.h5") for name, file in files.items()}
    seconds = medians(take_turns(runs, repeats))
    rates = {name: count_words(corpora[name]) / taken for name, taken in seconds.items()}
    return {
        "dedup": rates["four_times"] / rates["without_repeats"],
        "words": {name: count_words(corpus) for name, corpus in corpora.items()},
        "words_per_second": rates,
        "seconds": seconds,
    }
