"""Results are read as they were written, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from comparison_samples import Extraction, comparison
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.errors import FeaturesError, FormatVersionError
from embedpipe.experiment.compare import compare
from embedpipe.experiment.results import Results, Timings
from embedpipe.experiment.results_file import read_results, read_timings, write_results, write_timings

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation."""
    origin, args = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return st.builds(hint, **{name: any_of(part) for name, part in get_type_hints(hint).items()})
    if hint is Any:
        return st.none() | texts | numbers | st.lists(st.integers(), max_size=2)
    if origin is Mapping:
        return st.dictionaries(texts, any_of(args[1]), max_size=2)
    if origin is tuple and args[-1] is not Ellipsis:
        return st.tuples(*map(any_of, args))
    if origin in (tuple, Sequence):
        return st.lists(any_of(args[0]), max_size=2).map(tuple)
    plain = {str: texts, int: st.integers(), float: numbers, bool: st.booleans(), type(None): st.none()}
    return plain[hint] if hint in plain else st.one_of(*map(any_of, args))


@settings(max_examples=30, deadline=None)
@given(any_of(Results))
def test_any_results_are_read_as_they_were_written(tmp_path_factory, results):
    path = tmp_path_factory.mktemp("results") / "results.json"
    write_results(results, path)
    assert read_results(path) == results
    first = path.read_bytes()
    write_results(read_results(path), path)
    assert path.read_bytes() == first


@settings(max_examples=20, deadline=None)
@given(any_of(Timings))
def test_any_timings_are_read_as_they_were_written(tmp_path_factory, timings):
    path = tmp_path_factory.mktemp("timings") / "timings.json"
    write_timings(timings, path)
    assert read_timings(path) == timings


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("read")
    compare(comparison(choices=("last", "embeddings"), seeds=(0,)), folder, extract=Extraction())
    return json.loads((folder / "results.json").read_bytes())


def _without(content: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: _without(found, "rows"), "the file: missing: rows"),
        (lambda found: found | {"more": 1}, "the file: unknown: more"),
        (lambda found: found | {"title": 3}, "title: expected str, found int"),
        (lambda found: found | {"rows": [found["rows"][0] | {"mean": "high"}]}, r"rows\[0\].mean: expected float, found str"),
        (lambda found: found | {"runs": {}}, "runs: expected list, found dict"),
        (lambda found: _without(found, "format"), "its 'format' is None, expected 1"),
        (lambda found: [found], "expected an object, found list"),
    ],
)
def test_what_is_not_as_it_is_written_is_refused_with_its_place(tmp_path, content, change, message):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(change(content)))
    with pytest.raises(FeaturesError, match=message):
        read_results(path)


def test_results_of_a_newer_version_say_so(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content | {"format": 2}))
    with pytest.raises(FormatVersionError, match="has format 2, and this embedpipe reads up to 1"):
        read_results(path)


@pytest.mark.parametrize(
    ("found", "message"), [(None, "No such file"), (b"\x00\xff", "it is not JSON"), (b'{"a', "it is not JSON")]
)
def test_a_file_that_is_none_is_refused(tmp_path, found, message):
    path = tmp_path / "results.json"
    if found is not None:
        path.write_bytes(found)
    with pytest.raises(FeaturesError, match=message):
        read_results(path)
