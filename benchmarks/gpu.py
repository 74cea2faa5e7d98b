"""How fast embedpipe is on a GPU: beside the bare encoder, and what the GPU multiplies at best; and on several of them.

    python benchmarks/gpu.py [--sizes base large] [--precisions bfloat16 float16] [--lengths 16 32 64 128 256 512] [--json FILE]

BERT in the sizes of the paper with random weights; windows that are all of one length, of words that are one subword each;
a corpus file in, a sealed store out, two views in float16. Loading the model is left out. JSON on standard output, for each
size, precision and length:

- subwords_per_second, bare_subwords_per_second: end to end, and of the forward pass on ready-made batches, the fastest found
- efficiency: end to end / bare
- ceiling, ceiling_of_bare: useful FLOP/s of either (padding not counted) / of the fastest matrix product in that precision
- gigabytes_per_second: of the store, to disk

and, where there are several GPUs, processes: words per second of as many processes / of one, from the first batch on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from speed.bare import BUDGETS, fastest_batches, forward, load_bare
from speed.ceiling import matrix_ceiling, useful_flop
from speed.corpora import Words, write_corpus
from speed.machine import describe_machine
from speed.ours import Extraction
from speed.random_encoder import save_random_encoder
from speed.turns import medians, say, take_turns, timed
from tokenizers import Tokenizer

import embedpipe
from embedpipe.encoders import find_model
from embedpipe.store.manifest import shards_folder

SIZES = {"tiny": (2, 128), "base": (12, 768), "large": (24, 1024)}
"""Layers and hidden units; "tiny" is to try the script out."""
VIEWS = ("second_to_last", "sum_last_four")
SHALLOW_VIEWS = ("embeddings", "last")
NUM_SPECIAL = 2
GPU_BUDGETS = (8192, 16_384, 32_768, 65_536, 131_072)


@dataclass(frozen=True)
class Encoder:
    """A saved encoder, and where and how it is run."""

    folder: Path
    num_layers: int
    precision: str
    device: str

    def extraction(self, corpus: Path) -> Extraction:
        """End to end."""
        views = VIEWS if self.num_layers >= 4 else SHALLOW_VIEWS
        return Extraction(corpus, str(self.folder), self.precision, views, device=self.device)


def whole_words(tokenizer: Path) -> list[str]:
    """Words that are one subword."""
    vocabulary = Tokenizer.from_file(str(tokenizer / "tokenizer.json")).get_vocab()
    return sorted(word for word in vocabulary if word.isalpha() and word.isascii() and word.islower())


def sentences_of(length: int, num_subwords: int, words: Sequence[str]) -> list[Words]:
    """Random sentences that are windows of one length, no two the same."""
    rng = random.Random(length)
    made = (tuple(rng.choices(words, k=length - NUM_SPECIAL)) for _ in itertools.count())
    return list(itertools.islice(dict.fromkeys(itertools.islice(made, 2 * num_subwords // length)), num_subwords // length))


def figures_of(encoder: Encoder, sentences: Sequence[Words], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """End to end and the bare encoder, in turns."""
    corpus, store = write_corpus(sentences, folder / "corpus.jsonl"), folder / "store.h5"
    extraction = encoder.extraction(corpus)
    lengths = [len(window) for window in extraction.windows()]
    model = load_bare(encoder.folder, encoder.precision, encoder.device)
    windows = [list(range(1000, 1000 + length)) for length in lengths]
    batches, _ = fastest_batches(model, windows, GPU_BUDGETS if torch.device(encoder.device).type != "cpu" else BUDGETS)
    runs = {"ours": extraction.run(store), "bare": timed(lambda: forward(model, batches), model.device)}
    seconds = medians(take_turns(runs, options.repeats))
    flop = useful_flop(model, lengths)
    return {
        "sentences": len(sentences),
        "subwords_per_second": sum(lengths) / seconds["ours"],
        "bare_subwords_per_second": sum(lengths) / seconds["bare"],
        "efficiency": seconds["bare"] / seconds["ours"],
        "flops": {name: flop / taken for name, taken in seconds.items()},
        "gigabytes_per_second": _bytes_of(store) / 1e9 / seconds["ours"],
        "best_budget_of_bare": batches.budget,
    }


def _bytes_of(store: Path) -> int:
    return sum(path.stat().st_size for path in (store, *shards_folder(store).glob("*")) if path.is_file())


def processes_figures(encoder: Encoder, corpus: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One process a GPU."""
    rates: dict[int, list[float]] = {1: [], options.processes: []}
    for _ in range(options.repeats):
        for count, taken in rates.items():
            taken.append(_rate_of_processes(encoder, corpus, folder / "processes.h5", count))
            say(f"  {count} processes: {taken[-1]:.0f} words/s")
    medians_of = {count: statistics.median(taken) for count, taken in rates.items()}
    return {
        "processes": medians_of[options.processes] / medians_of[1],
        "count": options.processes,
        "words_per_second": medians_of,
    }


