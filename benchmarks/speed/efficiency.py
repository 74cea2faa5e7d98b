"""One corpus: embedpipe beside the bare encoder, what the machine multiplies at best, and the peers, all taking turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speed.bare import Batches, fastest_batches, forward, load_bare
from speed.ceiling import useful_flop
from speed.corpora import Words, count_words
from speed.ours import ONE, Extraction
from speed.peers import PeerPass
from speed.turns import Run, medians, say, take_turns, timed


@dataclass
class Bare:
    """The encoder in one precision, and the best batches found for a corpus."""

    precision: str
    model: Any
    batches: Batches
    seconds_of_batches: dict[str, float]

    @classmethod
    def of(cls, folder: Path, precision: str, windows: Sequence[list[int]]) -> Bare:
        """Load it, and look for the batches."""
        model = load_bare(folder, precision)
        say(f"  bare, {precision}: looking for the best batches")
        return cls(precision, model, *fastest_batches(model, windows))

    def run(self) -> None:
        """One pass over the corpus."""
        forward(self.model, self.batches)


@dataclass
class Comparison:
    """What is run on one corpus file.

    :param sentences: What the file holds.
    :param model: Name or folder, as a config has it.
    :param bare_folder: The model's folder, for the bare encoder; ``None`` where that is not asked for.
    :param one_view: Whether to extract a single view, too.
    """

    corpus: Path
    sentences: Sequence[Words]
    model: str
    precisions: Sequence[str]
    bare_folder: Path | None = None
    one_view: bool = False
    peers: Mapping[str, PeerPass] = field(default_factory=dict)

    def figures(self, repeats: int, ceilings: Mapping[str, float]) -> dict[str, Any]:
        """Run all.

        :param ceilings: By precision, FLOP/s of the fastest matrix product.
        """
        windows = Extraction(self.corpus, self.model).windows()
        folder = self.bare_folder
        bares = [] if folder is None else [Bare.of(folder, precision, windows) for precision in self.precisions]
        turns = take_turns(self._runs(bares), repeats)
        seconds = medians(turns)
        rates = {name: self._words_of(name) / taken for name, taken in seconds.items()}
        lengths = [len(window) for window in windows]
        figures: dict[str, Any] = {
            "sentences": len(self.sentences),
            "words": count_words(self.sentences),
            "windows": len(windows),
            "subwords": sum(lengths),
            "padding_ours": Extraction(self.corpus, self.model).padding(self._store),
            "seconds": seconds,
            "words_per_second": rates,
            "turns": turns,
            "peers": {name: peer.figures for name, peer in self.peers.items()},
        }
        if self.one_view:
            figures["six_views_cost"] = seconds["ours_float32"] / seconds["ours_float32_one_view"]
        figures |= {f"vs_{name}": rates["ours_float32"] / rates[name] for name in self.peers}
        if "flair" in self.peers and "ours_bfloat16" in rates:
            figures["vs_flair_bfloat16"] = rates["ours_bfloat16"] / rates["flair"]
        for bare in bares:
            figures |= _beside_bare(bare, seconds, lengths, ceilings[bare.precision])
        return figures

    @property
    def _store(self) -> Path:
        return self.corpus.with_suffix(".h5")

    def _runs(self, bares: Sequence[Bare]) -> dict[str, Run]:
        runs = {f"ours_{precision}": Extraction(self.corpus, self.model, precision) for precision in self.precisions}
        if self.one_view:
            runs["ours_float32_one_view"] = Extraction(self.corpus, self.model, views=ONE)
        ours = {name: extraction.run(self._store) for name, extraction in runs.items()}
        return ours | {f"bare_{bare.precision}": timed(bare.run) for bare in bares} | dict(self.peers)

    def _words_of(self, run: str) -> int:
        return int(self.peers[run].figures["words"]) if run in self.peers else count_words(self.sentences)


def _beside_bare(bare: Bare, seconds: Mapping[str, float], lengths: Sequence[int], ceiling: float) -> dict[str, Any]:
    """Efficiency, and the share of the ceiling that end to end and bare reach."""
    precision, batches = bare.precision, bare.batches
    flop = useful_flop(bare.model, lengths)
    flops = {name: flop / seconds[f"{name}_{precision}"] for name in ("ours", "bare")}
    return {
        f"efficiency_{precision}": flops["ours"] / flops["bare"],
        f"ceiling_{precision}": flops["ours"] / ceiling,
        f"ceiling_of_bare_{precision}": flops["bare"] / ceiling,
        f"gigaflops_{precision}": {name: each / 1e9 for name, each in flops.items()},
        f"best_batches_{precision}": {
            "budget_subwords": batches.budget,
            "equal_lengths": batches.equal_lengths,
            "padding": batches.padding,
            "seconds_of_all": bare.seconds_of_batches,
        },
    }
