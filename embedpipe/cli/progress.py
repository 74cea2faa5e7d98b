"""One line on the terminal that says how far an extraction is; nothing where there is no terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

if TYPE_CHECKING:
    from embedpipe.progress import Progress

_BEFORE = "loading the encoder ..."
_CLEAR = "\r\x1b[K"
_FORMAT = "{percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left{postfix}"


class ProgressLine:
    """Shows the part of the corpus that is done, the rate, and the time left, both reckoned from the first batch on; and before
    that what takes so long.

    :param done: What has become of the sentences that are counted.
    """

    def __init__(self, *, quiet: bool, done: str = "stored") -> None:
        self.was_used = False
        self._done = done
        self._hidden = quiet or not sys.stderr.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._started = 0.0

    def __enter__(self) -> ProgressLine:
        self._write(_BEFORE)
        return self

    def update(self, progress: Progress) -> None:
        self.was_used = True
        if self._hidden:
            return
        if self._bar is None:
            self._write(_CLEAR)
            self._bar = tqdm(total=progress.size_bytes, bar_format=_FORMAT, dynamic_ncols=True, leave=False)
            self._started = time.monotonic()
        bar = self._bar
        bar.total = max(progress.size_bytes, progress.done_bytes)
        rate = progress.num_subwords / max(time.monotonic() - self._started, 1e-3)
        bar.set_postfix_str(f"{progress.num_sentences:,} sentences {self._done}, {rate:,.0f} subwords/s", refresh=False)
        bar.update(progress.done_bytes - bar.n)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if not self._hidden:
            sys.stderr.write(text)
            sys.stderr.flush()
