"""A whole comparison, with made-up encoders and a head that counts."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparison_samples import Extraction, Given, MadeUp, Nearest, comparison, sentences

from embedpipe.dataflow import Sentence
from embedpipe.downstream.fine_tune import FineTune
from embedpipe.downstream.heads import LinearHead, Training
from embedpipe.errors import ConfigError, FeaturesError
from embedpipe.experiment.compare import compare
from embedpipe.experiment.comparison import Comparison
from embedpipe.experiment.results import Results
from embedpipe.experiment.results_file import read_results
from embedpipe.experiment.splits import Files, RandomSplits
from embedpipe.experiment.tasks import Ner, SentenceLabels, WordLabels, WordSense
from embedpipe.layers import Concat
from embedpipe.subwords import DocumentContext, SentenceContext


@pytest.fixture(autouse=True)
def none_trained():
    Nearest.trained.clear()


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("comparison")
    return compare(comparison(), folder, extract=Extraction(), provenance={"config": {"title": ""}}), folder


def test_every_choice_has_a_line_and_its_best_is_the_one_that_knows_most(done):
    results, _ = done
    assert [row.choice for row in results.rows] == [choice.name for choice in results.choices["made-up"]]
    assert max(results.rows, key=lambda row: row.mean).choice == "last"
    marked = {row.choice for row in results.rows if row.best}
    assert {"last", "layer_4"} <= marked
    assert "embeddings" not in marked


def test_the_same_vectors_under_two_names_are_trained_once_and_shown_under_both(done):
    results, _ = done
    by_choice = {}
    for run in results.runs:
        by_choice.setdefault(run.choice, []).append(run.key)
    assert by_choice["last"] == by_choice["layer_4"]
    assert by_choice["sum_last_four"] == by_choice["sum_all"]
    assert by_choice["mix_last_four"] == by_choice["mix_all"]
    assert by_choice["last"] != by_choice["second_to_last"]
    assert len(list((done[1] / "runs").iterdir())) == len({key for keys in by_choice.values() for key in keys}) == 18


def test_a_line_is_the_mean_over_its_runs(done):
    results, _ = done
    for row in results.rows:
        scores = [run.test["f1"] for run in results.runs if run.choice == row.choice]
        assert (row.num_seeds, row.mean) == (2, pytest.approx(np.mean(scores)))
        assert row.sd == pytest.approx(np.std(scores, ddof=1))
        assert row.bootstrap_low <= row.mean <= row.bootstrap_high
        assert row.low <= row.mean <= row.high
        assert {"precision", "recall", "token_f1", "accuracy"} <= set(row.other)


def test_each_two_choices_are_compared_once_the_better_one_second(done):
    results, _ = done
    means = {row.choice: row.mean for row in results.rows}
    pairs = {frozenset((pair.choice, pair.against)) for pair in results.paired}
    assert len(pairs) == len(results.paired) == len(means) * (len(means) - 1) // 2
    for pair in results.paired:
        assert pair.difference == pytest.approx(means[pair.choice] - means[pair.against])
        assert pair.difference <= 0
        assert pair.low <= pair.difference <= pair.high
        assert 0 < pair.p <= 1


def test_choices_say_what_they_take_and_what_the_paper_calls_them(done):
    choices = {choice.name: choice for choice in done[0].choices["made-up"]}
    num_words = sum(len(sentence.words) for sentence in sentences())
    assert (choices["last"].bytes_per_row, choices["last"].store_bytes) == (24, 24 * num_words)
    assert (choices["concat_last_four"].bytes_per_row, choices["concat_last_four"].vector_size) == (96, 24)
    assert (choices["mix_elmo"].bytes_per_row, choices["mix_elmo"].vector_size) == (120, 6)
    assert {name for name, choice in choices.items() if choice.paper_score} == {
        "embeddings",
        "second_to_last",
        "last",
        "sum_last_four",
        "concat_last_four",
        "sum_all",
    }
    assert (choices["mix_all"].learned_reading_of, choices["mix_all"].kind) == ("sum_all", "learned_mix")
    assert (choices["last"].layer, choices["concat_last_four"].layer) == (4, None)


def test_learned_mixes_keep_their_weights(done):
    mixes = {run.choice: run.mix for run in done[0].runs}
    assert mixes["last"] is None
    assert mixes["mix_elmo"] == {"layers": [0, 1, 2, 3, 4], "scalars": [0.0] * 5, "weights": [0.2] * 5, "gamma": 1.0}


def test_parts_are_described(done):
    train, dev, test = done[0].splits
    assert (train.name, dev.name, test.name) == ("train", "dev", "test")
    assert train.num_sentences + dev.num_sentences + test.num_sentences == 60
    assert train.num_documents + dev.num_documents + test.num_documents == 12
    assert train.num_rows == train.num_words > 0
    assert test.num_entities > 0
    assert test.files == ("given.txt",)
    assert len(test.features["made-up/sentence"]) == 64


def test_confusion_of_the_best_choice_counts_every_test_word_of_every_seed(done):
    results, _ = done
    (confusion,) = results.confusions
    assert (confusion.choice, confusion.tags) == ("last", ("LOC", "PER", "O"))
    assert np.sum(confusion.counts) == 2 * results.splits[2].num_words


def test_disagreements_are_test_sentences_on_which_choices_differ(done):
    results, _ = done
    assert 0 < len(results.disagreements) <= 30
    gold = {sentence.id: sentence.labels["ner"] for sentence in sentences()}
    for shown in results.disagreements:
        assert shown.gold == gold[shown.sentence_id]
        assert len({tags == shown.gold for tags in shown.predicted.values()}) == 2
        assert all(len(tags) == len(shown.words) for tags in shown.predicted.values())
    first = results.disagreements[0]
    assert first.predicted["last"] == first.gold


def test_the_csv_has_a_line_a_run(done):
    results, folder = done
    with (folder / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["key"] for line in lines] == [run.key for run in results.runs]
    assert [float(line["test_f1"]) for line in lines] == [run.test["f1"] for run in results.runs]
    assert {line["layers"] for line in lines if line["choice"] == "sum_all"} == {"1 2 3 4"}


def test_times_are_in_a_file_of_their_own(done):
    results, folder = done
    timings = json.loads((folder / "timings.json").read_text())
    assert timings["training"].keys() == {run.key for run in results.runs}
    assert timings["extraction"]["made-up/sentence/corpus"]["seconds"] == 1.5
    assert timings["machine"]["device"] == "cpu"
    assert "seconds" not in (folder / "results.json").read_text()


def test_what_is_returned_is_what_is_in_the_file(done):
    results, folder = done
    assert read_results(folder / "results.json") == results


def test_a_second_time_nothing_is_extracted_or_trained_and_the_bytes_are_the_same(done):
    results, folder = done
    before = (folder / "results.json").read_bytes()
    extraction = Extraction()
    assert compare(comparison(), folder, extract=extraction, provenance={"config": {"title": ""}}) == results
    assert (extraction.num_made, Nearest.trained) == (0, [])
    assert (folder / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "num_new"),
    [
        ({"seeds": (0, 1, 2)}, 2),
        ({"seeds": (1,)}, 0),
        ({"heads": {"renamed": Nearest()}}, 0),
        ({"encoders": {"renamed": MadeUp()}}, 0),
        ({"heads": {"nearest": Nearest(blur=0.1)}}, 4),
        ({"choices": ("last", "layer_4", "embeddings", "layer_1")}, 2),
        ({"task": WordLabels("ner")}, 4),
        ({"title": "Another title"}, 0),
    ],
)
def test_only_what_changed_is_trained_again(tmp_path, changes, num_new):
    asked = comparison(choices=("last", "embeddings"))
    compare(asked, tmp_path, extract=Extraction())
    Nearest.trained.clear()
    compare(replace(asked, **changes), tmp_path, extract=Extraction())
    assert len(Nearest.trained) == num_new


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"sha256": "0"}', b"[]", b"\xff\xfe", None])
def test_a_damaged_run_is_done_again_and_the_results_are_the_same(tmp_path, damage):
    asked = comparison(choices=("last", "embeddings"))
    results = compare(asked, tmp_path, extract=Extraction())
    file = sorted((tmp_path / "runs").iterdir())[0]
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"best_epoch": 1', b'"best_epoch": 2') if damage is None else damage)
    Nearest.trained.clear()
    assert compare(asked, tmp_path, extract=Extraction()) == results
    assert len(Nearest.trained) == 1


def test_a_head_that_makes_no_use_of_the_seed_is_trained_once_for_all_seeds(tmp_path):
    asked = comparison(choices=("last",), heads={"steady": Nearest(uses_seed=False)}, seeds=(3, 4, 5))
    results = compare(asked, tmp_path, extract=Extraction())
    (row,) = results.rows
    assert (row.num_seeds, row.sd, row.low, row.high) == (1, 0, row.mean, row.mean)
    compare(replace(asked, seeds=(9,)), tmp_path, extract=Extraction())
    assert len(Nearest.trained) == 1


def test_a_head_that_cannot_learn_a_mix_has_no_line_for_one_and_a_note_says_so(tmp_path):
    heads = {"nearest": Nearest(), "rigid": Nearest(learns_mix=False)}
    results = compare(comparison(choices=("last", "mix_all"), heads=heads), tmp_path, extract=Extraction())
    assert Counter((row.head, row.choice) for row in results.rows) == Counter(
        [("nearest", "last"), ("nearest", "mix_all"), ("rigid", "last")]
    )
    assert "The head 'rigid' cannot train a mix of layers and has no line for mix_all." in results.notes


def test_a_head_with_nothing_but_mixes_that_it_cannot_train_is_refused(tmp_path):
    asked = comparison(choices=("mixes",), heads={"rigid": Nearest(learns_mix=False)})
    with pytest.raises(ConfigError, match="all are learned mixes, which the head 'rigid' cannot train"):
        compare(asked, tmp_path, extract=Extraction())


def test_encoders_contexts_poolings_and_combinations_of_the_user_are_crossed(tmp_path):
    asked = comparison(
        choices=("last", "ends"),
        more_choices={"ends": Concat((0, -1))},
        encoders={"deep": MadeUp(), "flat": MadeUp(num_layers=1, hidden_size=3)},
        contexts={"alone": SentenceContext(), "around": DocumentContext()},
        poolings=("first", "mean"),
        seeds=(0,),
    )
    extraction = Extraction()
    results = compare(asked, tmp_path, extract=extraction)
    assert extraction.num_made == 4
    places = Counter((row.encoder, row.context, row.pooling, row.choice) for row in results.rows)
    assert len(places) == 16
    assert set(places.values()) == {1}
    assert {choice.vector_size for choice in results.choices["flat"]} == {3, 6}
    best = [row for row in results.rows if (row.encoder, row.context) == ("deep", "alone") and row.best]
    assert {row.pooling for row in best} == {"first", "mean"}  # the made-up vectors are the same


def test_an_encoder_of_few_layers_has_what_it_can_have(tmp_path):
    results = compare(comparison(encoders={"flat": MadeUp(num_layers=2)}), tmp_path, extract=Extraction())
    names = {choice.name for choice in results.choices["flat"]}
    assert "sum_last_four" not in names
    assert "sum_last_four is left out for flat: it needs 4 encoder layers, and the encoder has 2." in results.notes


def test_a_label_that_training_never_has_counts_as_wrong(tmp_path):
    train, test = (
        sentences(),
        (Sentence.from_words("t", "t", ["Erde", "is", "Berlin"], labels={"ner": ("B-STAR", "O", "B-LOC")}),),
    )
    test[0].labels.update(upos=("X", "O", "LOC"), sense=("_",) * 3, topic="topic 9")
    asked = comparison(splits=Files(Given(train), Given(test)), choices=("last",))
    results = compare(asked, tmp_path, extract=Extraction())
    assert results.tags == ("O", "B-LOC", "B-PER", "I-PER", "B-STAR")
    assert "Labels of test that training never has, and that count as wrong: B-STAR (1)." in results.notes
    assert all(run.test["recall"] <= 0.5 for run in results.runs)
    topics = compare(replace(asked, task=SentenceLabels("topic")), tmp_path / "topics", extract=Extraction())
    assert all(run.test["accuracy"] == 0 for run in topics.runs)


def test_labels_of_sentences_are_compared_with_vectors_of_sentences(tmp_path):
    asked = comparison(task=SentenceLabels("topic"), choices=("embeddings", "last"))
    results = compare(asked, tmp_path, extract=Extraction())
    assert (results.metric, results.task["type"], results.tags) == (
        "accuracy",
        "sentence_labels",
        ("topic 0", "topic 1", "topic 2"),
    )
    assert {row.pooling for row in results.rows} == {"mean"}
    assert results.rows[1].mean > results.rows[0].mean
    assert set(results.runs[0].test) == {"accuracy", "macro_f1"}
    assert [baseline.name for baseline in results.baselines] == ["majority"]
    assert {len(shown.words) for shown in results.disagreements} == {1}
    assert results.splits[0].num_rows == results.splits[0].num_sentences


def test_senses_are_told_within_their_lemma_beside_the_most_frequent_one(tmp_path):
    results = compare(comparison(task=WordSense(), choices=("embeddings", "last")), tmp_path, extract=Extraction())
    assert results.tags == ("bank.0", "bank.1", "stick.0", "stick.1")
    names = [baseline.name for baseline in results.baselines]
    assert names == ["most_frequent_of_word", "most_frequent_sense"]
    scores = {baseline.name: baseline.test["accuracy"] for baseline in results.baselines}
    assert scores["most_frequent_sense"] == scores["most_frequent_of_word"] > 0
    used = [word for sentence in sentences() for word in sentence.labels["sense"] if word != "_"]
    assert sum(split.num_rows for split in results.splits) == len(used)
    for shown in results.disagreements:
        assert all((tag == "") == (word not in ("bank", "stick")) for word, tag in zip(shown.words, shown.gold, strict=True))


def test_heads_are_given_the_lemma_of_each_row(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Nearest, "_mix", lambda head, train: seen.append(train) or None)
    compare(comparison(task=WordSense(), choices=("last",), seeds=(0,)), tmp_path, extract=Extraction())
    (train,) = seen
    assert set(train.groups) == {"", "bank", "stick"}
    named = train.codes >= 0
    assert [train.tags[code].split(".")[0] for code in train.codes[named]] == train.groups[named].tolist()
    assert set(train.groups[~named]) == {""}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Ner("nerr"), "has no label 'nerr'"),
        (
            Ner("topic"),
            "'topic' of .* is one a sentence, and the task 'ner' is about labels of words. It has: ner, upos, sense",
        ),
        (Ner("upos"), "has the tag 'LOC', and the task 'ner' is about BIO tags"),
        (SentenceLabels("ner"), "'ner' of .* is one a word"),
        (WordSense("upos"), "the sense 'O' .* does not start with a lemma"),
        (WordSense(lemma="topic"), "the lemma is one a word"),
        (WordLabels("sense", missing="bank.0"), None),
    ],
)
def test_a_label_that_is_not_what_the_task_is_about_is_refused_before_any_training(tmp_path, task, message):
    if message is None:
        assert "_" in compare(comparison(task=task, choices=("last",)), tmp_path, extract=Extraction()).tags
        return
    with pytest.raises(FeaturesError, match=message):
        compare(comparison(task=task), tmp_path, extract=Extraction())
    assert not Nearest.trained


def test_labels_that_never_differ_are_refused(tmp_path):
    same = tuple(replace(sentence, labels={**sentence.labels, "topic": "one"}) for sentence in sentences())
    asked = comparison(task=SentenceLabels("topic"), splits=RandomSplits(Given(same)))
    with pytest.raises(FeaturesError, match="every labelled sentence of the training part is 'one'"):
        compare(asked, tmp_path, extract=Extraction())


def test_stores_of_other_sentences_are_not_compared(tmp_path):
    extraction = Extraction()
    compare(comparison(choices=("last",)), tmp_path, extract=extraction)
    changed = RandomSplits(Given(sentences(40)))
    asked = comparison(choices=("last",), splits=changed, encoders={"made-up": MadeUp(), "new": MadeUp(salt="new")})
    with pytest.raises(FeaturesError, match=r"do not have the same sentences and labels.*Its files have changed in between"):
        compare(asked, tmp_path, extract=extraction)


def test_a_real_head_is_trained_on_the_stores(tmp_path):
    head = LinearHead(Training(epochs=8, learning_rate=0.05, device="cpu"))
    asked = comparison(choices=("last", "mix_elmo"), heads={"linear": head}, seeds=(0,))
    results = compare(asked, tmp_path, extract=Extraction())
    mixed = next(run for run in results.runs if run.choice == "mix_elmo")
    assert sum(mixed.mix["weights"]) == pytest.approx(1, abs=1e-4)
    assert 1 <= mixed.best_epoch <= 8
    assert next(row for row in results.rows if row.choice == "last").mean > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoders": {}}, "encoders: is empty"),
        ({"seeds": ()}, "seeds: is empty"),
        ({"seeds": (1, 1)}, "seeds: .* has one twice"),
        ({"heads": {"a/b": Nearest()}}, "heads: 'a/b' names files"),
        ({"choices": ("lasst",)}, "choices: 'lasst' is none"),
        ({"poolings": ("cls",)}, "poolings: 'cls' is not for words; choose of first, last, mean, max"),
        ({"poolings": ()}, "poolings: is empty"),
        ({"task": SentenceLabels("topic"), "maps": ("bank",)}, "maps: the task's label is one of sentences"),
        ({"fine_tune": FineTune()}, "fine_tune: the encoder 'made-up' is of a type whose weights cannot be trained"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_read(changes, message):
    with pytest.raises(ValueError, match=message):
        comparison(**changes)


def test_a_comparison_asks_for_little():
    asked = Comparison(task=Ner(), splits=RandomSplits(Given(())), encoders={"one": MadeUp()})
    assert (asked.pooling_names("one"), asked.sense_label, list(asked.heads)) == (("first",), "ner", ["linear"])
    assert replace(asked, task=SentenceLabels("topic")).pooling_names("any") == ("mean",)
