"""How much memory a large corpus takes beside a small one, and whether it is as fast: extractions in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speed.corpora import Words, count_words, many_sentences, write_corpus
from speed.random_encoder import save_random_encoder
from speed.turns import say

_SHARD_SIZE = "32 MiB"
"""Of which the small corpus has several: a shard is written while the next is embedded, and two take more than one."""
_PROCESS = "from speed.memory import extract_here; import sys; extract_here(*sys.argv[1:])"


def memory_figures(
    sentences: Sequence[Words], sizes: Sequence[int], *, width: int, tokenizer: Path, scratch: Path | None = None
) -> dict[str, Any]:
    """Peak memory and words per second of an extraction of one view, for each number of sentences.

    :param sentences: The corpora are made of them by :func:`speed.corpora.many_sentences`.
    :param sizes: Numbers of sentences: the fewest first, the most last.
    :param width: Hidden units of the encoder's only layer.
    :param tokenizer: The folder of a model that has one.
    :param scratch: Where corpora and stores go; ``None`` for the system's folder of temporary files.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        save_random_encoder(Path(folder, "encoder"), tokenizer, num_layers=1, width=width, hidden_of_a_head=32)
        figures = [_figures(many_sentences(sentences, size), Path(folder)) for size in sizes]
    small, large = figures[0], figures[-1]
    return {
        "rss_growth": large["peak_bytes"] / small["peak_bytes"],
        "scaling": large["words_per_second"] / small["words_per_second"],
        "encoder": f"BERT of random weights, 1 layer of {width}",
        "sizes": figures,
    }


def _figures(sentences: Sequence[Words], folder: Path) -> dict[str, Any]:
    files = [write_corpus(sentences[:32], folder / "first.jsonl"), write_corpus(sentences, folder / "all.jsonl")]
    command = [sys.executable, "-c", _PROCESS, *map(str, files), str(folder / "encoder"), str(folder / "store.h5")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    rate = count_words(sentences) / figures["seconds"]
    say(f"  {len(sentences)} sentences: {figures['peak_bytes'] / 2**20:.0f} MiB, {rate:.0f} words/s")
    return {"sentences": len(sentences), "words": count_words(sentences), **figures, "words_per_second": rate}


def extract_here(first: str, corpus: str, encoder: str, store: str) -> None:
    """What the fresh process does; it prints its seconds, without loading, and the most memory that it ever had, with all.

    :param first: A few sentences, to warm up.
    """
    from speed.ours import ONE, Extraction

    for file in (first, corpus):
        seconds = Extraction(Path(file), encoder, views=ONE, shard_size=_SHARD_SIZE).run(Path(store))()
    print(json.dumps({"seconds": seconds, "peak_bytes": _peak_bytes()}))


def _peak_bytes() -> int:
    """Linux says it of this program; elsewhere a process may have inherited its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
