"""What is known of an AWD-LSTM without its weights: its words, and how wide its layers are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from embedpipe.encoders.awd_lstm.parts import read_parts, vocabulary_of
from embedpipe.encoders.outline import EncoderOutline

if TYPE_CHECKING:
    from embedpipe.encoders.awd_lstm.settings import AwdLstm
    from embedpipe.encoders.model_files import ModelFiles


def outline(settings: AwdLstm, files: ModelFiles) -> EncoderOutline:
    """Look at the shapes of the weights, and read the vocabularies.

    :raises EncoderError: If they are damaged, or do not fit each other.
    """
    parts = read_parts(settings, shapes_only=True)
    sizes = sizes_together(part.checkpoint.sizes for part in parts)
    return EncoderOutline(
        files=files.all,
        description={"model": files.name, "revision": None, "architecture": architecture(part.backward for part in parts)},
        num_layers=len(sizes) - 1,
        hidden_size=max(sizes),
        max_window=None,
        is_causal=not all(part.backward for part in parts),
        vocabulary=vocabulary_of(parts),
        unlike_sizes=sizes,
    )


def architecture(backward: Iterable[bool]) -> str:
    """What it is called, by the directions that it has."""
    return "AWD-LSTM, " + " and ".join("backward" if each else "forward" for each in backward)


def sizes_together(sizes: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Width of each layer, of the embedding first, where the directions stand one behind the other."""
    return tuple(sum(of_layer) for of_layer in zip(*sizes, strict=True))
