"""What a comparison has found: the values that the table, the files and the report are made of.

``results.json`` holds nothing that changes from one run of the same comparison to the next: times and rates are in
``timings.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Scores = Mapping[str, float]
"""By metric, 0 to 1. For entities ``f1``, ``precision``, ``recall`` (strict BIO), ``conlleval_f1``, ``token_f1``
(micro, without ``O``), ``accuracy``; for other labels ``accuracy``, ``macro_f1``."""


@dataclass(frozen=True)
class ChoiceInfo:
    """A choice of vectors, which the comparison compares.

    :param name: As the config has it: ``sum_last_four``, ``layer_3``, ``mix_all``, ``fine_tuned``.
    :param kind: ``"layer"`` (a single one), ``"combination"``, ``"learned_mix"`` or ``"fine_tuned"``.
    :param layers: Layers that it is made of.
    :param layer: Of a single layer, its index; else ``None``.
    :param vector_size: Length of a vector; 0 for ``fine_tuned``.
    :param bytes_per_row: What a row of it takes in a store of its own, in the comparison's dtype; of a learned mix all layers
        that it mixes, for without them it cannot be learned; 0 for ``fine_tuned``.
    :param store_bytes: What the vectors of such a store take, for the whole of all corpora.
    :param paper_name: Its name in Devlin et al. 2019, table 7, where it is one of the six there, or ``fine_tuned``.
    :param paper_score: Its F1 there, 0 to 1.
    :param learned_reading_of: Of a learned mix, the choice of the paper that the same layers are summed for. The paper does
        not say whether the weights of its weighted sums are learned; those have the plain sum for ``paper_name``.
    """

    name: str
    kind: str
    layers: tuple[int, ...]
    layer: int | None
    vector_size: int
    bytes_per_row: int
    store_bytes: int
    paper_name: str | None = None
    paper_score: float | None = None
    learned_reading_of: str | None = None


@dataclass(frozen=True)
class RunResult:
    """One training and test.

    :param key: sha256 of everything that determines it; the run's file in ``runs/`` has this name. Choices that are the same
        vectors (``last`` and the highest layer) share runs, and each is listed.
    :param pooling: Of subwords to the unit of the label; of ``fine_tuned`` what its linear layer is over.
    :param head: Its name in the config; ``fine_tuned`` for the encoders that were trained themselves.
    :param seed: The first one for a head that makes no use of it.
    :param best_epoch: From 1; 0 for a model without epochs.
    :param mix: ``layers``, ``weights``, ``scalars``, ``gamma`` of a learned mix.
    :param per_type: By entity type or class: ``precision``, ``recall``, ``f1``, ``support`` on the test sentences.
    """

    key: str
    encoder: str
    context: str
    pooling: str
    choice: str
    head: str
    seed: int
    dev: Scores
    test: Scores
    per_type: Mapping[str, Mapping[str, float]]
    best_epoch: int
    mix: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table: one choice with one head, over all seeds.

    :param mean: Of the comparison's metric on the test sentences.
    :param sd: Standard deviation over seeds (n - 1); 0 for one seed.
    :param low: Lower end of the 95 % interval of the mean over seeds (Student's t); equal to ``mean`` for one seed.
    :param bootstrap_low: Lower end of the 95 % interval over test sentences (percentile bootstrap of the mean over seeds).
    :param other: Means of the other metrics.
    :param dev_mean: Of the metric on the development sentences.
    :param best: Whether it is the best one of its encoder, context and head, over all poolings, or not told apart from it
        (p >= 0.05). Fine-tuned encoders do not compete.
    """

    encoder: str
    context: str
    pooling: str
    choice: str
    head: str
    num_seeds: int
    mean: float
    sd: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    dev_mean: float
    other: Scores
    best: bool


