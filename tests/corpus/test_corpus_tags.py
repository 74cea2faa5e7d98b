"""BIO conversion against entities told in another way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.corpus.tags import to_bio

entities = st.lists(st.tuples(st.sampled_from(["O", "PER", "creative-work", "loc"]), st.integers(1, 4)), max_size=8)
"""Stretches of one type and their lengths; the truth that the schemes below write down."""


def spans_of(entities):
    position, spans = 0, []
    for type, length in entities:
        if type != "O":
            spans.append((position, position + length, type))
        position += length
    return spans


def write_bio(entities):
    return [t if t == "O" else ("I-" if k else "B-") + t for t, n in entities for k in range(n)]


def write_iob1(entities):
    tags, before = [], "O"
    for type, length in entities:
        for k in range(length):
            tags.append(type if type == "O" else ("B-" if k == 0 and before == type else "I-") + type)
        before = type
    return tags


def write_pieces(entities, begin, inside, end, single):
    return [
        t if t == "O" else (single if n == 1 else begin if k == 0 else end if k == n - 1 else inside) + "-" + t
        for t, n in entities
        for k in range(n)
    ]


def spans_in(tags):
    """The spans of strict BIO, found by looking at where each entity starts."""
    starts = [index for index, tag in enumerate(tags) if tag.startswith("B-")]
    spans = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end] == "I-" + tags[start][2:]:
            end += 1
        spans.append((start, end, tags[start][2:]))
    assert sum(end - start for start, end, _ in spans) == sum(tag != "O" for tag in tags)
    return spans


@given(entities)
def test_every_scheme_gives_the_entities_that_were_written(entities):
    expected = spans_of(entities)
    schemes = [write_bio(entities), write_iob1(entities)]
    schemes += [write_pieces(entities, *letters) for letters in ("BIES", "BILU", "BMES")]
    for tags in schemes:
        assert spans_in(to_bio(tags)) == expected


any_tags = st.lists(
    st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BIESLUM"), st.sampled_from(["X", "Y-Z"])))
)


@given(any_tags)
def test_conversion_is_idempotent_keeps_rows_and_types_and_yields_strict_bio(tags):
    converted = to_bio(tags)
    assert to_bio(converted) == converted
    assert [tag[2:] for tag in converted] == [tag[2:] for tag in tags]
    spans_in(converted)


@pytest.mark.parametrize("tags", [["NN", "O"], ["B", "I", "O"], ["B-"], ["X-PER"], ["b-per"], ["", "O"], ["B-X", "_"]])
def test_labels_that_are_no_entity_tags_stay_as_they_are(tags):
    assert to_bio(tags) == tuple(tags)


def test_an_inside_tag_after_another_type_starts_an_entity():
    assert to_bio(["I-A", "I-B", "O", "I-B"]) == ("B-A", "B-B", "O", "B-B")
