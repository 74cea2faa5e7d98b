"""How much of the encoder's own speed is left end to end, and what several views cost beside one.

    python benchmarks/extraction.py [--repeats 3] [--sentences 1500] [--json FILE]

On the embedded model and the bundled sample (repeated up to the number of sentences), float32. Everything is measured in one
run, in turn, and the medians are compared:

- bare: the encoder's forward pass alone, on the batches that extraction makes of the same subwords
- one view, six views: a corpus file in, a sealed store out; loading the model is left out
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedpipe import load_embedder, sample_path
from embedpipe.batching import collate, plan_batches
from embedpipe.corpus import Conll2003
from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.extraction import Embedder, extract
from embedpipe.store import StoreWriter

SIX = ("embeddings", "last", "second_to_last", "sum_last_four", "concat_last_four", "sum_all")


def sentences_of_sample(count: int) -> list[Sentence]:
    sample = list(Conll2003(str(sample_path("sample.conll"))).sentences(ReadLog()))
    repeated = itertools.islice(itertools.cycle(sample), count)
    return [Sentence.from_words(str(number), sentence.document, sentence.words) for number, sentence in enumerate(repeated)]


def embedder_for(views: tuple[str, ...]) -> Embedder:
    return load_embedder(
        {
            "corpus": {"type": "conll2003", "path": "sample:sample.conll"},
            "encoder": {"type": "transformer", "model": "minilm", "device": "cpu"},
            "views": {view: {"layers": view} for view in views},
            "store": {"dtype": "float16"},
        }
    )


def bare_forward(embedder: Embedder, sentences: list[Sentence]) -> Callable[[], None]:
    """The forward pass on ready-made batches."""
    tokenizer = embedder.tokenizer
    windowed = embedder.context.windows(tokenizer.tokenize(sentences), embedder.window_size, tokenizer.special)
    windows = [window for sentence in windowed for window in sentence.windows]
    plan = plan_batches([len(window.input_ids) for window in windows], embedder.batching.budget_subwords)
    batches = [collate([windows[index] for index in batch], pad_id=tokenizer.special.pad_id) for batch in plan]

    def run() -> None:
        for batch in batches:
            embedder.encoder.encode(batch, {embedder.encoder.num_layers})

    return run


def end_to_end(embedder: Embedder, sentences: list[Sentence], folder: Path) -> Callable[[], None]:
    def run() -> None:
        with StoreWriter(folder / "features.h5", embedder.view_infos, restart=True) as writer:
            extract(sentences, embedder, writer, ReadLog(), lambda progress: None)
            writer.finish({})

    return run


def median_seconds(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median of each run's seconds; the runs take turns, so that a machine that slows down slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if turn > 0:  # the first turn warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def measure(num_sentences: int, repeats: int) -> dict[str, Any]:
    sentences = sentences_of_sample(num_sentences)
    num_words = sum(len(sentence.words) for sentence in sentences)
    one, six = embedder_for(("last",)), embedder_for(SIX)
    num_subwords = sum(len(sentence.subword_ids) for sentence in one.tokenizer.tokenize(sentences))
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "bare": bare_forward(one, sentences),
            "one_view": end_to_end(one, sentences, Path(folder)),
            "six_views": end_to_end(six, sentences, Path(folder)),
        }
        seconds = median_seconds(runs, repeats)
    return {
        "num_words": num_words,
        "num_subwords": num_subwords,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "words_per_second": {name: round(num_words / value) for name, value in seconds.items()},
        "efficiency": round(seconds["bare"] / seconds["one_view"], 3),
        "six_views_cost": round(seconds["six_views"] / seconds["one_view"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=1500)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    figures = measure(arguments.sentences, arguments.repeats)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
