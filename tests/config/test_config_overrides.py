"""Changing single values: --overrides."""

import pytest

from embedpipe.config import evaluate, load_config
from embedpipe.errors import ConfigError

CONFIG = {
    "corpus": {"type": "words", "path": ["a.txt", "b.txt"]},
    "encoder": "transformer",
    "views": {"last": {"layers": "last"}, "sum": {"layers": {"type": "sum", "layers": [1, 2]}}, "a.b": {"layers": "last"}},
}


def mistakes_of(overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, overrides=overrides)
    return caught.value.source, list(caught.value.mistakes)


def test_a_dotted_key_reaches_in_and_an_object_is_merged_deeply():
    overrides = '{ "encoder.precision": "bfloat16", "views.last.layers": "all", encoder: { device: "cpu" }, views+: { x: { layers: "first" } } }'
    job = load_config(CONFIG, overrides=overrides).job
    assert (job.encoder.precision, job.encoder.device, job.encoder.model) == ("bfloat16", "cpu", "minilm")
    assert job.views["last"].layers.stacked
    assert list(job.views) == ["a.b", "last", "sum", "x"]


def test_a_dict_and_jsonnet_with_external_variables_override_alike():
    text = '{ "batching.budget_subwords": std.parseInt(std.extVar("N")) * 2 }'
    by_text = evaluate(CONFIG, overrides=text, ext_vars={"N": "64"})
    assert by_text == evaluate(CONFIG, overrides={"batching": {"budget_subwords": 128}})
    assert by_text["batching"] == {"budget_subwords": 128}


def test_a_list_is_replaced_whole_and_a_number_reaches_one_element():
    assert evaluate(CONFIG, overrides={"corpus.path": ["c"]})["corpus"]["path"] == ["c"]
    assert evaluate(CONFIG, overrides={"corpus.path.1": "c"})["corpus"]["path"] == ["a.txt", "c"]
    assert evaluate(CONFIG, overrides={"views.sum.layers.layers.0": -1})["views"]["sum"]["layers"]["layers"] == [-1, 2]


def test_another_type_replaces_the_component_and_the_same_type_changes_it():
    changed = evaluate(CONFIG, overrides={"views.sum.layers": {"type": "concat", "layers": [3]}, "corpus.type": "words"})
    assert changed["views"]["sum"]["layers"] == {"type": "concat", "layers": [3]}
    assert changed["corpus"] == CONFIG["corpus"]
    changed = evaluate(CONFIG, overrides={"corpus.path": "c.jsonl", "corpus.type": "jsonl", "corpus.text": "body"})
    assert changed["corpus"] == {"type": "jsonl", "path": "c.jsonl", "text": "body"}


def test_a_key_with_a_dot_in_the_config_is_found_and_one_inside_a_value_is_taken_as_it_is():
    changed = evaluate(CONFIG, overrides={"views.a.b.unit": "sentence", "views": {"c.d": {"layers": "first"}}})
    assert changed["views"]["a.b"] == {"layers": "last", "unit": "sentence"}
    assert changed["views"]["c.d"] == {"layers": "first"}


def test_overriding_leaves_the_given_dict_as_it_was():
    before = repr(CONFIG)
    load_config(CONFIG, overrides={"corpus.path.0": "z", "views.last.layers": "all", "encoder.device": "cpu"})
    assert repr(CONFIG) == before


@pytest.mark.parametrize(
    ("overrides", "source", "mistake"),
    [
        ("{a: }", "--overrides", '--overrides:1:5: unexpected: "}" while parsing terminal.'),
        ("[1]", "--overrides", "it is a list; expected an object: { ... }."),
        ({"a": {1}}, "--overrides", "a: {1} is a set, which no config file can hold."),
        (
            '{a: std.extVar("X")}',
            "--overrides",
            "--overrides:1:5: the external variable 'X' is not given; give it with --ext-var X=value.",
        ),
        ({"encoder": "transformer", "encoder.device": "cpu"}, "--overrides", "encoder: is given twice."),
        ({"encoder.device": "cpu", "encoder": {"device": "cpu"}}, "--overrides", "encoder.device: is given twice."),
        ({"corpus.path.2": "c"}, "--overrides", "corpus.path.2: the list has 2 elements, counted from 0."),
        (
            {"encoder.prcision": "float16"},
            "the config given as a dict",
            "encoder.prcision: is not a field of 'transformer'. Did you mean 'precision'? Fields: model, revision, precision, device, allow_pickle.",
        ),
        (
            {"corpus.path.x": "c"},
            "the config given as a dict",
            "corpus.path: got an object; expected a string or a list of strings.",
        ),
    ],
)
def test_a_wrong_override_is_told(overrides, source, mistake):
    assert mistakes_of(overrides) == (source, [mistake])
