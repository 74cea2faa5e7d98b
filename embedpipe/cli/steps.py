"""One line on the terminal that says which step of a comparison is on; nothing where there is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

if TYPE_CHECKING:
    from embedpipe.progress import Progress

_FORMAT = "{desc} {n_fmt}/{total_fmt} |{bar}| {elapsed} gone, {remaining} left{postfix}"
_VERBS = {"extract": "extracting", "train": "training", "evaluate": "evaluating"}


class StepLine:
    """Shows stage, steps done, time left in the stage, and what is on. Steps of a stage take about the same time each."""

    def __init__(self, *, quiet: bool) -> None:
        self._hidden = quiet or not sys.stderr.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._stage = self._label = ""

    def __enter__(self) -> StepLine:
        return self

    def step(self, stage: str, done: int, total: int, label: str) -> None:
        """A step begins, or the last one of the stage has ended."""
        self._label = label
        if self._hidden:
            return
        if stage != self._stage or self._bar is None:
            self._close()
            self._stage = stage
            self._bar = tqdm(total=total, bar_format=_FORMAT, dynamic_ncols=True, leave=False, desc=_VERBS.get(stage, stage))
        self._bar.total = total
        self._bar.set_postfix_str(label, refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()

    def within(self, progress: Progress) -> None:
        """An extraction has got on."""
        if self._bar is not None and progress.size_bytes:
            part = 100 * progress.done_bytes // progress.size_bytes
            self._bar.set_postfix_str(f"{self._label}: {part} %, {progress.num_sentences:,} sentences")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