@dataclass(frozen=True)
class Paired:
    """Two choices on the same test sentences: a paired bootstrap over sentences of the mean over seeds.

    Each two choices of the same encoder, context, pooling and head are there once, the better one (of equal ones, the first in
    the table) as ``against``; and each choice against ``fine_tuned``, where there is one.

    :param difference: Mean of ``choice`` minus mean of ``against``.
    :param p: Two-sided; how often a resampling turns the difference round, doubled; never 0.
    """

    encoder: str
    context: str
    pooling: str
    head: str
    choice: str
    against: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Confusion:
    """How often a tag was taken for another, on the test sentences, summed over seeds.

    :param tags: Rows (gold) and columns (predicted), in the same order; for BIO tags the entity types and ``O``.
    :param counts: ``counts[gold][predicted]``.
    """

    encoder: str
    context: str
    pooling: str
    choice: str
    head: str
    tags: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Disagreement:
    """A test sentence on which the choices disagree.

    :param words: The sentence; for a label of sentences its text alone.
    :param gold: A tag a word; ``""`` where it has none (``O`` for entities).
    :param predicted: By choice (of the first seed), a tag a word, likewise.
    :param pooling: Of subwords to the unit of the label.
    """

    encoder: str
    context: str
    head: str
    sentence_id: str
    words: tuple[str, ...]
    gold: tuple[str, ...]
    predicted: Mapping[str, tuple[str, ...]]
    pooling: str = ""


@dataclass(frozen=True)
class Occurrence:
    """One use of a word on a map.

    :param sense: Its label.
    :param text: The sentence.
    :param span: Of the word in the text, in characters.
    """

    sentence_id: str
    word: str
    sense: str
    text: str
    span: tuple[int, int]


@dataclass(frozen=True)
class WordMap:
    """Where the occurrences of a word lie, layer by layer: the first two principal components of its vectors.

    :param lemma: The word, as the config has it.
    :param occurrences: Points, the same ones in each panel.
    :param panels: By panel (``"static"``, ``"layer 0"``, ...), a point an occurrence. *Shape:* ``(num_occurrences, 2)``.
    :param explained: By panel, the part of the variance that the two components have, 0 to 1.
    :param separation: By panel, accuracy of the nearest neighbour (cosine, leave one out) in the full vectors.
    """

    encoder: str
    lemma: str
    occurrences: tuple[Occurrence, ...]
    panels: Mapping[str, Sequence[tuple[float, float]]]
    explained: Mapping[str, float]
    separation: Mapping[str, float]


@dataclass(frozen=True)
class SplitInfo:
    """One split of the data.

    :param num_rows: Words or sentences with a label.
    :param num_entities: ``None`` where the label is none of entities.
    :param files: Of its corpus.
    :param features: By encoder and context (``"minilm/sentence"``), fingerprint of the store.
    """

    name: str
    num_documents: int
    num_sentences: int
    num_words: int
    num_rows: int
    num_entities: int | None
    files: Sequence[str]
    features: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """What is reached without vectors.

    :param name: ``majority`` (the most frequent label), ``most_frequent_of_word`` (that of the same word) or
        ``most_frequent_sense`` (that of the same lemma); of what was never seen in training, the most frequent label.
    :param test: Its scores on the test sentences.
    """

    name: str
    test: Scores


@dataclass(frozen=True)
class Results:
    """All of it.

    :param metric: The one that rows, intervals and tests are about: ``"f1"`` or ``"accuracy"``.
    :param task: ``type`` and fields of the task, as the config has them.
    :param encoders: By name: ``model``, ``num_layers``, ``hidden_size``, ``weights`` (sha256 by file), ``precision``.
    :param choices: By encoder, in the order of the table; ``fine_tuned`` is the last.
    :param tags: All of the label: those of the training sentences, then those that only others have.
    :param provenance: Config, fingerprint, versions; nothing that changes from run to run.
    :param baselines: Those that make sense for the task.
    :param notes: What a reader has to know, a sentence each: duplicates left out, choices that an encoder has too few layers
        for, labels that training never has.
    """

    title: str
    metric: str
    task: Mapping[str, Any]
    tags: tuple[str, ...]
    splits: tuple[SplitInfo, ...]
    encoders: Mapping[str, Mapping[str, Any]]
    choices: Mapping[str, tuple[ChoiceInfo, ...]]
    rows: tuple[Row, ...]
    runs: tuple[RunResult, ...]
    paired: tuple[Paired, ...]
    confusions: tuple[Confusion, ...]
    disagreements: tuple[Disagreement, ...]
    maps: tuple[WordMap, ...]
    provenance: Mapping[str, Any]
    baselines: tuple[Baseline, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timings:
    """What it took, on the machine that it ran on.

    :param extraction: By ``"encoder/context/corpus"``: ``seconds``, ``words``, ``bytes`` of the store of all layers.
    :param training: By run key, seconds; of a run that was interrupted, those since it went on.
    """

    extraction: Mapping[str, Mapping[str, float]]
    training: Mapping[str, float]
    machine: Mapping[str, Any]
