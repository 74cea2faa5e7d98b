from __future__ import annotations

import dataclasses

import pytest
import synthetic_results
from hypothesis import assume, given
from hypothesis import strategies as st

from embedpipe.experiment.results import Disagreement, Results, Timings
from embedpipe.report import numbers, table
from embedpipe.report.examples import example
from embedpipe.report.figures.cost import in_words
from embedpipe.report.groups import Group, groups_of, without_repeats
from embedpipe.report.headline import headline, main_group
from embedpipe.report.heat import per_type

NO_TIMINGS = Timings({}, {}, {})


def small(only: tuple[str, ...], means: dict[str, float], best: tuple[str, ...], **more: object) -> Results:
    results, _ = synthetic_results.results_of(
        task={"type": "ner", "label": "ner"},
        metric="f1",
        types=("PER",),
        tags=("O", "B-PER"),
        encoders={"mpnet": (12, 768)},
        heads=("linear",),
        only=only,
        **more,
    )
    rows = tuple(
        dataclasses.replace(
            row,
            mean=means[row.choice],
            low=means[row.choice],
            high=means[row.choice],
            sd=0.003,
            dev_mean=means[row.choice],
            best=row.choice in best,
        )
        for row in results.rows
    )
    return dataclasses.replace(results, rows=rows)


def only_group(results: Results) -> Group:
    (group,) = groups_of(results, NO_TIMINGS)
    return group


def said(results: Results) -> tuple[str, str]:
    found = headline(results, groups_of(results, NO_TIMINGS))
    return found.lead, " ".join(found.more)


def test_headline_names_the_best_what_is_as_good_and_what_it_costs() -> None:
    results = small(
        ("concat_last_four", "sum_last_four", "layer_1"),
        {"concat_last_four": 0.6812, "sum_last_four": 0.68, "layer_1": 0.5},
        ("concat_last_four", "sum_last_four"),
        tuned=False,
    )
    lead, more = said(results)
    assert lead == "The concatenation of the last four layers is best: 68.1 ± 0.3 F1."
    assert "Not told apart from it: the sum of the last four layers (" in more
    assert "It costs 12,288 bytes a word, four times as much as the sum of the last four layers, which is as good" in more
    assert "Without vectors, the most frequent label of the same word in the training sentences reaches 23.4." in more


def test_headline_says_when_every_other_choice_is_worse() -> None:
    results = small(("last", "layer_1"), {"last": 0.68, "layer_1": 0.5}, ("last",), tuned=False)
    assert "Each other choice is worse, and told apart from it" in said(results)[1]


def test_headline_warns_where_seeds_might_turn_the_order_round() -> None:
    results = small(("last", "layer_1"), {"last": 0.68, "layer_1": 0.5}, ("last",), tuned=False)
    assert "more seeds would tell" not in said(results)[1]
    wide = tuple(dataclasses.replace(row, low=row.mean - 0.1, high=row.mean + 0.1) for row in results.rows)
    assert "interval of layer 1 reaches into its own: more seeds" in said(dataclasses.replace(results, rows=wide))[1]


def test_headline_says_what_the_development_sentences_would_have_chosen() -> None:
    results = small(("last", "layer_1"), {"last": 0.68, "layer_1": 0.5}, ("last",), tuned=False)
    assert "The development sentences choose the same one." in said(results)[1]
    rows = tuple(dataclasses.replace(row, dev_mean=1 - row.mean) for row in results.rows)
    assert "would have chosen layer 1 (50.0 F1 on the test sentences)" in said(dataclasses.replace(results, rows=rows))[1]


def test_fine_tuning_never_wins_but_is_said() -> None:
    results = small(("last", "layer_1", "fine_tuned"), {"last": 0.68, "layer_1": 0.5, "fine_tuned": 0.7}, ("last",))
    lead, more = said(results)
    assert lead.startswith("The last layer is best")
    assert "Fine-tuning the encoder reaches 70.0 ± 0.3 (+2.0 points)." in more


