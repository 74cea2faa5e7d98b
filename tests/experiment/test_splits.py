"""Parts that share no sentence, whatever the corpus is like."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from comparison_samples import Given
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.errors import FeaturesError
from embedpipe.experiment.splits import PARTS, Files, Pool, RandomSplits, assign, first_of_each

CORPUS = Given(())


def pool(documents, texts=None, start=0):
    documents = list(documents)
    count = len(documents)
    names = [f"{start}/{number}" for number in range(count)]
    return Pool(np.arange(start, start + count), names, documents, list(texts or names))


def numbers(division):
    return {name: part.sentences.tolist() for name, part in division.parts.items()}


documents = st.lists(st.integers(0, 30).map(str), min_size=60, max_size=120)
texts = st.lists(st.sampled_from(["a", "A", "a b", "A  b", "c", "d", *map(str, range(60))]), min_size=60, max_size=60)


@given(documents, st.integers(0, 5))
def test_random_parts_share_no_document_and_leave_none_out(names, seed):
    corpus = pool(names)
    try:
        division = RandomSplits(CORPUS, seed=seed).divide({"corpus": corpus})
    except FeaturesError:  # a few large documents
        return
    parts = numbers(division)
    assert sorted(chain(*parts.values())) == list(range(len(names)))
    of_part = [{names[number] for number in parts[name]} for name in PARTS]
    assert not any(one & other for one, other in combinations(of_part, 2))


@given(texts, st.integers(0, 5), st.sampled_from(["document", "sentence"]))
def test_no_text_is_in_two_parts_after_deduplication(found, seed, by):
    corpus = pool(map(str, range(len(found))), found)
    try:
        division = RandomSplits(CORPUS, by=by, seed=seed).divide({"corpus": corpus})
    except FeaturesError:  # nearly all the same
        return
    of_part = [{" ".join(found[number].split()).casefold() for number in part} for part in numbers(division).values()]
    assert not any(one & other for one, other in combinations(of_part, 2))
    assert sum(map(len, of_part)) == sum(map(len, numbers(division).values()))


def test_duplicates_are_counted_in_a_note_and_kept_where_that_is_wished():
    found = ["Same text", "same  TEXT ", *map(str, range(40))]
    corpus = pool(map(str, range(42)), found)
    once = RandomSplits(CORPUS).divide({"corpus": corpus})
    assert sum(map(len, numbers(once).values())) == 41
    assert once.notes[0].startswith("1 of 42 sentences were left out before splitting")
    twice = RandomSplits(CORPUS, deduplicate=False).divide({"corpus": corpus})
    assert sum(map(len, numbers(twice).values())) == 42
    assert not twice.notes


def test_parts_have_the_sizes_that_were_asked_for():
    division = RandomSplits(CORPUS, fractions=(0.5, 0.2, 0.3), by="sentence").divide({"corpus": pool(["one"] * 200)})
    assert [len(part) for part in numbers(division).values()] == [100, 40, 60]


def test_the_same_seed_divides_alike_for_ever_and_another_one_otherwise():
    corpus = pool(map(str, range(20)))
    first = numbers(RandomSplits(CORPUS).divide({"corpus": corpus}))
    assert (first["dev"], first["test"]) == ([3, 5, 10, 17], [2, 12, 16, 19])
    assert first == numbers(RandomSplits(CORPUS).divide({"corpus": corpus}))
    assert first != numbers(RandomSplits(CORPUS, seed=1).divide({"corpus": corpus}))


def test_a_document_more_moves_few_of_the_others():
    names = [str(number) for number in range(200)]
    before = {number: place for place, part in enumerate(assign(names, (0.6, 0.2, 0.2), 0)) for number in part.tolist()}
    after = {
        number: place for place, part in enumerate(assign([*names, "more"], (0.6, 0.2, 0.2), 0)) for number in part.tolist()
    }
    assert sum(before[number] != after[number] for number in before) <= 4


def test_a_part_without_a_sentence_is_an_error_that_says_what_to_do():
    with pytest.raises(FeaturesError, match=r"the part 'dev' has no sentence.*There are 3 documents.*by: \"sentence\""):
        RandomSplits(CORPUS).divide({"corpus": pool(["a", "b", "c"])})


def test_files_are_taken_as_they_are():
    splits = Files(CORPUS, CORPUS, CORPUS)
    division = splits.divide({"train": pool("ab"), "dev": pool("c", start=5), "test": pool("de", start=9)})
    assert numbers(division) == {"train": [0, 1], "dev": [5], "test": [9, 10]}
    assert [part.corpus for part in division.parts.values()] == list(splits.corpora) == ["train", "dev", "test"]
    assert not division.notes


@pytest.mark.parametrize(("names", "unit"), [([f"doc-{n // 3}" for n in range(90)], "document"), (["one"] * 90, "sentence")])
def test_without_a_development_file_a_part_of_training_is_kept_out(names, unit):
    splits = Files(CORPUS, CORPUS, dev_fraction=0.2)
    assert list(splits.corpora) == ["train", "test"]
    division = splits.divide({"train": pool(names), "test": pool("xy", start=200)})
    parts = numbers(division)
    assert sorted(parts["train"] + parts["dev"]) == list(range(90))
    assert len(parts["dev"]) == pytest.approx(18, abs=2)
    assert division.parts["dev"].corpus == "train"
    assert f"of the 90 training sentences, chosen by {unit}" in division.notes[0]
    if unit == "document":
        assert not {names[number] for number in parts["train"]} & {names[number] for number in parts["dev"]}


def test_test_sentences_that_training_has_too_are_counted_in_a_note():
    pools = {"train": pool("ab", ["Hello there", "x"]), "dev": pool("c"), "test": pool("de", ["hello  there", "y"], start=9)}
    assert Files(CORPUS, CORPUS, CORPUS).divide(pools).notes == (
        "1 of the 2 test sentences have a text that is in train, too.",
    )


@given(st.lists(st.text(max_size=3), max_size=30))
def test_the_first_of_equal_texts_is_the_one_that_stays(found):
    kept = first_of_each(found).tolist()
    folded = [" ".join(text.split()).casefold() for text in found]
    assert kept == [number for number, text in enumerate(folded) if text not in folded[:number]]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [((0.5, 0.5), "give three above 0"), ((0.5, 0.5, 0.0), "give three above 0"), ((0.6, 0.3, 0.2), "add up to 1.1")],
)
def test_fractions_that_make_no_parts_are_refused(fractions, message):
    with pytest.raises(ValueError, match=f"fractions: .*{message}"):
        RandomSplits(CORPUS, fractions)
