"""Which vectors are compared: groups and names of a config, made out for an encoder."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.errors import ConfigError
from embedpipe.layers import (
    NAMED,
    Concat,
    Layer,
    LayerCombination,
    ScalarMix,
    Sum,
    WeightedSum,
    combined_size,
    unlike_sizes,
)

Vectors: TypeAlias = LayerCombination | LearnedMix
"""What makes vectors of the layers of a stacked view."""

FINE_TUNED = "fine_tuned"
"""What the encoders that were trained themselves are called, as a choice and as a head."""

PAPER: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "embeddings": ("Embeddings", 0.910),
        "second_to_last": ("Second-to-Last Hidden", 0.956),
        "last": ("Last Hidden", 0.949),
        "sum_last_four": ("Weighted Sum Last Four Hidden", 0.959),
        "concat_last_four": ("Concat Last Four Hidden", 0.961),
        "sum_all": ("Weighted Sum All 12 Layers", 0.955),
        FINE_TUNED: ("Fine-tuning approach", 0.964),
    }
)
"""Devlin et al. 2019, table 7: name and F1, 0 to 1, of BERT base on the development sentences of CoNLL-2003."""

READINGS: Mapping[str, str] = MappingProxyType({"mix_last_four": "sum_last_four", "mix_all": "sum_all"})
"""The paper does not say whether the weights of its weighted sums are learned: by learned mix, the plain sum of its layers."""

GROUPS = ("paper", "layers", "mixes")

_MIXES = ("mix_last_four", "mix_all", "mix_elmo")
_LAYER = re.compile(r"layer_(0|[1-9]\d*)")
_FEWEST_LAYERS = dict.fromkeys(("sum_last_four", "mean_last_four", "concat_last_four", "mix_last_four"), 4) | {
    "second_to_last": 2  # with fewer it would be, or have in it, the embedding layer
}


@dataclass(frozen=True)
class Choice:
    """A choice of vectors of one encoder.

    :param name: As the config has it.
    :param kind: ``"layer"``, ``"combination"`` or ``"learned_mix"``.
    :param vectors: What makes them of a stacked view of all layers; those that it needs are written out, from 0.
    :param layers: Which ones these are, 0 being the embedding layer.
    """

    name: str
    kind: str
    vectors: Vectors
    layers: tuple[int, ...]

    @property
    def identity(self) -> Mapping[str, Any]:
        """What determines the vectors, as plain JSON: two names of the same vectors have the same one."""
        cls = type(self.vectors)
        fields = dataclasses.asdict(self.vectors)  # type: ignore[arg-type]
        return {"type": f"{cls.__module__}.{cls.__qualname__}", "of": list(self.layers)} | fields

    def num_values(self, layer_sizes: Sequence[int]) -> int:
        """Numbers of a row in a store: a learned mix needs all of its layers there.

        :param layer_sizes: Width of each layer of the encoder.
        """
        if isinstance(self.vectors, LearnedMix):
            return sum(layer_sizes[layer] for layer in self.layers)
        return combined_size(self.vectors, layer_sizes)

    def vector_size(self, layer_sizes: Sequence[int]) -> int:
        """Length of a vector as a model gets it."""
        if isinstance(self.vectors, LearnedMix):
            return layer_sizes[self.layers[0]]
        return combined_size(self.vectors, layer_sizes)


def check_choices(choices: Sequence[str], more: Mapping[str, LayerCombination]) -> None:
    """Find out without an encoder whether the names mean something.

    :raises ValueError: Starts with the field that is wrong.
    """
    for name, combination in more.items():
        if name in (*GROUPS, *NAMED, *_MIXES, FINE_TUNED) or _LAYER.fullmatch(name):
            raise ValueError(f"more_choices: {name!r} is the name of a choice already; take another one")
        if combination.stacked:
            raise ValueError(f"more_choices: {name!r} keeps its layers apart and makes no vector of them")
    known = [*GROUPS, *(name for name in NAMED if not NAMED[name].stacked), *_MIXES, *more]
    for name in choices:
        if name not in known and not _LAYER.fullmatch(name):
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"choices: {name!r} is none.{hint} Known: {', '.join(known)}, and layer_0, layer_1, ...")


def expand(
    choices: Sequence[str],
    more: Mapping[str, LayerCombination],
    num_layers: int,
    encoder: str,
    layer_sizes: Sequence[int] | None = None,
) -> tuple[tuple[Choice, ...], tuple[str, ...]]:
    """Write out the groups for an encoder; each name comes once, in the order in which it was named first.

    :param encoder: Its name, for messages.
    :param layer_sizes: Width of each of its layers, where they differ.
    :returns: The choices, and a sentence for each one of a group that the encoder's layers do not allow.
    :raises ConfigError: If they do not allow one that was named by itself.
    """
    if num_layers == 0:
        return _of_embeddings_only(choices, more, encoder)
    found: dict[str, Choice] = {}
    notes: dict[str, str] = {}
    for wanted in choices:
        for name in _members(wanted, num_layers):
            lack = _lack(name, num_layers)
            if lack and wanted not in GROUPS:
                raise ConfigError("the config", [f"choices: {name!r} {lack}, and encoder {encoder!r} has {num_layers}."])
            if lack:
                notes[name] = f"{name} is left out for {encoder}: it {lack}, and the encoder has {num_layers}."
                continue
            choice = _choice(name, more, num_layers, encoder)
            unlike = _unlike(choice, layer_sizes)
            if unlike and wanted not in GROUPS:
                raise ConfigError("the config", [f"choices: {name!r} is not for encoder {encoder!r}: {unlike}."])
            if unlike:
                notes[name] = f"{name} is left out for {encoder}: {unlike}."
            else:
                found.setdefault(name, choice)
    return tuple(found.values()), tuple(notes.values())


def _of_embeddings_only(
    choices: Sequence[str], more: Mapping[str, LayerCombination], encoder: str
) -> tuple[tuple[Choice, ...], tuple[str, ...]]:
    """The choices of an encoder without layers, a static one; what else is asked for is for the encoders beside it."""
    found: dict[str, Choice] = {}
    lacking: dict[str, None] = {}
    for name in (name for wanted in choices for name in _members(wanted, 0)):
        if name in ("embeddings", "last", "layer_0") or (name in more and _suits(more[name], 0)):
            found.setdefault(name, _choice(name, more, 0, encoder))
        else:
            lacking[name] = None
    if not found:
        mistake = f"choices: none is for encoder {encoder!r}, which has no layers but its embeddings; add 'embeddings'."
        raise ConfigError("the config", [mistake])
    if {"embeddings", "last"} <= found.keys():  # the same vectors
        del found["last"]
        lacking["last"] = None
    notes = (f"{encoder} has no layers but its embeddings; left out for it: {', '.join(lacking)}.",) if lacking else ()
    return tuple(found.values()), notes


def _suits(combination: LayerCombination, num_layers: int) -> bool:
    try:
        combination.needed_layers(num_layers)
    except ValueError:
        return False
    return True


def _members(name: str, num_layers: int) -> Iterator[str]:
    """The names of a group; a single name is its own only member."""
    if name == "paper":
        for paper_name in PAPER:
            if paper_name != FINE_TUNED:
                yield paper_name
            yield from (mix for mix, plain in READINGS.items() if plain == paper_name)
    elif name == "layers":
        yield from (f"layer_{layer}" for layer in range(num_layers + 1))
    elif name == "mixes":
        yield from _MIXES
    else:
        yield name


def _lack(name: str, num_layers: int) -> str:
    fewest = _FEWEST_LAYERS.get(name, 1)
    if match := _LAYER.fullmatch(name):
        fewest = int(match[1])
    return f"needs {fewest} encoder layers" if num_layers < fewest else ""


def _unlike(choice: Choice, layer_sizes: Sequence[int] | None) -> str:
    """Why the layers of a choice cannot be put together; nothing if they can."""
    if layer_sizes is None:
        return ""
    if isinstance(choice.vectors, LearnedMix):
        return unlike_sizes(choice.layers, layer_sizes)
    try:
        combined_size(choice.vectors, layer_sizes)
    except ValueError as error:
        return str(error)
    return ""


def _choice(name: str, more: Mapping[str, LayerCombination], num_layers: int, encoder: str) -> Choice:
    if name in _MIXES:
        first = {"mix_last_four": num_layers - 3, "mix_all": 1, "mix_elmo": 0}[name]
        layers = tuple(range(first, num_layers + 1))
        return Choice(name, "learned_mix", LearnedMix(layers), layers)
    match = _LAYER.fullmatch(name)
    combination = Layer(int(match[1])) if match else more.get(name) or NAMED[name]
    try:
        needed = combination.needed_layers(num_layers)
    except ValueError as error:
        raise ConfigError("the config", [f"more_choices.{name}: {error} (encoder {encoder!r})."]) from None
    kind = "layer" if isinstance(combination, Layer) else "combination"
    return Choice(name, kind, _written_out(combination, needed), needed)


def _written_out(combination: LayerCombination, needed: tuple[int, ...]) -> LayerCombination:
    """The same combination without reference to the number of layers: ``Layer(12)`` of ``Layer(-1)``."""
    if isinstance(combination, Layer):
        return Layer(needed[0])
    if isinstance(combination, Sum | Concat | WeightedSum | ScalarMix):  # a mean is a sum
        return dataclasses.replace(combination, layers=needed)
    return combination
