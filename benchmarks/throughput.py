"""How fast embedpipe is: beside the bare encoder, the machine's own limit, and its peers; its memory, and how soon it starts.

    python benchmarks/throughput.py --set-up-peers FOLDER        # once: a virtual environment for each peer
    python benchmarks/throughput.py --peers FOLDER [--corpus FILE] [--memory] [--json FILE]

Everything is public: the embedded model, and the bundled sample or FILE (CoNLL-U or CoNLL-2003), no two sentences the same. A
corpus file in, a sealed store of six views in float16 out, on the CPU; loading the model is left out for all. What is compared
takes turns in one run, and medians are compared. JSON goes to standard output, these figures first, null where not taken:

- efficiency_P: words per second end to end / of the bare forward pass on ready-made batches, the fastest found
- ceiling_P: useful FLOP/s end to end (padding not counted) / of the fastest matrix product in that precision
- vs_PEER: words per second end to end / of the peer, both in float32; vs_flair_bfloat16: ours in bfloat16
- six_views_cost: seconds of six views / of one
- rss_growth, scaling (with --memory): peak memory, and words per second, with 200,000 sentences / with 20,000
- dedup: words per second where each sentence comes four times / where none comes twice
- start_up: seconds of `embedpipe --help` / of a Python that does nothing
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from speed.bare import load_bare
from speed.ceiling import matrix_ceiling
from speed.corpora import SHAPES, Words, count_words, many_sentences, read_corpus, shaped, write_corpus
from speed.dedup import dedup_figures
from speed.efficiency import Comparison
from speed.machine import describe_machine
from speed.memory import memory_figures
from speed.peers import PEERS, PeerPass, set_up_peers, working_peers
from speed.start_up import start_up_figures
from speed.turns import say

from embedpipe.encoders import Transformer

GROUPS = ("efficiency", "peers", "dedup", "start_up", "memory")
PRECISIONS = ("float32", "bfloat16")
KEYS = (
    *(f"{figure}_{precision}" for figure in ("efficiency", "ceiling") for precision in PRECISIONS),
    *(f"vs_{name}" for name in PEERS),
    *("vs_flair_bfloat16", "six_views_cost", "rss_growth", "scaling", "dedup", "start_up"),
)
PART = 10
"""Every so manieth sentence goes to the slow peers."""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Take the figures of the chosen groups: the headline, then what is behind it."""
    machine, sentences = describe_machine(), read_corpus(options.corpus)
    main = sentences[: options.sentences] if options.corpus else many_sentences(sentences, options.sentences)
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        if {"efficiency", "peers"} & options.groups:
            details |= corpora_figures(main, folder, options)
        if "dedup" in options.groups:
            say("dedup")
            details["dedup"] = dedup_figures(main, options.model, folder, options.repeats)
    if "start_up" in options.groups:
        say("start-up")
        details["start_up"] = start_up_figures()
    if "memory" in options.groups:
        say("memory")
        details["memory"] = memory_figures(
            sentences,
            options.memory_sentences,
            width=options.memory_width,
            tokenizer=options.model_folder,
            scratch=options.scratch,
        )
    settings = {"repeats": options.repeats, "model": options.model, "corpus": options.corpus and options.corpus.name}
    return rounded(headline(details) | {"machine": machine, "settings": settings, "details": details})


def corpora_figures(main: Sequence[Words], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The corpus as it is, and in other shapes."""
    is_beside_bare = "efficiency" in options.groups
    shapes = [shape for shape in options.shapes if shape == "main" or is_beside_bare]
    ceilings = find_ceilings(options) if is_beside_bare else {}
    figures: dict[str, Any] = {"ceilings": ceilings, "corpora": {}}
    for shape in shapes:
        sentences = main if shape == "main" else shaped(main, SHAPES[shape], count_words(main))
        say(f"corpus {shape}: {len(sentences)} sentences, {count_words(sentences)} words")
        comparison = Comparison(
            write_corpus(sentences, folder / f"{shape}.jsonl"),
            sentences,
            options.model,
            options.precisions,
            bare_folder=options.model_folder if is_beside_bare else None,
            one_view=is_beside_bare and shape == "main",
            peers=peers_for(main, folder, options) if shape == "main" else {},
        )
        flops = {precision: float(ceiling["flops"]) for precision, ceiling in ceilings.items()}
        figures["corpora"][shape] = comparison.figures(options.repeats, flops)
    return figures


def find_ceilings(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """By precision, the machine's best matrix products."""
    say("matrix products")
    ceilings = {precision: matrix_ceiling(load_bare(options.model_folder, precision)) for precision in options.precisions}
    for precision, ceiling in ceilings.items():
        say(f"  {precision}: {ceiling['flops'] / 1e9:.0f} GFLOP/s with {ceiling['shape']}")
    return ceilings


def peers_for(sentences: Sequence[Words], folder: Path, options: argparse.Namespace) -> dict[str, PeerPass]:
    """The peers, if they are asked for and there."""
    if "peers" not in options.groups:
        return {}
    if options.peers is None:
        say("peers: left out; name the folder of their environments with --peers (see --set-up-peers)")
        return {}
    corpus = write_corpus(sentences, folder / "all.jsonl")
    part = write_corpus(sentences[::PART], folder / "part.jsonl")
    return working_peers(options.peers, corpus, part, options.model_folder, folder)


def headline(details: dict[str, Any]) -> dict[str, float | None]:
    """The figures by which embedpipe is judged, each from the part that has it."""
    parts = [details.get("corpora", {}).get("main", {}), *(details.get(name, {}) for name in ("memory", "dedup", "start_up"))]
    return {key: next((part[key] for part in parts if key in part), None) for key in KEYS}


def rounded(value: Any) -> Any:
    """Every number with four digits; whole ones as they are."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set-up-peers", type=Path, metavar="FOLDER", help="make the peers' environments there, and end")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="where the peers' environments are")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--only", type=lambda names: names.split(","), help=f"some of the groups: {','.join(GROUPS)}")
    parser.add_argument("--memory", action="store_true", help="add the group memory, which is left out unless named")
    parser.add_argument("--corpus", type=Path, metavar="FILE")
    parser.add_argument("--sentences", type=int, default=2000, help="most sentences of the corpus (default: 2000)")
    parser.add_argument("--shapes", nargs="+", choices=["main", *SHAPES], default=["main", *SHAPES])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", default="minilm", help="as in a config (default: minilm)")
    parser.add_argument("--threads", type=int, help="of torch, for all (default: its own choice)")
    parser.add_argument("--memory-sentences", type=int, nargs=2, default=[20_000, 200_000], metavar=("SMALL", "LARGE"))
    parser.add_argument("--memory-width", type=int, default=384, help="of that encoder's only layer (default: 384)")
    parser.add_argument("--scratch", type=Path, help="a folder for temporary files (default: the system's)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    options.groups = chosen_groups(options)
    if unknown := options.groups - set(GROUPS):
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {','.join(GROUPS)}")
    if "float32" not in options.precisions:
        parser.error("--precisions: float32 must be among them, the peers and a single view are compared in it")
    return options


def chosen_groups(options: argparse.Namespace) -> set[str]:
    """What is measured: all but memory, unless said otherwise."""
    groups = set(options.only or GROUPS[:-1])
    groups |= {"memory"} if options.memory else set()
    return groups - {"peers"} if options.without_peers else groups


def main() -> None:
    options = parse()
    if options.set_up_peers:
        set_up_peers(options.set_up_peers)
        return
    transformers.utils.logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    options.model_folder = Transformer(options.model).find().folder.absolute()
    figures = measure(options)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
