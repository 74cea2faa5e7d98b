"""From the hidden states of batches to the rows of a block, in the order of its sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import HiddenStates, SpecialSubwords, ViewInfo, Window, WindowedSentence
from embedpipe.errors import NonFiniteError
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
    """

    def __init__(
        self,
        block: Sequence[WindowedSentence],
        views: Mapping[str, View],
        infos: Mapping[str, ViewInfo],
        num_layers: int,
        special: SpecialSubwords,
    ) -> None:
        self._block = block
        self._views = views
        self._num_layers = num_layers
        self._special = special
        self._takes_cls = any(view.pooling == "cls" for view in views.values())
        self._owner = [index for index, sentence in enumerate(block) for _ in sentence.windows]
        self._waiting: dict[int, list[tuple[Window, dict[int, Tensor], dict[int, Tensor]]]] = {}
        self._first_row = _first_rows(block)
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
        return sum(window.kept[1] - window.kept[0] for window in (self.windows[index] for index in chosen))

    def _gather(
        self, rows: Sequence[int], windows: Sequence[Window], hidden_states: HiddenStates
    ) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """The kept subwords' states one behind the other, and the classification subwords', float32."""
        import torch

        length = next(iter(hidden_states.values())).shape[1]
        kept = [np.arange(*window.kept) + row * length for row, window in zip(rows, windows, strict=True)]
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
        waiting = self._waiting.setdefault(sentence, [])
        waiting.append((window, *self._gather([row], [window], hidden_states)))
        if len(waiting) < len(self._block[sentence].windows):
            return
        waiting.sort(key=lambda piece: piece[0].first_subword)
        subwords = {layer: torch.cat([piece[1][layer] for piece in waiting]) for layer in hidden_states}
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
        )
        for name, view in self._views.items():
            stored = self.rows[name]
            vectors = view.rows(states, self._num_layers)
            taken: FloatArray = vectors.to(getattr(torch, str(stored.dtype))).cpu().numpy()
            if not np.isfinite(taken).all():
                raise self._not_finite(name, sentences, taken, states)
            stored[self._row_numbers(view.unit, sentences)] = taken

    def _row_numbers(self, unit: str, sentences: Sequence[int]) -> IntArray:
        first = self._first_row[unit]
        return np.concatenate([np.arange(first[index], first[index + 1]) for index in sentences])

    def _not_finite(self, view: str, sentences: Sequence[int], taken: FloatArray, states: SentenceStates) -> NonFiniteError:
        unit = self._views[view].unit
        bad_row = int(np.flatnonzero(~np.isfinite(taken).reshape(len(taken), -1).all(axis=1))[0])
        counts = [int(self._first_row[unit][index + 1] - self._first_row[unit][index]) for index in sentences]
        position = int(np.searchsorted(np.cumsum(counts), bad_row, side="right"))
        sentence = self._block[sentences[position]].subwords.sentence
        start, end = states.sentence_offsets[position].tolist()
        largest = {
            layer: float(vectors[start:end].abs().max()) if end > start else float(states.cls[layer][position].abs().max())
            for layer, vectors in sorted(states.subwords.items())
        }
        broken = [layer for layer, value in largest.items() if not np.isfinite(value)]
        where = f"embedding sentence {sentence.id!r} for view {view!r}"
        if broken:
            return NonFiniteError(
                f"{where}: layer {broken[0]} of the encoder has values that are not finite; it overflows in its precision. "
                "Set encoder.precision to bfloat16 or float32"
            )
        layer = max(largest, key=lambda layer: largest[layer])
        return NonFiniteError(
            f"{where}: a value does not fit {taken.dtype} (largest 65504); layer {layer} reaches {largest[layer]:.0f}. "
            "Set store.dtype to float32, or leave that layer out"
        )


def _first_rows(block: Sequence[WindowedSentence]) -> dict[str, IntArray]:
    """By unit, the first row of each sentence, and behind the last one the number of rows."""
    counts = {
        "word": [len(sentence.subwords.word_offsets) for sentence in block],
        "subword": [len(sentence.subwords.subword_ids) for sentence in block],
        "sentence": [1] * len(block),
    }
    return {unit: np.concatenate([[0], np.cumsum(count)]).astype(np.int64) for unit, count in counts.items()}
