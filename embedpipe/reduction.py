"""From the hidden states of batches to the rows of a block, in the order of its sentences."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import HiddenStates, SpecialSubwords, ViewInfo, Window, WindowedSentence
from embedpipe.errors import ConfigError, EmbedpipeError
from embedpipe.gpu import finish, to_host
from embedpipe.nonfinite import blame_a_layer, largest_values
from embedpipe.row_numbers import first_rows, numbers_between, numbers_in
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
        self._first_row = first_rows(block)
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
        whole: list[list[int]] = []
        starts: list[int] = []
        for row, indices in enumerate(chosen):
            alone = [index for index in indices if len(self._block[self._owner[index]].windows) == 1]
            for alike in self._of_the_same_rows(alone):
                whole.append(alike)
                starts.append(row * length)
            for index in set(indices).difference(alone):
                self._keep_window(index, row * length, flat)
        if whole:
            places, cls_places = self._places([first for first, *_ in whole], starts)
            sentences = [[self._owner[index] for index in alike] for alike in whole]
            self._reduce(sentences, flat, places, _rows(flat, cls_places))
        return sum(self.windows[index].num_kept for indices in chosen for index in indices)

    def _of_the_same_rows(self, indices: Sequence[int]) -> Iterable[list[int]]:
        """Group equal windows of whole sentences by what is taken from them: the words may differ where the subwords do not."""
        if len(indices) <= 1:
            return [list(indices)] if indices else []
        groups: dict[Any, list[int]] = {}
        for index in indices:
            sentence = self._owner[index]
            words = self._block[sentence].subwords.word_offsets
            key = (self.windows[index].parts, words.tobytes(), int(self._num_first[sentence]))
            groups.setdefault(key, []).append(index)
        return groups.values()

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
        return torch.from_numpy(numbers_in(np.array(kept, dtype=np.int64).reshape(-1, 2))), torch.from_numpy(cls_places)

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
        self._reduce([[sentence]], joined, order, cls)

    def _reduce(
        self, alike: Sequence[Sequence[int]], flat: Mapping[int, Tensor], places: Tensor, cls: Mapping[int, Tensor]
    ) -> None:
        """Take the rows of all views from the states of whole sentences; see :class:`~embedpipe.states.SentenceStates`.

        :param alike: Sentences that have the same rows, which are computed once and put down for each of them.
        """
        states = self._states([first for first, *_ in alike], flat, places, cls)
        rows_of = {name: self._rows_of(name, view, states) for name, view in self._views.items()}
        taken, is_finite = to_host(rows_of, {name: _all_finite(rows) for name, rows in rows_of.items()})
        self._find_failures(alike, {name: rows for name, rows in taken.items() if not is_finite[name]}, states)
        numbers = {unit: self._row_numbers(unit, alike) for unit in {view.unit for view in self._views.values()}}
        for name, view in self._views.items():
            into, of = numbers[view.unit]
            self.rows[name][into] = taken[name] if of is None else taken[name][of]

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

    def _find_failures(self, alike: Sequence[Sequence[int]], taken: Mapping[str, FloatArray], states: SentenceStates) -> None:
        for name, rows in taken.items():
            broken = ~np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
            ends = self._ends(self._views[name].unit, alike)
            for position in np.unique(np.searchsorted(ends, np.flatnonzero(broken), side="right") - 1).tolist():
                for sentence in alike[position]:
                    id = self._block[sentence].subwords.sentence.id
                    error = blame_a_layer(id, name, str(rows.dtype), largest_values(states, position))
                    if self._stops:
                        raise error
                    self.failures.setdefault(sentence, str(error))

    def _row_numbers(self, unit: str, alike: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray | None]:
        """Where the rows of sentences go that have not failed.

        :returns: Numbers of rows of the block, and which of the rows that were computed for ``alike`` each of them is; ``None``
            for one after the other.
        """
        positions = [position for position, each in enumerate(alike) for index in each if index not in self.failures]
        sentences = [index for each in alike for index in each if index not in self.failures]
        into = numbers_between(self._first_row[unit], sentences)
        one_by_one = positions == list(range(len(alike)))
        return into, None if one_by_one else numbers_between(self._ends(unit, alike), positions)

    def _ends(self, unit: str, alike: Sequence[Sequence[int]]) -> IntArray:
        """Where the rows begin that are computed for ``alike``, one behind the other, and behind the last one their number."""
        first_row, indices = self._first_row[unit], np.array([first for first, *_ in alike])
        return np.concatenate([[0], np.cumsum(first_row[indices + 1] - first_row[indices])])


def _rows(flat: Mapping[int, Tensor], places: Tensor) -> dict[int, Tensor]:
    """Some rows of each layer, in the encoder's precision."""
    return {layer: state.index_select(0, places.to(state.device)) for layer, state in flat.items()}


def _subwords_of(window: Window) -> IntArray:
    """The number in the sentence of each subword that is taken from a window."""
    return np.concatenate([np.arange(first, first + end - start) for (start, end), first in window.parts])


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
