"""From the hidden states of batches to the rows of a block, in the order of its sentences."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import HiddenStates, SpecialSubwords, ViewInfo, Window, WindowedSentence
from embedpipe.errors import ConfigError, EmbedpipeError
from embedpipe.gpu import finish, to_host
from embedpipe.nonfinite import blame_a_layer, largest_values
from embedpipe.states import SentenceStates
from embedpipe.subwords import cls_position

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.dataflow import FloatArray, IntArray
    from embedpipe.views import View


class BlockReduction:
    """Takes the hidden states of batches, in any order and from any thread, and keeps of them what the views ask for.

    A sentence is reduced as soon as all its windows are there; until then, only a sentence that needs several windows has its
    hidden states kept.

    :param block: Consecutive sentences.
    :param stops: Whether a sentence that fails is an error; else it keeps zero rows, and ``failures`` says why.
    """

    def __init__(
        self,
        block: Sequence[WindowedSentence],
        views: Mapping[str, View],
        infos: Mapping[str, ViewInfo],
        num_layers: int,
        special: SpecialSubwords,
        *,
        stops: bool = True,
    ) -> None:
        self._block = block
        self._views = views
        self._num_layers = num_layers
        self._special = special
        self._stops = stops
        self._takes_cls = any(view.pooling == "cls" for view in views.values())
        self._owner = [index for index, sentence in enumerate(block) for _ in sentence.windows]
        self._lock = threading.Lock()
        """Held where windows of one sentence come together."""
        self._waiting: dict[int, list[tuple[Window, dict[int, Tensor], dict[int, Tensor]]]] = {}
        self._first_row = _first_rows(block)
        self._num_first = _num_first(block)
        _check_pairs(block, views)
        self.failures: dict[int, str] = {}
        """By index of the sentence, why it has no vectors."""
        self.windows: list[Window] = [window for sentence in block for window in sentence.windows]
        self.layers: frozenset[int] = frozenset(layer for info in infos.values() for layer in info.layers)
        self.rows: dict[str, FloatArray] = {
            name: np.zeros((int(self._first_row[info.unit][-1]), *info.row_shape), dtype=info.dtype)
            for name, info in infos.items()
        }

    def take(self, chosen: Sequence[Sequence[int]], hidden_states: HiddenStates) -> int:
        """Reduce one batch.

        :param chosen: For each row of the batch, the indices into ``windows`` of those that it stands for.
        :param hidden_states: *Shape:* ``(num_rows, length, hidden_size)`` for each layer.
        :returns: The number of subwords that were taken.
        """
        length = next(iter(hidden_states.values())).shape[1]
        flat = {layer: state.flatten(0, 1) for layer, state in hidden_states.items()}
        starts = {index: row * length for row, indices in enumerate(chosen) for index in indices}
        whole = [index for index in starts if len(self._block[self._owner[index]].windows) == 1]
        if whole:
            places, cls_places = self._places(whole, [starts[index] for index in whole])
            self._reduce([self._owner[index] for index in whole], flat, places, _rows(flat, cls_places))
        for index in starts.keys() - set(whole):
            self._keep_window(index, starts[index], flat)
        return sum(self.windows[index].num_kept for index in starts)

    def fail(self, index: int, error: EmbedpipeError) -> int:
        """Give up the sentence of a window.

        :returns: The number of subwords that this window would have given.
        :raises EmbedpipeError: The error, with the sentence's id, if it stops the run.
        """
        sentence = self._owner[index]
        message = f"embedding sentence {self._block[sentence].subwords.sentence.id!r}: {error}"
        if self._stops:
            raise type(error)(message) from error
        with self._lock:
            self.failures[sentence] = message
            self._waiting.pop(sentence, None)
        return self.windows[index].num_kept

    def _places(self, indices: Sequence[int], starts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Where the kept subwords of windows are, one behind the other, and, if a view asks, the classification subwords.

        :param starts: Row of each window's first subword.
        """
        import torch

        windows = [self.windows[index] for index in indices]
        kept = [
            (start + first, start + end)
            for window, start in zip(windows, starts, strict=True)
            for (first, end), _ in window.parts
        ]
        cls = [cls_position(window, self._special) for window in windows] if self._takes_cls else []
        cls_places = np.array([start + position for start, position in zip(starts, cls, strict=False)], dtype=np.int64)
        return torch.from_numpy(_numbers_in(np.array(kept, dtype=np.int64).reshape(-1, 2))), torch.from_numpy(cls_places)

    def _keep_window(self, index: int, start: int, flat: Mapping[int, Tensor]) -> None:
        """Hold a window until the sentence's other windows are there."""
        import torch

        window, sentence = self.windows[index], self._owner[index]
        places, cls_places = self._places([index], [start])
        piece = (window, _rows(flat, places), _rows(flat, cls_places))
        finish(next(iter(flat.values())).device)  # the sentence's last window may be another thread's
        with self._lock:
            if sentence in self.failures:
                return
            self._waiting.setdefault(sentence, []).append(piece)
            if len(self._waiting[sentence]) < len(self._block[sentence].windows):
                return
            waiting = self._waiting.pop(sentence)
        waiting.sort(key=lambda piece: [first for _, first in piece[0].parts])
        order = torch.from_numpy(np.argsort(np.concatenate([_subwords_of(window) for window, _, _ in waiting])))
        joined = {layer: torch.cat([subwords[layer] for _, subwords, _ in waiting]) for layer in flat}
        cls = {layer: torch.stack([each[layer].float() for _, _, each in waiting]).mean(dim=0) for layer in flat}
        self._reduce([sentence], joined, order, cls)

    def _reduce(self, sentences: Sequence[int], flat: Mapping[int, Tensor], places: Tensor, cls: Mapping[int, Tensor]) -> None:
        """Take the rows of all views from the states of whole sentences; see :class:`~embedpipe.states.SentenceStates`."""
        states = self._states(sentences, flat, places, cls)
        rows_of = {name: self._rows_of(name, view, states) for name, view in self._views.items()}
        taken, is_finite = to_host(rows_of, {name: _all_finite(rows) for name, rows in rows_of.items()})
        self._find_failures(sentences, {name: rows for name, rows in taken.items() if not is_finite[name]}, states)
        fine = [position for position, sentence in enumerate(sentences) if sentence not in self.failures]
        numbers = {unit: self._row_numbers(unit, sentences) for unit in {view.unit for view in self._views.values()}}
        for name, view in self._views.items():
            rows = numbers[view.unit]
            if len(fine) == len(sentences):
                self.rows[name][rows] = taken[name]
            else:
                kept = np.isin(self._positions(view.unit, sentences), fine)
                self.rows[name][rows[kept]] = taken[name][kept]

    def _states(
        self, sentences: Sequence[int], flat: Mapping[int, Tensor], places: Tensor, cls: Mapping[int, Tensor]
    ) -> SentenceStates:
        import torch

        device = next(iter(flat.values())).device
        subwords = [self._block[index].subwords for index in sentences]
        lengths = np.array([len(each.subword_ids) for each in subwords], dtype=np.int64)
        firsts = np.cumsum(lengths) - lengths
        counts = [len(each.word_offsets) for each in subwords]
        word_offsets = np.concatenate([each.word_offsets for each in subwords]) + np.repeat(firsts, counts)[:, None]
        return SentenceStates(
            layers=flat,
            places=places.to(device),
            cls={layer: vectors.float() for layer, vectors in cls.items()},
            word_offsets=torch.from_numpy(word_offsets).to(device),
            sentence_offsets=torch.from_numpy(np.stack([firsts, firsts + lengths], axis=1)).to(device),
            second_starts=torch.from_numpy(firsts + self._num_first[np.asarray(sentences)]).to(device),
        )

    def _rows_of(self, name: str, view: View, states: SentenceStates) -> Tensor:
        import torch

        return view.rows(states, self._num_layers, getattr(torch, str(self.rows[name].dtype)))

    def _find_failures(self, sentences: Sequence[int], taken: Mapping[str, FloatArray], states: SentenceStates) -> None:
        for name, rows in taken.items():
            broken = ~np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
            for position in np.unique(self._positions(self._views[name].unit, sentences)[broken]).tolist():
                id = self._block[sentences[position]].subwords.sentence.id
                error = blame_a_layer(id, name, str(rows.dtype), largest_values(states, position))
                if self._stops:
                    raise error
                self.failures.setdefault(sentences[position], str(error))

    def _positions(self, unit: str, sentences: Sequence[int]) -> IntArray:
        """For each row, the place of its sentence in ``sentences``."""
        first = self._first_row[unit]
        counts = [int(first[index + 1] - first[index]) for index in sentences]
        return np.repeat(np.arange(len(sentences)), counts)

    def _row_numbers(self, unit: str, sentences: Sequence[int]) -> IntArray:
        first, indices = self._first_row[unit], np.asarray(sentences)
        return _numbers_in(np.stack([first[indices], first[indices + 1]], axis=1))