def test_same_layer_under_two_names_is_no_rival_of_itself() -> None:
    results = small(
        ("last", "layer_12", "layer_1"), {"last": 0.68, "layer_12": 0.68, "layer_1": 0.5}, ("last", "layer_12"), tuned=False
    )
    group = only_group(results)
    assert group.tied == ()
    assert [line.choice.layer for line in without_repeats(group.lines)] == [1, 12]


def test_smallest_that_is_as_good_is_found() -> None:
    results = small(
        ("mix_all", "concat_last_four", "layer_9", "layer_8"),
        {"mix_all": 0.7, "concat_last_four": 0.699, "layer_9": 0.695, "layer_8": 0.6},
        ("mix_all", "concat_last_four", "layer_9"),
        tuned=False,
    )
    assert only_group(results).smallest.choice.name == "layer_9"


def test_cost_is_said_as_a_multiple_of_the_smallest() -> None:
    results = small(
        ("sum_last_four", "concat_last_four"),
        {"sum_last_four": 0.68, "concat_last_four": 0.682},
        ("concat_last_four",),
        tuned=False,
    )
    assert in_words(only_group(results), "word").endswith("Concat last four costs four times the disk, for +0.2 points.")


def test_main_group_is_the_one_with_the_best_score() -> None:
    results, _ = synthetic_results.ner(num_uses=3)
    groups = groups_of(results, NO_TIMINGS)
    found = main_group(groups)
    assert found is not None
    assert found.best.row.mean == max(row.mean for row in results.rows if row.choice != "fine_tuned")
    assert len(groups) == 4
    assert all(group.references[0].row.encoder == group.encoder for group in groups)


def test_terminal_table_is_aligned_and_has_every_row() -> None:
    results, _ = synthetic_results.ner(num_uses=3)
    lines = table(results).splitlines()
    for row in results.rows:
        assert any(
            line[3:].startswith(row.choice + " ") and numbers.plus_minus(row.mean, row.sd, row.num_seeds) in line
            for line in lines
        )
    blocks = [block.splitlines() for block in table(results).split("\n\n")[:-1]]
    assert len(blocks) == 4
    for block in blocks:
        ends = {line.index("±") for line in block[2:]}
        assert len(ends) == 1
        assert sum(line.startswith("*") for line in block) >= 1


def test_terminal_table_counts_wide_characters_twice() -> None:
    results = small(("last", "layer_1"), {"last": 0.68, "layer_1": 0.5}, ("last",), tuned=False)
    wide = {
        name: tuple(dataclasses.replace(choice, name="最終層") if choice.name == "last" else choice for choice in found)
        for name, found in results.choices.items()
    }
    rows = tuple(dataclasses.replace(row, choice="最終層") if row.choice == "last" else row for row in results.rows)
    lines = table(dataclasses.replace(results, choices=wide, rows=rows)).splitlines()
    plain = next(line for line in lines if "layer_1" in line)
    assert next(line for line in lines if "最終層" in line).index("±") + 3 == plain.index("±")


def test_terminal_table_ends_with_notes_and_names_poolings_that_compete() -> None:
    results = small(("last",), {"last": 0.68}, ("last",), tuned=False)
    mean = dataclasses.replace(results.rows[0], pooling="mean", mean=0.6, best=False)
    text = table(dataclasses.replace(results, rows=(*results.rows, mean)))
    assert "last, first" in text
    assert "last, mean" in text
    assert text.splitlines()[-1].strip() == results.notes[0]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1, "just"), (2, "twice"), (4, "four times"), (1.5, "1.5 times"), (13.0, "13 times"), (3.99, "four times")],
)
def test_multiples_are_words(ratio: float, words: str) -> None:
    assert numbers.times(ratio) == words


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (numbers.percent(float("nan")), "–"),
        (numbers.percent(-0.00001), "0.0"),
        (numbers.difference(-0.012), "−1.2"),
        (numbers.difference(0.004), "+0.4"),
        (numbers.interval(-0.009, 0.001), "−0.9 to 0.1"),
        (numbers.interval(float("nan"), 1.0), "–"),
        (numbers.plus_minus(0.681, 0.0, 1), "68.1"),
        (numbers.p_value(0.00001), "< 0.001"),
        (numbers.size(1536), "1,536 bytes"),
        (numbers.size(12_300_000), "12.3 MB"),
        (numbers.size(3.2e12), "3.2 TB"),
        (numbers.seconds(7.84), "7.8 s"),
        (numbers.seconds(7500), "2 h 5 min"),
        (numbers.seconds(None), "–"),
        (numbers.listed([]), ""),
        (numbers.listed(["a", "b", "c", "d"], 2), "a, b and 2 others"),
    ],
)
def test_numbers_are_written_for_readers(found: str, expected: str) -> None:
    assert found == expected


TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(*[st.lists(TAGS, min_size=n, max_size=n)] * 3)))
def test_examples_lose_no_word_in_their_window_and_mark_only_what_is_wrong(tags: tuple[list[str], ...]) -> None:
    gold, one, other = map(tuple, tags)
    assume({*gold, *one, *other} != {"O"})  # then nobody disagrees
    words = tuple(f"w{i}" for i in range(len(gold)))
    shown = example(Disagreement("e", "c", "h", "id", words, gold, {"one": one, "other": other, "gold": gold}), "e")
    assert shown.gold is None
    assert shown.readings[0].right
    sentences = {" ".join(piece.text for piece in reading.pieces) for reading in shown.readings}
    assert len(sentences) == 1
    kept = sentences.pop().replace("…", "").split()
    start = int(kept[0][1:])
    assert kept == list(words[start : start + len(kept)])
    assert all(piece.right for piece in shown.readings[0].pieces)


def test_rare_readings_are_counted_not_shown() -> None:
    words = tuple("abcdefghi")
    predicted = {f"layer_{i}": tuple("B-X" if j == i else "O" for j in range(9)) for i in range(9)}
    shown = example(Disagreement("e", "c", "h", "id", words, predicted["layer_8"], predicted), "e")
    assert shown.readings[0].choices == ("layer 8",)
    assert len(shown.readings) + shown.num_more == 9
    assert shown.num_more == 4


def test_gold_tags_are_shown_where_no_choice_has_them() -> None:
    shown = example(Disagreement("e", "c", "h", "id", ("Rome",), ("B-LOC",), {"last": ("B-PER",), "first": ("O",)}), "e")
    assert shown.gold is not None
    assert shown.gold[0].tag == "LOC"
    assert [(piece.tag, piece.right) for piece in shown.readings[0].pieces] == [("PER", False)]


def test_sentence_with_a_label_is_shown_once_above_its_readings() -> None:
    shown = example(Disagreement("e", "c", "h", "id", ("x " * 500,), ("spam",), {"last": ("spam",), "first": ("ham",)}), "e")
    assert shown.text.endswith(" …")
    assert [[(piece.text, piece.tag, piece.right) for piece in reading.pieces] for reading in shown.readings] == [
        [("", "spam", True)],
        [("", "ham", False)],
    ]


def test_words_without_a_gold_label_have_no_tag() -> None:
    shown = example(Disagreement("e", "c", "h", "id", ("a", "b"), ("NOUN", ""), {"x": ("VERB", ""), "y": ("NOUN", "")}), "e")
    assert [piece.tag for piece in shown.readings[0].pieces] == ["NOUN", None]


def test_types_are_the_mean_over_seeds_the_most_frequent_first() -> None:
    results, _ = synthetic_results.ner(num_uses=3)
    group = groups_of(results, NO_TIMINGS)[0]
    heat = per_type(group)
    assert heat is not None
    assert [name for name, _ in heat.columns] == list(synthetic_results.NER_TYPES)
    line = group.lines[0]
    mean = sum(run.per_type["person"]["f1"] for run in line.runs) / len(line.runs)
    assert heat.rows[0][1][0].text == numbers.percent(mean)
