"""Work on several threads, which on a CPU makes more of the cores than one batch at a time that is spread over them."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_side_by_side(function: Callable[[Item], Result], items: Sequence[Item], num_threads: int) -> Iterator[Result]:
    """Call a function of each item, several at a time; the cores that torch may use are shared out among the threads.

    The first item that raises ends it, also if a later one has raised before; what is running then is waited for.

    :returns: What the function returns, in the order of the items.
    """
    if num_threads <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    with _threads_of_torch(num_threads), ThreadPoolExecutor(num_threads, thread_name_prefix="embedpipe-encoder") as pool:
        waiting = [pool.submit(function, item) for item in items]
        try:
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def one_ahead(items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], bool]]]:
    """The same items, each of which is made in a thread of its own while the one before it is in use.

    Such a thread may wait for ever, and does not keep the process from ending.

    :returns: Each with a function that waits for the next one and says whether there is none.
    """
    rest, end = iter(items), object()
    coming = _Coming(rest, end)
    try:
        while (item := coming.result()) is not end:
            coming = _Coming(rest, end)
            yield item, functools.partial(_is_over, coming, end)  # type: ignore[misc]
    finally:
        coming.wait()


class _Coming:
    """The next item, made in a thread that ends with the process, as an executor's does not."""

    def __init__(self, items: Iterator[object], end: object) -> None:
        self._items = items
        self._item = end
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._make, name="embedpipe-reader", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        try:
            self._item = next(self._items, self._item)
        except BaseException as error:
            self._error = error

    def wait(self) -> BaseException | None:
        """Wait, and return what was raised, if anything was."""
        self._thread.join()
        return self._error

    def result(self) -> object:
        if error := self.wait():
            raise error
        return self._item


def _is_over(coming: _Coming, end: object) -> bool:
    return coming.wait() is None and coming.result() is end


@contextlib.contextmanager
def _threads_of_torch(num_threads: int) -> Iterator[None]:
    """Threads that are begun in here run torch on their share of its cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // num_threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)
