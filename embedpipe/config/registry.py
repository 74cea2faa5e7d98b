"""Which type names a config can use. Names only: no config can name a module, a class or a function."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

from embedpipe.config.roles import NOUNS, ROLES, members
from embedpipe.config.wording import did_you_mean, in_words, with_article
from embedpipe.corpus import Conll2003, Conllu, Csv, Jsonl, Lines, Tsv, Words
from embedpipe.downstream.heads import (
    BiLstmCrfHead,
    BiLstmHead,
    KNearestHead,
    LinearHead,
    LinearSvmHead,
    LogisticRegressionHead,
    MlpHead,
)
from embedpipe.encoders import AllenNlpElmoFile, AwdLstm, Elmo, Static, Transformer
from embedpipe.errors import ConfigError
from embedpipe.experiment.splits import Files, RandomSplits
from embedpipe.experiment.tasks import Ner, SentenceLabels, WordLabels, WordSense
from embedpipe.job import Local, Ray
from embedpipe.layers import NAMED, Concat, Layer, Mean, ScalarMix, Stack, Sum, WeightedSum
from embedpipe.subwords import DocumentContext, SentenceContext

C = TypeVar("C", bound=type)

_NAME = re.compile(r"\w[\w-]*", re.ASCII)

_BUILT_IN: dict[str, dict[str, Any]] = {
    "corpus": {
        "lines": Lines,
        "words": Words,
        "conll2003": Conll2003,
        "conllu": Conllu,
        "jsonl": Jsonl,
        "csv": Csv,
        "tsv": Tsv,
    },
    "encoder": {
        "transformer": Transformer,
        "elmo": Elmo,
        "allennlp_elmo_file": AllenNlpElmoFile,
        "awd_lstm": AwdLstm,
        "static": Static,
    },
    "context": {"sentence": SentenceContext, "document": DocumentContext},
    "layers": {
        **NAMED,
        "layer": Layer,
        "sum": Sum,
        "mean": Mean,
        "concat": Concat,
        "weighted_sum": WeightedSum,
        "scalar_mix": ScalarMix,
        "stack": Stack,
    },
    "head": {
        "linear": LinearHead,
        "mlp": MlpHead,
        "bilstm": BiLstmHead,
        "bilstm_crf": BiLstmCrfHead,
        "logistic_regression": LogisticRegressionHead,
        "linear_svm": LinearSvmHead,
        "k_nearest": KNearestHead,
    },
    "task": {"ner": Ner, "word_labels": WordLabels, "sentence_labels": SentenceLabels, "word_sense": WordSense},
    "splits": {"files": Files, "random": RandomSplits},
    "engine": {"local": Local, "ray": Ray},
}

_registered: dict[str, dict[str, Any]] = {role: dict(types) for role, types in _BUILT_IN.items()}


def registered(role: str) -> Mapping[str, Any]:
    """The types of a role by name: dataclasses, and for a named layer combination the combination itself."""
    return MappingProxyType(_registered[role])


def known(role: str) -> list[str]:
    """The type names of a role, in the order of the alphabet."""
    return sorted(_registered[role])


def register(role: str, name: str) -> Callable[[C], C]:
    """Give a component a type name that configs can use (a class decorator, for plug-ins)::

        @register("layers", "norm")
        @dataclass(frozen=True)
        class Norm:
            \"\"\"What ``embedpipe components norm`` says of it.

            :param order: What it says of the field.
            \"\"\"

            order: Annotated[int, annotated_types.Gt(0)] = 2

    The class says with its annotations what a config may give: ``str``, ``int``, ``float``, ``bool``, ``Literal``,
    ``tuple[X, ...]``, ``Mapping[str, X]``, other components (``LayerCombination``), frozen dataclasses, unions of these, and
    bounds (``Annotated[int, annotated_types.Gt(0)]``).
    A fault that concerns several fields is raised in ``__post_init__`` as ``ValueError("field: message")``.

    :param role: ``"corpus"``, ``"encoder"``, ``"context"``, ``"layers"``, ``"head"``, ``"task"``, ``"splits"`` or ``"engine"``.
    :param name: Letters, digits, ``_`` and ``-``.
    :raises ConfigError: If the name is taken, or the class is not a frozen dataclass with all that its role asks for.
    """

    def decorate(cls: C) -> C:
        mistakes = _mistakes_of_name(role, name, cls) or _mistakes_of_class(role, cls)
        if mistakes:
            raise ConfigError(f"the component {_full_name(cls)}", mistakes)
        _registered[role][name] = cls
        return cls

    return decorate


def fields_of(cls: Any) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    """The fields that a config can give, with their resolved annotations; a named combination has none."""
    if not isinstance(cls, type):
        return {}
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: (hints[field.name], field) for field in dataclasses.fields(cls) if field.init}


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a config must give the field."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _mistakes_of_name(role: str, name: str, cls: type) -> list[str]:
    if role not in ROLES:
        return [f"{role!r} is not a role.{did_you_mean(role, ROLES)} Known: {', '.join(ROLES)}."]
    if not _NAME.fullmatch(name):
        return [f"{name!r} is not a type name; use letters, digits, '_' and '-'."]
    taken = _registered[role].get(name)
    if taken is not None and _full_name(taken) != _full_name(cls):
        owner = f"{with_article(NOUNS[role])} already, {_full_name(taken)}"
        return [f"the name {name!r} is taken: it is {owner}; choose another one."]
    return []


def _mistakes_of_class(role: str, cls: type) -> list[str]:
    parameters = vars(cls).get("__dataclass_params__")  # not inherited: a subclass needs its own decorator
    if parameters is None or not parameters.frozen:
        return ["it is not a frozen dataclass; write @dataclass(frozen=True) under @register."]
    names = [field.name for field in dataclasses.fields(cls)]
    mistakes = [
        f"{with_article(NOUNS[role])} needs {member!r}, which it does not have."
        for member in members(role)
        if member not in names and not hasattr(cls, member)
    ]
    try:
        hints = {name: hint for name, (hint, _) in fields_of(cls).items()}
    except NameError as error:
        return [*mistakes, f"an annotation cannot be resolved when the class is made: {error}."]
    return mistakes + [mistake for name, hint in hints.items() for mistake in _mistakes_of_field(name, hint)]


def _mistakes_of_field(name: str, hint: Any) -> list[str]:
    if name == "type":
        return ["type: the name is the config's own; call the field something else."]
    try:
        in_words(hint)
    except TypeError as error:
        return [f"{name}: {error}."]
    return []


def _full_name(item: object) -> str:
    cls = item if isinstance(item, type) else type(item)
    return f"{cls.__module__}.{cls.__qualname__}"