def _rate_of_processes(encoder: Encoder, corpus: Path, store: Path, count: int) -> float:
    model = {"model": str(encoder.folder), "precision": encoder.precision, "device": encoder.device}  # each sees one GPU
    config = {
        "corpus": {"type": "jsonl", "path": str(corpus), "words": "words"},
        "encoder": {"type": "transformer", **model},
        "views": {"last": {"layers": "last"}},
        "store": {"dtype": "float16", "shard_size": "32 MiB"},
    }
    first: list[float] = []

    def on_progress(progress: Any) -> None:
        if not first:
            first.append(time.perf_counter())

    with embedpipe.extract(config, store, workers=count, restart=True, on_progress=on_progress) as made:
        num_words = sum(len(sentence.words) for sentence in made)
    return num_words / (time.perf_counter() - first[0])


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All sizes, precisions and lengths."""
    tokenizer = find_model("minilm").folder
    words = whole_words(tokenizer)
    figures: dict[str, Any] = {"machine": describe_machine() | {"device": _device_name(options.device)}, "sizes": {}}
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        for size in options.sizes:
            num_layers, width = SIZES[size]
            saved = save_random_encoder(Path(scratch, size), tokenizer, num_layers=num_layers, width=width)
            encoders = [Encoder(saved, num_layers, precision, options.device) for precision in options.precisions]
            of_size = {encoder.precision: _lengths_figures(encoder, words, Path(scratch), options) for encoder in encoders}
            if options.processes > 1:
                corpus = write_corpus(sentences_of(options.lengths[0], options.subwords, words), Path(scratch, "many.jsonl"))
                of_size["processes"] = processes_figures(encoders[0], corpus, Path(scratch), options)
            figures["sizes"][size] = of_size
    return figures


def _lengths_figures(encoder: Encoder, words: Sequence[str], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    say(f"{encoder.folder.name}, {encoder.precision}")
    ceiling = matrix_ceiling(load_bare(encoder.folder, encoder.precision, encoder.device))
    figures: dict[str, Any] = {"ceiling": ceiling, "lengths": {}}
    for length in options.lengths:
        each = figures_of(encoder, sentences_of(length, options.subwords, words), folder, options)
        each["ceiling"], each["ceiling_of_bare"] = (each["flops"][name] / ceiling["flops"] for name in ("ours", "bare"))
        figures["lengths"][length] = each
        say(f"  {length}: {each['subwords_per_second']:.0f} subwords/s, {each['ceiling']:.2f} of the ceiling")
    return figures


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else device


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["base", "large"])
    parser.add_argument("--precisions", nargs="+", choices=["bfloat16", "float16", "float32"], default=["bfloat16", "float16"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[16, 32, 64, 128, 256, 512])
    parser.add_argument("--subwords", type=int, default=1_000_000, help="of each corpus (default: 1,000,000)")
    parser.add_argument("--processes", type=int, help="to compare with one (default: as many as there are GPUs)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="a folder for temporary files (default: the system's)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    if torch.device(options.device).type == "cuda" and not torch.cuda.is_available():
        parser.error("--device: this machine has no GPU of CUDA; to try the script out: --device cpu --sizes tiny")
    if options.processes is None:
        options.processes = torch.cuda.device_count()
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    options = parse(arguments)
    figures = json.dumps(measure(options), indent=2)
    print(figures)
    if options.json:
        options.json.write_text(figures + "\n")


if __name__ == "__main__":
    main()
