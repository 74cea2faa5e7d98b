"""Comparisons that were never run: plausible numbers of each kind of task, for the report to show."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping

from embedpipe.experiment.results import (
    Baseline,
    ChoiceInfo,
    Confusion,
    Disagreement,
    Occurrence,
    Paired,
    Results,
    Row,
    RunResult,
    SplitInfo,
    Timings,
    WordMap,
)

PAPER = {
    "embeddings": 0.910,
    "second_to_last": 0.956,
    "last": 0.949,
    "sum_last_four": 0.959,
    "concat_last_four": 0.961,
    "sum_all": 0.955,
    "fine_tuned": 0.964,
}
READINGS = {"mix_last_four": "sum_last_four", "mix_all": "sum_all"}
ENCODERS = {"minilm": (6, 384), "mpnet": (12, 768)}


def choices_of(num_layers: int, hidden_size: int, rows: int, tuned: bool, singles: bool = True) -> tuple[ChoiceInfo, ...]:
    layers = tuple(range(num_layers + 1))
    table = {
        "embeddings": ("layer", layers[:1], 1),
        "second_to_last": ("layer", layers[-2:-1], 1),
        "last": ("layer", layers[-1:], 1),
        "sum_last_four": ("combination", layers[-4:], 1),
        "mix_last_four": ("learned_mix", layers[-4:], 4),
        "concat_last_four": ("combination", layers[-4:], 4),
        "sum_all": ("combination", layers[1:], 1),
        "mix_all": ("learned_mix", layers[1:], num_layers),
        "mix_elmo": ("learned_mix", layers, num_layers + 1),
    }
    if singles:
        table |= {f"layer_{layer}": ("layer", (layer,), 1) for layer in layers}
    made = []
    for name, (kind, used, width) in table.items():
        size = 4 * hidden_size * width
        layer = used[0] if kind == "layer" else None
        vector = hidden_size * (width if kind == "combination" else 1)
        made.append(
            ChoiceInfo(
                name,
                kind,
                used,
                layer,
                vector,
                size,
                size * rows,
                name if name in PAPER else None,
                PAPER.get(name),
                READINGS.get(name),
            )
        )
    if tuned:
        made.append(ChoiceInfo("fine_tuned", "fine_tuned", layers, None, 0, 0, 0, "Fine-tuning approach", 0.964))
    return tuple(made)


def _quality(choice: ChoiceInfo, num_layers: int, best: float) -> float:
    """Layers two thirds up are the best; mixes of many a little better still."""
    if choice.kind == "fine_tuned":
        return best + 0.021
    values = [best - 0.012 - 0.28 * abs(layer / num_layers - 0.68) ** 1.6 for layer in choice.layers]
    bonus = {"layer": 0.0, "combination": 0.016, "learned_mix": 0.012}[choice.kind]
    return statistics.fmean(sorted(values)[-4:]) + bonus + (0.004 if "concat" in choice.name else 0)


def _row(encoder: str, head: str, choice: ChoiceInfo, runs: list[RunResult], metric: str, best: bool) -> Row:
    scores = [run.test[metric] for run in runs]
    mean = statistics.fmean(scores)
    sd = statistics.stdev(scores) if len(scores) > 1 else 0.0
    half = 2.776 * sd / len(scores) ** 0.5
    others = {name: statistics.fmean(run.test[name] for run in runs) for name in runs[0].test if name != metric}
    dev = statistics.fmean(run.dev[metric] for run in runs)
    where = (encoder, "sentence", runs[0].pooling, choice.name, head)
    return Row(*where, len(runs), mean, sd, mean - half, mean + half, mean - 0.017, min(mean + 0.016, 1.0), dev, others, best)


def results_of(
    *,
    task: Mapping[str, object],
    metric: str,
    types: tuple[str, ...],
    tags: tuple[str, ...],
    encoders: Mapping[str, tuple[int, int]] = ENCODERS,
    heads: tuple[str, ...] = ("linear", "bilstm_crf"),
    seeds: int = 5,
    best: float = 0.681,
    tuned: bool = True,
    only: tuple[str, ...] | None = None,
    title: str = "",
    disagreements: tuple[Disagreement, ...] = (),
    maps: tuple[WordMap, ...] = (),
    singles: bool = True,
) -> tuple[Results, Timings]:
    random_ = random.Random(7)
    rows, runs, paired, confusions, training = [], [], [], [], {}
    all_choices = {}
    pooling = "mean" if task["type"] == "sentence_labels" else "first"
    for e, (encoder, (num_layers, hidden_size)) in enumerate(encoders.items()):
        choices = choices_of(num_layers, hidden_size, 62_000, tuned, singles)
        all_choices[encoder] = choices = tuple(c for c in choices if only is None or c.name in only)
        for h, head in enumerate(heads):
            block = []
            for choice in choices:
                if choice.kind == "fine_tuned" and h:
                    continue
                of_choice = []
                centre = _quality(choice, num_layers, best + 0.02 * e + 0.008 * h)
                for seed in range(seeds):
                    noise = random.Random(f"{encoder} {head} {choice.kind} {choice.layers} {choice.vector_size} {seed}")
                    score = centre + noise.gauss(0, 0.0026)
                    test = {metric: score}
                    if metric == "f1":
                        test |= {
                            "precision": score + 0.01,
                            "recall": score - 0.01,
                            "conlleval_f1": score + 0.004,
                            "token_f1": score + 0.035,
                            "accuracy": 0.5 + score / 2,
                        }
                    elif task["type"] == "sentence_labels":
                        test |= {"macro_f1": score - 0.02}
                    dev = {name: value + 0.012 + noise.gauss(0, 0.003) for name, value in test.items()}
                    per_type = {
                        name: {
                            "precision": score,
                            "recall": score,
                            "f1": max(0.0, min(1.0, score + 0.25 - 0.4 * i / max(len(types), 2))),
                            "support": 400 // (i + 1),
                        }
                        for i, name in enumerate(types)
                    }
                    mix = None
                    if choice.kind == "learned_mix":
                        raw = [2 ** (-8 * (layer / num_layers - 0.6) ** 2) + random_.random() * 0.1 for layer in choice.layers]
                        mix = {
                            "layers": list(choice.layers),
                            "weights": [w / sum(raw) for w in raw],
                            "scalars": raw,
                            "gamma": 1.1 + random_.random() * 0.1,
                        }
                    key = f"{encoder}-{head}-{choice.name}-{seed}"
                    own_head = "fine_tuned" if choice.kind == "fine_tuned" else head
                    of_choice.append(
                        RunResult(key, encoder, "sentence", pooling, choice.name, own_head, seed, dev, test, per_type, 7, mix)
                    )
                    training[key] = 14.0 + 5 * h + choice.vector_size / 300
                block.append((choice, own_head, of_choice))
                runs += of_choice
            means = [statistics.fmean(run.test[metric] for run in of_choice) for _, _, of_choice in block]
            frozen = [
                (mean, choice.name) for mean, (choice, *_) in zip(means, block, strict=True) if choice.kind != "fine_tuned"
            ]
            top, top_name = max(frozen)
            for mean, (choice, own_head, of_choice) in zip(means, block, strict=True):
                rows.append(
                    _row(encoder, own_head, choice, of_choice, metric, top - mean < 0.004 and choice.kind != "fine_tuned")
                )
                if choice.name != top_name and choice.kind != "fine_tuned":
                    p = 0.3 if top - mean < 0.004 else 0.0002
                    paired.append(
                        Paired(
                            encoder,
                            "sentence",
                            pooling,
                            head,
                            choice.name,
                            top_name,
                            mean - top,
                            mean - top - 0.008,
                            mean - top + 0.008,
                            p,
                        )
                    )
            names = (*types, "O") if metric == "f1" else types
            counts = tuple(
                tuple(
                    random_.randrange(900, 2000) if i == j else random_.choice((0, 0, 3, 12, 40, 150))
                    for j in range(len(names))
                )
                for i in range(len(names))
            )
            confusions.append(Confusion(encoder, "sentence", pooling, top_name, head, names, counts))
    fingerprint = "9f2c41d07a55" * 5 + "9f2c"
    features = {f"{encoder}/sentence": fingerprint for encoder in encoders}
    splits = tuple(
        SplitInfo(
            name, docs, sentences, words, words, entities if metric == "f1" else None, (f"data/news/{name}.conll",), features
        )
        for name, docs, sentences, words, entities in (
            ("train", 320, 3394, 48_000, 3160),
            ("dev", 40, 1009, 7_000, 836),
            ("test", 60, 1287, 8_100, 1079),
        )
    )
    results = Results(
        title,
        metric,
        task,
        tags,
        splits,
        {
            name: {
                "model": f"models/{name}",
                "num_layers": n,
                "hidden_size": size,
                "weights": {"model.safetensors": fingerprint},
                "precision": "float32",
            }
            for name, (n, size) in encoders.items()
        },
        all_choices,
        tuple(rows),
        tuple(runs),
        tuple(paired),
        tuple(confusions),
        disagreements,
        maps,
        {
            "command": "embedpipe compare configs/compare.jsonnet -o comparison",
            "fingerprint": fingerprint,
            "versions": {"embedpipe": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0"},
            "config": {
                "task": dict(task),
                "encoders": {name: {"type": "transformer", "model": name} for name in encoders},
                "seeds": list(range(seeds)),
            },
        },
        (Baseline("most_frequent_of_word", {metric: 0.2345}),),
        ("Of the corpus, 403 duplicates are left out.",),
    )
    extraction = {
        f"{name}/sentence/{split.name}": {
            "seconds": split.num_words / 900,
            "words": float(split.num_words),
            "bytes": split.num_words * 10_752.0,
        }
        for name in encoders
        for split in splits
    }
    machine = {"date": "2026-11-20 14:03", "cpu": "2 cores, x86_64", "memory": "16 GB", "gpu": None}
    return results, Timings(extraction, training, machine)


HOSTILE = "<script>alert('x')</script>"


def ner_disagreements(count: int = 20) -> tuple[Disagreement, ...]:
    words = ("Yesterday", "Washington", "beat", "the", "New", "York", "Giants", "at", HOSTILE, "&", "Sons", "Stadium", ".")
    gold = (
        "O",
        "B-group",
        "O",
        "O",
        "B-group",
        "I-group",
        "I-group",
        "O",
        "B-location",
        "I-location",
        "I-location",
        "I-location",
        "O",
    )
    place = ("O", "B-location", "O", "O", "B-location", "I-location", "O", "O", "O", "O", "O", "B-location", "O")
    half = ("O", "B-location", *gold[2:])
    predicted = {
        "sum_last_four": gold,
        "concat_last_four": gold,
        "mix_all": gold,
        "last": half,
        "layer_4": half,
        "embeddings": place,
        "layer_1": place,
    }
    heads = (("minilm", "linear"), ("mpnet", "bilstm_crf"))
    return tuple(
        Disagreement(*heads[i % 2][:1], "sentence", heads[i % 2][1], f"news-{i}/3", words, gold, predicted)
        for i in range(count)
    )


def word_map(encoder: str, lemma: str, num_layers: int, count: int, senses: tuple[str, ...], seed: int = 3) -> WordMap:
    random_ = random.Random(seed)
    chosen = [min(int(random_.expovariate(1.1)), len(senses) - 1) for _ in range(count)]
    occurrences = []
    for i, sense in enumerate(chosen):
        before = f"In the report of that year, number {i}, they had walked along "
        text = f"{before}{lemma} until the evening came & {HOSTILE if i == 0 else 'the water rose'}, as the older people of the town still like to tell."
        occurrences.append(Occurrence(f"doc-{i // 7}/{i}", lemma, senses[sense], text, (len(before), len(before) + len(lemma))))
    panels: dict[str, list[tuple[float, float]]] = {"static": [(0.0, 0.0)] * count}
    separation, explained = {"static": chosen.count(0) / count}, {"static": float("nan")}
    noise = [(random_.gauss(0, 1), random_.gauss(0, 1)) for _ in chosen]
    for layer in range(num_layers + 1):
        pull = 3.2 * (1 - abs(layer / num_layers - 0.75)) * layer / num_layers
        centres = [(pull * x, pull * y) for x, y in ((1, 0.4), (-0.9, 0.9), (-0.3, -1.2), (1.3, -1.1), (0, 1.6), (2, 2))]
        panels[f"layer {layer}"] = [
            (
                centres[s][0] + noise[i][0] * 0.7 + random_.gauss(0, 0.15),
                centres[s][1] + noise[i][1] * 0.7 + random_.gauss(0, 0.15),
            )
            for i, s in enumerate(chosen)
        ]
        separation[f"layer {layer}"] = min(0.55 + 0.14 * pull, 0.98)
        explained[f"layer {layer}"] = 0.2 + 0.05 * pull
    return WordMap(encoder, lemma, tuple(occurrences), panels, explained, separation)


NER_TYPES = ("person", "location", "group", "corporation", "creative-work", "product")
SENSES = ("edge of a river", "money house", "row of things", "to lean a plane", "store of blood")


def ner(num_uses: int = 180) -> tuple[Results, Timings]:
    maps = tuple(word_map(name, "bank", layers, num_uses, SENSES) for name, (layers, _) in ENCODERS.items())
    maps += (word_map("minilm", "stick", 6, 41, SENSES[:3], seed=9),)
    tags = ("O", *(f"{b}-{name}" for name in NER_TYPES for b in "BI"))
    return results_of(
        task={"type": "ner", "label": "ner"},
        metric="f1",
        types=NER_TYPES,
        tags=tags,
        title="Layers for entities in tweets & news",
        disagreements=ner_disagreements(),
        maps=maps,
    )


POS = (
    "NOUN",
    "VERB",
    "PUNCT",
    "PRON",
    "ADP",
    "DET",
    "PROPN",
    "ADJ",
    "AUX",
    "ADV",
    "CCONJ",
    "PART",
    "NUM",
    "SCONJ",
    "X",
    "INTJ",
    "SYM",
)


def pos() -> tuple[Results, Timings]:
    words = ("They", "can", "fish", "that", "well", "-")
    gold = ("PRON", "AUX", "VERB", "ADV", "ADV", "")  # the last word has no label
    other = ("PRON", "VERB", "NOUN", "SCONJ", "ADV", "")
    disagreements = tuple(
        Disagreement(
            "minilm", "sentence", "linear", f"ewt-{i}", words, gold, {"last": gold, "layer_2": other, "embeddings": other}
        )
        for i in range(3)
    )
    return results_of(
        task={"type": "word_labels", "label": "upos"},
        metric="accuracy",
        types=POS,
        tags=POS,
        heads=("linear",),
        best=0.941,
        tuned=False,
        disagreements=disagreements,
    )


def sentences() -> tuple[Results, Timings]:
    text = "Win a free ticket now! Text YES to 80086 to claim <b>your</b> prize, or call us. " * 3
    disagreements = (
        Disagreement("minilm", "sentence", "linear", "sms-17", (text,), ("spam",), {"last": ("spam",), "embeddings": ("ham",)}),
    )
    return results_of(
        task={"type": "sentence_labels", "label": "class"},
        metric="accuracy",
        types=("ham", "spam"),
        tags=("ham", "spam"),
        heads=("linear", "k_nearest"),
        best=0.945,
        disagreements=disagreements,
    )


def tiny() -> tuple[Results, Timings]:
    return results_of(
        task={"type": "ner", "label": "ner"},
        metric="f1",
        types=("PER",),
        tags=("O", "B-PER", "I-PER"),
        encoders={"minilm": (6, 384)},
        heads=("linear",),
        seeds=1,
        tuned=False,
        only=("last",),
    )
