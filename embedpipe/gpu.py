"""Two batches on a GPU at a time: while one is computed, the rows of the other are on their way into this machine's memory.

A GPU works off a stream in order, and streams beside each other. So each thread that has a batch has a stream; what comes out
of a batch is copied by the GPU itself, into memory that the system must not move, and waited for once. Anywhere else than on a
GPU of CUDA all of this does nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

BATCHES_AT_A_TIME = 2

_lock = threading.Lock()
_idle: dict[str, list[Any]] = {}
"""By device, the streams that no thread has. What a stream has allocated only it can use again, so there are no more of them
than threads at a time."""


@contextlib.contextmanager
def own_stream(device: str) -> Iterator[None]:
    """Within the block, what this thread asks of a GPU does not wait for what others do; at its end, all of it is done."""
    if not device.startswith("cuda"):
        yield
        return
    import torch

    with _lock:
        idle = _idle.setdefault(device, [])
        stream = idle.pop() if idle else _new_stream(device)
    try:
        with torch.cuda.stream(stream):
            yield
            stream.synchronize()
    finally:
        with _lock:
            idle.append(stream)


def finish(device: torch.device) -> None:
    """Wait until what this thread has asked of a device is done, so that another thread may use what comes of it."""
    if device.type == "cuda":
        import torch

        torch.cuda.current_stream(device).synchronize()


def to_host(*groups: Mapping[str, Tensor]) -> list[dict[str, np.ndarray[Any, Any]]]:
    """The numbers of groups of tensors, in this machine's memory; those that are there already are not copied."""
    copies = [{name: _begin_copy(tensor) for name, tensor in tensors.items()} for tensors in groups]
    for device in {tensor.device for tensors in groups for tensor in tensors.values()}:
        finish(device)
    return [{name: copy.numpy() for name, copy in copied.items()} for copied in copies]


def _begin_copy(tensor: Tensor) -> Tensor:
    """A copy that is complete when the tensor's device has finished."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    return _unmovable(tensor).copy_(tensor, non_blocking=True)


def _unmovable(tensor: Tensor) -> Tensor:
    """Room for a tensor that a GPU can write to by itself; torch keeps it for the next one of its size."""
    import torch

    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)


def _new_stream(device: str) -> Any:
    import torch

    stream = torch.cuda.Stream(device=device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.default_stream(device))  # in which the weights were brought there
    return stream
