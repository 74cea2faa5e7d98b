"""The settings of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge

from embedpipe.batching import Batching
from embedpipe.downstream.fine_tune import FineTune
from embedpipe.downstream.heads.head import Head
from embedpipe.downstream.heads.linear import LinearHead
from embedpipe.experiment.choices import FINE_TUNED, check_choices
from embedpipe.experiment.splits import Splits
from embedpipe.experiment.tasks import Task
from embedpipe.job import EncoderSettings, knows_the_past_only
from embedpipe.layers import LayerCombination
from embedpipe.subwords import Context, SentenceContext
from embedpipe.views import default_word_pooling

Pooling: TypeAlias = Literal["first", "last", "mean", "max", "cls"]

_POOLINGS: dict[str, tuple[Pooling, ...]] = {
    "word": ("first", "last", "mean", "max"),
    "sentence": ("mean", "max", "cls", "last"),
}

_NAME = re.compile(r"[\w-][\w.-]*")


def _linear_head() -> Mapping[str, Head]:
    return {"linear": LinearHead()}


def _sentence_context() -> Mapping[str, Context]:
    return {"sentence": SentenceContext()}


@dataclass(frozen=True)
class Comparison:
    """Which vectors of which encoders are best for a task.

    :param task: Which label is to be told, and how that is scored.
    :param splits: What is trained on, chosen by and tested on.
    :param encoders: By name, the pretrained models.
    :param choices: Layers and combinations of layers to compare: ``paper`` (the six of Devlin et al. 2019, table 7, and the
        learned readings of its weighted sums), ``layers`` (each one), ``mixes`` (learned ones), or single names:
        ``layer_3``, ``concat_last_four``, ``mix_all``, one of ``more_choices``.
    :param more_choices: By name, layer combinations to compare as well.
    :param poolings: How the subwords of a word become one vector (first, last, mean, max), or those of a sentence (mean, max,
        cls, last). Left out: for words first, or last of an encoder that is a decoder; mean for sentences.
    :param heads: By name, the models that are trained on the vectors.
    :param seeds: Each model that starts at random is trained once with each.
    :param contexts: By name, what the encoder sees around a sentence.
    :param fine_tune: Train the encoders themselves, too, as a reference. Left out: they stay as they are.
    :param maps: Words, or lemmas, whose occurrences are drawn on a map, layer by layer.
    :param map_label: The label of words that colours the maps. Left out: the task's label, if it is one of words.
    :param batching: How much goes through an encoder at a time.
    :param dtype: What vectors are stored in: ``float32``, or ``float16``, half as large.
    :param title: Stands above the report.
    """

    task: Task
    splits: Splits
    encoders: Mapping[str, EncoderSettings]
    choices: tuple[str, ...] = ("paper", "layers", "mixes")
    more_choices: Mapping[str, LayerCombination] = field(default_factory=dict)
    poolings: tuple[Pooling, ...] | None = None
    heads: Mapping[str, Head] = field(default_factory=_linear_head)
    seeds: tuple[Annotated[int, Ge(0)], ...] = (0, 1, 2, 3, 4)
    contexts: Mapping[str, Context] = field(default_factory=_sentence_context)
    fine_tune: FineTune | None = None
    maps: tuple[str, ...] = ()
    map_label: str | None = None
    batching: Batching = field(default_factory=Batching)
    dtype: Literal["float32", "float16"] = "float32"
    title: str = ""

    def __post_init__(self) -> None:
        for name in ("encoders", "choices", "heads", "seeds", "contexts"):
            if not getattr(self, name):
                raise ValueError(f"{name}: is empty; name at least one")
        for name in ("encoders", "heads", "contexts"):
            for key in getattr(self, name):
                if not _NAME.fullmatch(key):
                    raise ValueError(f"{name}: {key!r} names files; use letters, digits, '_', '-' and '.'")
        if FINE_TUNED in self.heads:
            raise ValueError(f"heads: {FINE_TUNED!r} is what the fine-tuned encoders are called; take another name")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} has one twice; runs with the same seed are the same")
        check_choices(self.choices, self.more_choices)
        for pooling in self.poolings or ():
            if pooling not in _POOLINGS[self.task.unit]:
                allowed = ", ".join(_POOLINGS[self.task.unit])
                raise ValueError(f"poolings: {pooling!r} is not for {self.task.unit}s; choose of {allowed}")
        if self.poolings == ():
            raise ValueError("poolings: is empty; leave it out for the default")
        for name, encoder in self.encoders.items() if self.fine_tune else ():
            if not hasattr(encoder, "load_trainable"):
                raise ValueError(
                    f"fine_tune: the encoder {name!r} is of a type whose weights cannot be trained; leave one of the two out"
                )
        if self.maps and self.sense_label is None:
            raise ValueError("maps: the task's label is one of sentences; name the label of words with map_label")

    def pooling_names(self, encoder: str) -> tuple[Pooling, ...]:
        """The poolings to compare of an encoder, the default written out, each once.

        :raises EncoderError: If the default depends on the encoder, and its model is not there.
        """
        if self.poolings:
            return tuple(dict.fromkeys(self.poolings))
        if self.task.unit == "sentence":
            return ("mean",)
        return (default_word_pooling(is_causal=knows_the_past_only(self.encoders[encoder])),)

    @property
    def sense_label(self) -> str | None:
        """The label that colours the maps."""
        return self.map_label or (self.task.label if self.task.unit == "word" else None)