def _rows(flat: Mapping[int, Tensor], places: Tensor) -> dict[int, Tensor]:
    """Some rows of each layer, in the encoder's precision."""
    return {layer: state.index_select(0, places.to(state.device)) for layer, state in flat.items()}


def _subwords_of(window: Window) -> IntArray:
    """The number in the sentence of each subword that is taken from a window."""
    return np.concatenate([np.arange(first, first + end - start) for (start, end), first in window.parts])


def _numbers_in(ranges: IntArray) -> IntArray:
    """All numbers of some half-open ranges, one range behind the other.

    :param ranges: *Shape:* ``(num_ranges, 2)``.
    """
    lengths = ranges[:, 1] - ranges[:, 0]
    firsts = np.cumsum(lengths) - lengths
    numbers: IntArray = np.arange(int(lengths.sum())) + np.repeat(ranges[:, 0] - firsts, lengths)
    return numbers


def _all_finite(rows: Tensor) -> Tensor:
    """Whether all numbers are finite; for float16 told in a ninth of the time that ``isfinite`` takes. *Shape:* ``()``."""
    import torch

    if not rows.numel():
        return rows.new_ones((), dtype=torch.bool)
    smallest, largest = torch.aminmax(rows)  # both are nan if any number is
    return torch.isfinite(smallest) & torch.isfinite(largest)


