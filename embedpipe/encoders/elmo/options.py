"""The options.json of an ELMo: the sizes of its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embedpipe.errors import EncoderError

_ABSENT = object()
LEAST_CHARACTERS = 3
"""The beginning of a word, one character, and the end."""


@dataclass(frozen=True, slots=True)
class ElmoOptions:
    """The sizes of an ELMo.

    :param projection_size: Width of one direction of a layer, and of the character CNN's output.
    :param cell_size: Width of the LSTM's cells.
    :param cell_clip: Largest absolute value of a cell; ``None`` for no limit.
    :param projection_clip: Largest absolute value of a projected state; ``None`` for no limit.
    :param skip_connections: Whether every layer but the first adds its input to its output.
    :param character_size: Width of a character's vector.
    :param filters: Characters that each group of filters sees at a time, and how many filters it has.
    :param max_characters: Of a word, its beginning and end counted as one each.
    """

    projection_size: int
    cell_size: int
    num_layers: int
    cell_clip: float | None
    projection_clip: float | None
    skip_connections: bool
    character_size: int
    filters: tuple[tuple[int, int], ...]
    num_highways: int
    max_characters: int
    activation: Literal["relu", "tanh"]

    @property
    def hidden_size(self) -> int:
        """Width of a layer: of both directions."""
        return 2 * self.projection_size

    @property
    def num_filters(self) -> int:
        """Of all widths together."""
        return sum(count for _, count in self.filters)


def read_options(path: Path) -> ElmoOptions:
    """Read the options of an ELMo, as AllenNLP and bilm-tf write them; what is for training only is not looked at.

    :raises EncoderError: If the file cannot be read, or is something else; names every key that is missing or wrong.
    """
    where = f"encoder.options_file: {str(path)!r}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EncoderError(f"{where} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{where} is not JSON ({error}); expected the options.json of an ELMo") from error
    values = _Values(content)
    options = ElmoOptions(
        projection_size=values.whole("lstm.projection_dim"),
        cell_size=values.whole("lstm.dim"),
        num_layers=values.whole("lstm.n_layers"),
        cell_clip=values.clip("lstm.cell_clip"),
        projection_clip=values.clip("lstm.proj_clip"),
        skip_connections=values.truth("lstm.use_skip_connections"),
        character_size=values.whole("char_cnn.embedding.dim"),
        filters=values.filters("char_cnn.filters"),
        num_highways=values.whole("char_cnn.n_highway", least=0, default=0),
        max_characters=values.whole("char_cnn.max_characters_per_token", least=LEAST_CHARACTERS),
        activation=values.activation("char_cnn.activation"),
    )
    if (widest := max((width for width, _ in options.filters), default=0)) > options.max_characters:
        values.mistakes.append(
            f"char_cnn.filters: a width of {widest}, and words have {options.max_characters} characters at most"
        )
    if values.mistakes:
        raise EncoderError("\n  ".join([f"{where} is not the options.json of an ELMo:", *values.mistakes]))
    return options


class _Values:
    """Takes values by dotted key; what is wrong with them is collected, and something harmless taken instead."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.mistakes: list[str] = []

    def whole(self, key: str, *, least: int = 1, default: Any = _ABSENT) -> int:
        value = self._value(key, default)
        if type(value) is not int or value < least:
            self._mistake(key, value, f"a whole number of at least {least}")
            return least
        return value

    def clip(self, key: str) -> float | None:
        value = self._value(key, None)
        if value is None or (type(value) in (int, float) and value >= 0):
            return value or None
        self._mistake(key, value, "a number of at least 0, or null for no limit")
        return None

    def truth(self, key: str) -> bool:
        value = self._value(key, False)
        if type(value) is not bool:
            self._mistake(key, value, "true or false")
        return bool(value)

    def filters(self, key: str) -> tuple[tuple[int, int], ...]:
        value = self._value(key, _ABSENT)
        if isinstance(value, list) and value and all(_is_filter(each) for each in value):
            return tuple((width, count) for width, count in value)
        self._mistake(key, value, "a list of [width, number of filters]")
        return ()

    def activation(self, key: str) -> Literal["relu", "tanh"]:
        value = self._value(key, _ABSENT)
        if value == "tanh":
            return "tanh"
        if value != "relu":
            self._mistake(key, value, "relu or tanh")
        return "relu"

    def _value(self, key: str, default: Any) -> Any:
        value = self._content
        for part in key.split("."):
            value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        return default if value is _ABSENT else value

    def _mistake(self, key: str, value: Any, expected: str) -> None:
        found = "is missing" if value is _ABSENT else f"got {json.dumps(value)[:60]}"
        self.mistakes.append(f"{key}: {found}; expected {expected}")


def _is_filter(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int and each > 0 for each in value)
