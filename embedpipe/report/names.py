"""What the names of a config are called in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedpipe.experiment.results import ChoiceInfo

_CHOICES = {
    "embeddings": "the embedding layer",
    "first": "the first layer",
    "second_to_last": "the second-to-last layer",
    "last": "the last layer",
    "sum_last_four": "the sum of the last four layers",
    "mean_last_four": "the mean of the last four layers",
    "concat_last_four": "the concatenation of the last four layers",
    "sum_all": "the sum of all layers",
    "mean_all": "the mean of all layers",
    "mix_last_four": "a learned mix of the last four layers",
    "mix_all": "a learned mix of all layers",
    "mix_elmo": "a learned mix of all layers and the embeddings",
    "fine_tuned": "fine-tuning",
}
_METRICS = {"f1": "F1", "token_f1": "word F1", "macro_f1": "macro F1", "conlleval_f1": "conlleval F1"}
_BASELINES = {
    "majority": "the most frequent label",
    "most_frequent_of_word": "the most frequent label of the same word",
    "most_frequent_sense": "the most frequent sense of the same lemma",
}
_TASKS = {
    "ner": "named entities",
    "word_labels": "labels of words",
    "sentence_labels": "labels of sentences",
    "word_sense": "word senses",
}


def in_a_sentence(choice: ChoiceInfo) -> str:
    """``the sum of the last four layers``."""
    if choice.layer is not None and choice.name == f"layer_{choice.layer}":
        return f"layer {choice.layer}"
    return _CHOICES.get(choice.name, spaced(choice.name))


def spaced(name: str) -> str:
    """``sum last four`` of ``sum_last_four``."""
    return name.replace("_", " ")


def baseline_name(name: str) -> str:
    """``the most frequent label of the same word``."""
    return _BASELINES.get(name, spaced(name))


def metric_name(metric: str) -> str:
    """``word F1`` of ``token_f1``."""
    return _METRICS.get(metric, spaced(metric))


def unit_of(task: Mapping[str, Any]) -> str:
    """What has a label and a vector: ``word`` or ``sentence``."""
    return "sentence" if task.get("type") == "sentence_labels" else "word"


def task_name(task: Mapping[str, Any]) -> str:
    """``named entities``."""
    kind = str(task.get("type", "labels"))
    return _TASKS.get(kind, spaced(kind))


def layers_text(layers: tuple[int, ...]) -> str:
    """``9–12`` for layers that follow each other, ``0, 6`` for others."""
    if len(layers) > 2 and layers == tuple(range(layers[0], layers[0] + len(layers))):
        return f"{layers[0]}–{layers[-1]}"
    return ", ".join(map(str, layers))
