"""From the hidden states of batches to the rows of a block, in the order of its sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import HiddenStates, SpecialSubwords, ViewInfo, Window, WindowedSentence
from embedpipe.errors import ConfigError, EmbedpipeError
from embedpipe.nonfinite import blame_a_layer, largest_values
from embedpipe.subwords import cls_position
from embedpipe.views import SentenceStates

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.dataflow import FloatArray, IntArray
    from embedpipe.views import View


class BlockReduction:
    """Takes the hidden states of one batch after the other and keeps of them what the views ask for.

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

    def take(self, chosen: Sequence[int], hidden_states: HiddenStates) -> int:
        """Reduce one batch.

        :param chosen: Indices into ``windows`` of the batch's rows.
        :param hidden_states: *Shape:* ``(num_windows, length, hidden_size)`` for each layer.
        :returns: The number of subwords that were taken.
        """
        whole = [row for row, index in enumerate(chosen) if len(self._block[self._owner[index]].windows) == 1]
        if whole:
            windows = [self.windows[chosen[row]] for row in whole]
            sentences = [self._owner[chosen[row]] for row in whole]
            self._reduce(sentences, *self._gather(whole, windows, hidden_states))
        for row in sorted(set(range(len(chosen))) - set(whole)):
            self._keep_window(chosen[row], row, hidden_states)
        return sum(self.windows[index].num_kept for index in chosen)

    def fail(self, index: int, error: EmbedpipeError) -> int:
        """Give up the sentence of a window.

        :returns: The number of subwords that this window would have given.
        :raises EmbedpipeError: The error, with the sentence's id, if it stops the run.
        """
        sentence = self._owner[index]
        message = f"embedding sentence {self._block[sentence].subwords.sentence.id!r}: {error}"
        if self._stops:
            raise type(error)(message) from error
        self.failures[sentence] = message
        self._waiting.pop(sentence, None)
        return self.windows[index].num_kept

    def _gather(
        self, rows: Sequence[int], windows: Sequence[Window], hidden_states: HiddenStates
    ) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """The kept subwords' states one behind the other, and the classification subwords', float32."""
        import torch

        length = next(iter(hidden_states.values())).shape[1]
        kept = [np.arange(*part) + row * length for row, window in zip(rows, windows, strict=True) for part, _ in window.parts]
        cls = [cls_position(window, self._special) for window in windows] if self._takes_cls else []
        cls_rows = [row * length + position for row, position in zip(rows, cls, strict=False)]
        picked = torch.from_numpy(np.concatenate([*kept, np.array(cls_rows, dtype=np.int64)]))
        num_kept = len(picked) - len(cls_rows)
        subwords, specials = {}, {}
        for layer, state in hidden_states.items():
            vectors = state.flatten(0, 1)[picked.to(state.device)].float()
            subwords[layer], specials[layer] = vectors[:num_kept], vectors[num_kept:]
        return subwords, specials

    def _keep_window(self, index: int, row: int, hidden_states: HiddenStates) -> None:
        """Hold a window until the sentence's other windows are there."""
        import torch

        window, sentence = self.windows[index], self._owner[index]
        if sentence in self.failures:
            return
        waiting = self._waiting.setdefault(sentence, [])
        waiting.append((window, *self._gather([row], [window], hidden_states)))
        if len(waiting) < len(self._block[sentence].windows):
            return
        waiting.sort(key=lambda piece: [first for _, first in piece[0].parts])
        order = torch.from_numpy(np.argsort(np.concatenate([_subwords_of(piece[0]) for piece in waiting])))
        subwords = {layer: torch.cat([piece[1][layer] for piece in waiting]) for layer in hidden_states}
        subwords = {layer: vectors[order.to(vectors.device)] for layer, vectors in subwords.items()}
        cls = {layer: torch.stack([piece[2][layer] for piece in waiting]).mean(dim=0) for layer in hidden_states}
        del self._waiting[sentence]
        self._reduce([sentence], subwords, cls)

    def _reduce(self, sentences: Sequence[int], subwords: dict[int, Tensor], cls: dict[int, Tensor]) -> None:
        import torch

        device = next(iter(subwords.values())).device
        lengths = np.array([len(self._block[index].subwords.subword_ids) for index in sentences], dtype=np.int64)
        firsts = np.cumsum(lengths) - lengths
        word_offsets = [
            self._block[index].subwords.word_offsets + first for index, first in zip(sentences, firsts, strict=True)
        ]
        states = SentenceStates(
            subwords=subwords,
            cls=cls,
            word_offsets=torch.from_numpy(np.concatenate(word_offsets)).to(device),
            sentence_offsets=torch.from_numpy(np.stack([firsts, firsts + lengths], axis=1)).to(device),
            second_starts=torch.from_numpy(firsts + self._num_first[np.asarray(sentences)]).to(device),
        )
        taken = {name: self._in_dtype(name, view.rows(states, self._num_layers)) for name, view in self._views.items()}
        self._find_failures(sentences, taken, states)
        fine = [position for position, sentence in enumerate(sentences) if sentence not in self.failures]
        for name, view in self._views.items():
            rows = self._row_numbers(view.unit, sentences)
            if len(fine) == len(sentences):
                self.rows[name][rows] = taken[name]
            else:
                kept = np.isin(self._positions(view.unit, sentences), fine)
                self.rows[name][rows[kept]] = taken[name][kept]

    def _in_dtype(self, name: str, vectors: Tensor) -> FloatArray:
        import torch

        converted: FloatArray = vectors.to(getattr(torch, str(self.rows[name].dtype))).cpu().numpy()
        return converted

    def _find_failures(self, sentences: Sequence[int], taken: Mapping[str, FloatArray], states: SentenceStates) -> None:
        for name, rows in taken.items():
            if _all_finite(rows):
                continue
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
        first = self._first_row[unit]
        return np.concatenate([np.arange(first[index], first[index + 1]) for index in sentences])


def _subwords_of(window: Window) -> IntArray:
    """The number in the sentence of each subword that is taken from a window."""
    return np.concatenate([np.arange(first, first + end - start) for (start, end), first in window.parts])


def _all_finite(rows: FloatArray) -> bool:
    """Whether all numbers are finite; for float16 told in a ninth of the time that ``numpy.isfinite`` takes."""
    import torch

    if not rows.size:
        return True
    smallest, largest = torch.aminmax(torch.from_numpy(rows))  # both are nan if any number is
    return bool(torch.isfinite(smallest) and torch.isfinite(largest))


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
