from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from embedpipe.batching import Batching
from embedpipe.dataflow import Sentence
from embedpipe.encoders import Transformer
from embedpipe.engines import calibration
from embedpipe.engines.calibration import EverySoMany, calibrate
from embedpipe.errors import EncoderError
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.subwords import SubwordTokenizer
from embedpipe.views import View


@dataclass
class Clock:
    now: float = 0.0

    def perf_counter(self):
        return self.now


class Timed:
    """An encoder that takes one second a subword, padding included, on a clock of its own."""

    def __init__(self, encoder, clock, *, most_windows=10**9):
        self._encoder, self._clock, self._most_windows = encoder, clock, most_windows
        self.shapes = []

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, batch, layers):
        if len(batch.input_ids) > self._most_windows:
            raise EncoderError("out of memory")
        self.shapes.append(tuple(batch.input_ids.shape))
        self._clock.now += batch.input_ids.numel()
        return self._encoder.encode(batch, layers)


@pytest.fixture
def timed(tiny_model, monkeypatch):
    folder, clock = tiny_model("bert"), Clock()
    monkeypatch.setattr(calibration, "time", clock)
    settings = Transformer(str(folder), device="cpu")

    def make(most_windows=10**9, **changes):
        encoder = Timed(settings.load(settings.find()), clock, most_windows=most_windows)
        views = {"last": View(NAMED["last"])}
        return Embedder(SubwordTokenizer(folder), encoder, views, **{"batching": Batching(64)} | changes)

    return make


def windowed(embedder, lengths):
    random = Random(0)
    texts = [random.choices("abcd", k=length) for length in lengths]
    sentences = [Sentence.from_words(str(number), "d", words) for number, words in enumerate(texts)]
    subwords = embedder.tokenizer.tokenize(sentences)
    return list(embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special))


def test_the_rate_is_subwords_without_padding_by_the_time_of_all_batches(timed):
    embedder = timed(batching=Batching(1000))
    # One batch of 3 windows of 12: 6 + 12 + 12 subwords in the time of 36.
    assert calibrate(embedder, windowed(embedder, [4, 10, 10])) == pytest.approx(30 / 36)
    assert len(embedder.encoder.shapes) == 2  # the first one warms up and does not count


def test_a_slow_encoder_runs_three_batches_of_different_lengths(timed):
    embedder = timed(batching=Batching(10))
    calibrate(embedder, windowed(embedder, range(8, 24)), seconds=1)
    lengths = [length for _, length in embedder.encoder.shapes[1:]]
    assert len(lengths) == 3
    assert len({(length - 10) // 4 for length in lengths}) == 3  # of three different quarters


def test_a_fast_encoder_runs_every_batch_once(timed):
    embedder = timed(batching=Batching(10))
    calibrate(embedder, windowed(embedder, range(8, 31)), seconds=1e6)
    assert sorted(length for _, length in embedder.encoder.shapes[1:]) == list(range(10, 33))


def test_sentences_of_several_windows_are_reduced_too(timed):
    embedder = timed()
    assert calibrate(embedder, windowed(embedder, [300, 5, 200]), seconds=1e6) == pytest.approx(1, rel=0.1)


def test_what_does_not_fit_into_the_memory_is_halved(timed):
    embedder = timed(most_windows=2)
    assert calibrate(embedder, windowed(embedder, [5] * 9), seconds=1e6) == pytest.approx(1)
    assert max(rows for rows, _ in embedder.encoder.shapes) == 2


def test_an_encoder_that_takes_nothing_is_an_error_unless_failures_are_recorded(timed):
    stopping = timed(most_windows=0)
    with pytest.raises(EncoderError, match="out of memory"):
        calibrate(stopping, windowed(stopping, [5]))
    recording = timed(most_windows=0, on_error="record")
    calibrate(recording, windowed(recording, [5, 6]))


def test_the_sample_takes_no_more_memory_than_a_block(timed):
    embedder = timed(block_bytes=4000)
    sample = windowed(embedder, [5] * 64)
    calibrate(embedder, sample, seconds=1e6)
    # A sentence has 5 vectors of 32 floats.
    assert 1 <= sum(rows for rows, _ in embedder.encoder.shapes[1:]) * 5 * 32 * 4 <= 4000


def test_nothing_to_encode_has_no_rate(timed):
    assert calibrate(timed(), []) is None


@pytest.mark.parametrize(("most_sentences", "most_subwords"), [(20, 10**9), (10**9, 20 * 7)])
def test_a_sample_is_even_and_bounded(timed, monkeypatch, most_sentences, most_subwords):
    monkeypatch.setattr(calibration, "_MOST_SENTENCES", most_sentences)
    monkeypatch.setattr(calibration, "_MOST_SUBWORDS", most_subwords)
    monkeypatch.setattr(calibration, "_LEAST_SENTENCES", 4)
    embedder, sample = timed(), EverySoMany()
    for sentence in windowed(embedder, [5] * 1000):
        sample.offer(sentence)
        assert len(sample.sentences) <= 20
    kept = [int(sentence.subwords.sentence.id) for sentence in sample.sentences]
    assert kept == list(range(0, 1000, 64))
