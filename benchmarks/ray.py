"""Workers of Ray beside as many processes of this machine, on the same corpus, in one run; and what the driver takes.

    python benchmarks/ray.py [--words 300000] [--workers 2] [--repeats 3] [--precision float32] [--folder DIR] [--json FILE]

The engines take turns, each run in a process of its own, on the bundled sample, repeated with a word of its own in each
sentence, so that none is embedded once for several. More is better for the first three.

- ray_vs_local: words a second with workers of Ray / with processes, medians, from the first batch that is embedded to the last
  shard that is sealed; starting them is left out
- ray_vs_local_with_start: the same of whole runs, from the call to the store
- ray_vs_one: workers of Ray / one process without workers, which encodes batches side by side
- driver_share: for Ray, the CPU time of the process that gives out ranges and commits shards / the time, start left out
- start_seconds: from the call to the first batch, by engine
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import embedpipe
from embedpipe.api import corpus_of
from embedpipe.dataflow import ReadLog

ENGINES = {"one": ("local", 1), "local": ("local", None), "ray": ("ray", None)}


def write_corpus(path: Path, num_words: int) -> None:
    """The sample's sentences over and over, each with a word that no other has."""
    sentences = [sentence.words for sentence in corpus_of("conll2003", "sample:sample.conll").sentences(ReadLog())]
    written = number = 0
    with path.open("w", encoding="utf-8") as file:
        while written < num_words:
            words = (*sentences[number % len(sentences)], f"n{number}")
            file.write(" ".join(words) + "\n")
            written, number = written + len(words), number + 1


def run(engine: str, workers: int, precision: str, corpus: str, store: str) -> dict[str, float]:
    """One extraction, timed from within the process that calls it."""
    first: list[tuple[float, float]] = []
    config = {
        "corpus": {"type": "words", "path": corpus},
        "encoder": {"type": "transformer", "model": "minilm", "precision": precision, "device": "cpu"},
        "views": {"last": {"layers": "last"}, "sum_last_four": {"layers": "sum_last_four"}},
        "store": {"dtype": "float16", "shard_size": "16 MiB"},
    }
    started = time.perf_counter()

    def on_progress(progress: Any) -> None:
        if not first:
            first.append((time.perf_counter(), cpu_seconds()))

    with embedpipe.extract(config, store, engine=engine, workers=workers, on_progress=on_progress) as made:
        num_words = sum(shard.num_words for shard in made.shards)
    ended, (since, cpu) = time.perf_counter(), first[0]
    return {
        "words_per_second": num_words / (ended - since),
        "words_per_second_with_start": num_words / (ended - started),
        "start_seconds": since - started,
        "driver_share": (cpu_seconds() - cpu) / (ended - since),
    }


def cpu_seconds() -> float:
    """Of this process alone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run_apart(engine: str, workers: int, precision: str, corpus: Path, folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, __file__, "--run", engine, "--workers", str(workers), "--precision", precision]
        command += ["--corpus", str(corpus), "--store", str(Path(scratch) / "s.h5")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """All engines in turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ENGINES}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        write_corpus(folder / "corpus.txt", arguments.words)
        for turn in range(arguments.repeats):
            for name in list(ENGINES)[:: -1 if turn % 2 else 1]:
                engine, workers = ENGINES[name]
                workers = workers or arguments.workers
                runs[name].append(run_apart(engine, workers, arguments.precision, folder / "corpus.txt", folder))
                print(f"{name:6} {runs[name][-1]}", file=sys.stderr)

    def median(name: str, key: str) -> float:
        return statistics.median(each[key] for each in runs[name])

    with_start = "words_per_second_with_start"
    return {
        "workers": arguments.workers,
        "ray_vs_local": median("ray", "words_per_second") / median("local", "words_per_second"),
        "ray_vs_local_with_start": median("ray", with_start) / median("local", with_start),
        "ray_vs_one": median("ray", "words_per_second") / median("one", "words_per_second"),
        "driver_share": median("ray", "driver_share"),
        "words_per_second": {name: median(name, "words_per_second") for name in ENGINES},
        "start_seconds": {name: median(name, "start_seconds") for name in ENGINES},
    }


def main() -> None:
    """Run the benchmark, or with --run one extraction of it."""
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]  # not this `ray`
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--folder", type=Path, help="for corpus and stores, which are removed; default: the system's")
    parser.add_argument("--json", type=Path)
    for hidden in ("--run", "--corpus", "--store"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(run(arguments.run, arguments.workers, arguments.precision, arguments.corpus, arguments.store)))
        return
    figures = compare(arguments)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
