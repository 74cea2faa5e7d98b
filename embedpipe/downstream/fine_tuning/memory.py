"""How much goes through the encoder at a time, and less of it where memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import torch

from embedpipe.batching import plan_batches
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.downstream.fine_tuning.inputs import Part

    Pieces: TypeAlias = Sequence[Sequence[Part]]

_Result = TypeVar("_Result")


class Budget:
    """Cuts parts into pieces that fit into memory; once halved, it stays so.

    :param subwords: Of a piece, padding counted; a longer part goes alone.
    """

    def __init__(self, subwords: int) -> None:
        self.subwords = subwords

    def run(self, parts: Sequence[Part], work: Callable[[Pieces], _Result]) -> _Result:
        """Do ``work`` on the parts in pieces; if it runs out of memory, all of it again in pieces half as large.

        :raises EncoderError: If one part alone is too large.
        """
        while True:
            pieces = [[parts[index] for index in chosen] for chosen in plan_batches(_sizes(parts), self.subwords)]
            try:
                return work(pieces)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                if all(len(piece) == 1 for piece in pieces):
                    raise EncoderError(_too_large(pieces)) from error
            # Outside of the handler, whose exception would hold on to the memory.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.subwords = max(len(piece) * max(_sizes(piece)) for piece in pieces if len(piece) > 1) // 2


def _sizes(parts: Sequence[Part]) -> list[int]:
    return [part.num_subwords for part in parts]


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _too_large(pieces: Pieces) -> str:
    part = max((piece[0] for piece in pieces), key=lambda part: part.num_subwords)
    longest = max(len(window.input_ids) for window in part.windows)
    windows = "one window" if len(part.windows) == 1 else f"the {len(part.windows)} windows of one sentence, the longest"
    return (
        f"fine-tuning: {windows} of {longest} subwords, alone, does not fit into memory; lower context.window, take a smaller "
        "encoder, or leave fine_tune out"
    )