def _check_pairs(block: Sequence[WindowedSentence], views: Mapping[str, View]) -> None:
    """Refuse a view of one text of each pair where a sentence is no pair: its vector would mean something else."""
    other = next((each.subwords.sentence.id for each in block if each.subwords.num_first is None), None)
    of_one = {name: view.of for name, view in views.items() if view.of != "both"}
    if other is not None and of_one:
        say = "but sentence {!r} is no pair of texts; corpus.second names where the second texts are"
        raise ConfigError("the config", [f"views.{name}.of: {of!r}, {say.format(other)}" for name, of in of_one.items()])


def _num_first(block: Sequence[WindowedSentence]) -> IntArray:
    """Subwords of each sentence that are of the first text of a pair; all of them for what is no pair."""
    subwords = [sentence.subwords for sentence in block]
    return np.array([len(each.subword_ids) if each.num_first is None else each.num_first for each in subwords], dtype=np.int64)


def _first_rows(block: Sequence[WindowedSentence]) -> dict[str, IntArray]:
    """By unit, the first row of each sentence, and behind the last one the number of rows."""
    counts = {
        "word": [len(sentence.subwords.word_offsets) for sentence in block],
        "subword": [len(sentence.subwords.subword_ids) for sentence in block],
        "sentence": [1] * len(block),
    }
    return {unit: np.concatenate([[0], np.cumsum(count)]).astype(np.int64) for unit, count in counts.items()}
