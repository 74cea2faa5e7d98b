"""Python's search for garbage, kept from looking again and again at what stays.

torch and transformers make half a million objects that live as long as the process. A full search looks at each of them, which
takes from 0.15 to 0.2 seconds in which no thread runs Python: a tenth of the time of a small corpus.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_NEW_OBJECTS = 100_000


def search_rarely() -> None:
    """Search so rarely that importing libraries is hardly interrupted; for a process that is embedpipe's own."""
    _, *rest = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *rest)


@contextlib.contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Within the block, and in all threads, only objects that are made in it are searched.

    Where a program has frozen objects of its own, all stays as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
