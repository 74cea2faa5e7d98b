"""What a GPU is asked for, checked with a stand-in that does nothing before it is waited for; and on a real one, where there is."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import MAX_WINDOW

from embedpipe import gpu, reduction
from embedpipe.batching import Batching
from embedpipe.dataflow import Sentence
from embedpipe.encoders import Transformer
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.side_by_side import run_side_by_side
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View

VIEWS = {"last": View(NAMED["last"]), "all": View(NAMED["concat_last_four"]), "mean": View(NAMED["sum_all"], "sentence")}
TEXTS = [" ".join(["the", "dog", "sat"] * count) for count in (1, 9, 2, MAX_WINDOW, 4, 1, 3 * MAX_WINDOW, 2)]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


class FakeStream:
    """Does what it is asked for when it is waited for."""

    def __init__(self, device: str = "cuda") -> None:
        self.device = device
        self.waits_for: list[FakeStream] = []
        self.asked: list[Callable[[], Any]] = []
        self.num_waits = 0
        self.user: int | None = None

    def wait_stream(self, other: FakeStream) -> None:
        self.waits_for.append(other)

    def synchronize(self) -> None:
        self.num_waits += 1
        for each in self.asked:
            each()
        self.asked.clear()


class FakeCuda:
    """In the place of ``torch.cuda``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.default = FakeStream()
        self.streams: list[FakeStream] = []
        self._now = threading.local()
        for name in ("Stream", "stream", "default_stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(gpu, "_idle", {})

    def Stream(self, device: str) -> FakeStream:  # noqa: N802
        self.streams.append(FakeStream(device))
        return self.streams[-1]

    @contextlib.contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        assert stream.user is None, "two threads have one stream"
        stream.user, self._now.stream = threading.get_ident(), stream
        try:
            yield
        finally:
            stream.user, self._now.stream = None, self.default

    def default_stream(self, device: object) -> FakeStream:
        return self.default

    def current_stream(self, device: object = None) -> FakeStream:
        stream: FakeStream = getattr(self._now, "stream", self.default)
        return stream


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    return FakeCuda(monkeypatch)


class OnGpu:
    """A tensor on a GPU, as far as it is copied."""

    def __init__(self, numbers: list[float]) -> None:
        self.numbers = np.array(numbers, np.float32)
        self.device = torch.device("cuda")


class OnHost:
    """Room for it, which is filled when the stream has been waited for."""

    def __init__(self, cuda: FakeCuda, tensor: OnGpu) -> None:
        self._cuda = cuda
        self._numbers = np.full_like(tensor.numbers, np.nan)

    def copy_(self, tensor: OnGpu, *, non_blocking: bool) -> OnHost:
        assert non_blocking
        self._cuda.current_stream().asked.append(lambda: np.copyto(self._numbers, tensor.numbers))
        return self

    def numpy(self) -> np.ndarray:
        return self._numbers


def test_all_numbers_are_copied_side_by_side_and_waited_for_once(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_unmovable", lambda tensor: OnHost(cuda, tensor))
    tensors: dict[str, Any] = {name: OnGpu([number, 1.0]) for number, name in enumerate("ab")}
    others: dict[str, Any] = {"a": OnGpu([5.0])}
    copies, other_copies = gpu.to_host(tensors, others)
    assert {name: copy.tolist() for name, copy in copies.items()} == {"a": [0, 1], "b": [1, 1]}
    assert other_copies["a"].tolist() == [5]
    assert cuda.default.num_waits == 1


def test_on_a_cpu_nothing_is_copied() -> None:
    tensor = torch.arange(3.0)
    (copies,) = gpu.to_host({"a": tensor})
    array = copies["a"]
    array[0] = 7
    assert tensor[0] == 7
    gpu.finish(tensor.device)


def test_each_thread_has_a_stream_and_there_are_no_more_of_them_than_threads(cuda: FakeCuda) -> None:
    meeting = threading.Barrier(2, timeout=10)

    def run(item: int) -> FakeStream:
        with gpu.own_stream("cuda:0"):
            meeting.wait()
            return cuda.current_stream()

    for _ in range(3):  # the threads of each are new ones
        used = list(run_side_by_side(run, range(10), 2))
        assert {*used} == {*cuda.streams}
    assert len(cuda.streams) == 2
    assert all(stream.waits_for == [cuda.default] for stream in cuda.streams)
    assert sum(stream.num_waits for stream in cuda.streams) == 30


def test_a_stream_is_given_back_by_what_fails(cuda: FakeCuda) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gpu.own_stream("cuda:0"):
            _ = 1 // 0
    assert len(cuda.streams) == 1


def test_without_a_gpu_there_are_no_streams(cuda: FakeCuda) -> None:
    for device in ("cpu", "mps"):
        with gpu.own_stream(device):
            pass
    assert not cuda.streams


def embedder_on(tiny_model: Any, device: str = "cpu", name: str = "bert", **settings: Any) -> Embedder:
    folder = tiny_model(name)
    encoder = Transformer(str(folder), device=device, precision=settings.pop("precision", "float32"))
    return Embedder(SubwordTokenizer(folder), encoder.load(encoder.find()), VIEWS, batching=Batching(64), **settings)


def sentences() -> list[Sentence]:
    return [Sentence.from_words(str(number), "d", text.split()) for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize(("device", "expected"), [("cuda:0", 2), ("cuda", 2), ("mps", 1)])
def test_two_batches_are_on_a_gpu_at_a_time(
    device: str, expected: int, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = embedder_on(tiny_model)
    monkeypatch.setattr(type(embedder.encoder), "description", {"device": device})
    assert embedder.num_threads == expected
    monkeypatch.setattr(type(embedder.encoder), "is_thread_safe", False)
    assert embedder.num_threads == 1


def test_windows_that_may_meet_on_another_stream_are_waited_for(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder, waited = embedder_on(tiny_model), []
    monkeypatch.setattr(reduction, "finish", lambda device: waited.append(device.type))
    (block,) = embedder.windowed_blocks(sentences())
    num_parts = [len(sentence.windows) for sentence in block]
    assert max(num_parts) > 2
    embedder.embed_block(block, lambda *_: None)
    assert waited == ["cpu"] * sum(count for count in num_parts if count > 1)


@needs_gpu
@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2", "t5", "mpnet"])
def test_a_gpu_gives_what_the_cpu_gives(name: str, tiny_model: Any) -> None:
    (here,), (there,) = (embedder_on(tiny_model, device, name).embed(sentences()) for device in ("cpu", "cuda"))
    for view, rows in here.views.items():
        np.testing.assert_allclose(there.views[view], rows, atol=1e-4, rtol=1e-4)


@needs_gpu
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_how_many_batches_are_on_a_gpu_changes_no_byte(
    precision: str, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder, views = embedder_on(tiny_model, "cuda", precision=precision), []
    for num_threads, _ in itertools.product((1, 2, 3), range(3)):
        monkeypatch.setattr(Embedder, "num_threads", num_threads)
        (block,) = embedder.embed(sentences())
        views.append({view: rows.tobytes() for view, rows in block.views.items()})
    assert all(each == views[0] for each in views)
