"""Wrong configs: which mistakes are found, and how they are told."""

import copy
import sys

import pytest

from embedpipe.config import load_config
from embedpipe.config.registry import known
from embedpipe.errors import ConfigError

LAYERS = (
    "Known: all, concat, concat_last_four, embeddings, first, last, layer, mean, mean_all, mean_last_four, scalar_mix, "
    "second_to_last, stack, sum, sum_all, sum_last_four, weighted_sum."
)
ENCODERS = f"Known: {', '.join(known('encoder'))}."
CORPORA = "Known: conll2003, conllu, csv, jsonl, lines, tsv, words."
VIEW = "Fields: layers, unit, pooling, of."
GOOD = {
    "corpus": {"type": "words", "path": "a.txt"},
    "encoder": {"type": "transformer"},
    "views": {"last": {"layers": "last"}},
}
PYDANTIC_WORDS = (
    "pydantic",
    "Input should",
    "validation error",
    "Field required",
    "[type=",
    "discriminator",
    "Extra inputs",
    "\0",
)

_ABSENT = object()


def with_change(path, value):
    root = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    place = root
    for key in parents:
        place = place.setdefault(key, {})
    if value is _ABSENT:
        del place[last]
    else:
        place[last] = value
    return root


def mistakes_of(config, **options):
    with pytest.raises(ConfigError) as caught:
        load_config(config, **options)
    return list(caught.value.mistakes)


# Where it is changed, to what, and the mistakes that come of it.
TABLE = [
    ("corpus", _ABSENT, ["corpus: is required."]),
    ("encoder", _ABSENT, ["encoder: is required."]),
    ("views", _ABSENT, ["views: is required."]),
    ("views", {}, ["views: is empty; give at least 1."]),
    ("views", [], ["views: got a list; expected an object of views."]),
    ("views", {"": {"layers": "last"}}, ['views."": an empty name; give it one.']),
    ("views", {"[key]": 3}, ['views."[key]": got 3 (a number); expected an object with the fields layers, unit, pooling, of.']),
    ("views/a", "last", ["views.a: got 'last' (a string); expected an object with the fields layers, unit, pooling, of."]),
    ("views/a.b", {}, ['views."a.b".layers: is required.']),
    (
        "views/a",
        {"layres": "last"},
        ["views.a.layers: is required.", f"views.a.layres: is not a field of a view. Did you mean 'layers'? {VIEW}"],
    ),
    (
        "views/a/layers",
        "sum_last4",
        [f"views.a.layers: 'sum_last4' is not a layer combination. Did you mean 'sum_last_four'? {LAYERS}"],
    ),
    (
        "views/a/layers",
        {"type": "Last"},
        [f"views.a.layers.type: 'Last' is not a layer combination. Did you mean 'last'? {LAYERS}"],
    ),
    ("views/a/layers", {"layers": [1]}, [f"views.a.layers.type: is required. {LAYERS}"]),
    ("views/a/layers", {"type": 3}, ["views.a.layers.type: got 3 (a number); expected the name of a layer combination."]),
    ("views/a/layers", {"type": ["sum"]}, ["views.a.layers.type: got a list; expected the name of a layer combination."]),
    (
        "views/a/layers",
        [1, 2],
        ['views.a.layers: got a list; expected the name of a layer combination, or an object with a "type".'],
    ),
    ("views/a/layers", "sum ", [f"views.a.layers: 'sum ' is not a layer combination. Did you mean 'sum'? {LAYERS}"]),
    ("views/a/layers", "scalar_mix", ["views.a.layers.scalars: is required."]),
    ("views/a/layers", {"type": "layer"}, ["views.a.layers.index: is required."]),
    ("views/a/layers", {"type": "last", "index": 1}, ["views.a.layers.index: is not a field of 'last', which has none."]),
    (
        "views/a/layers",
        {"type": "sum", "layers": [1, "2", 2.5, True, None]},
        [
            "views.a.layers.layers.1: got '2' (a string); expected an integer.",
            "views.a.layers.layers.2: got 2.5 (a number); expected an integer.",
            "views.a.layers.layers.3: got true; expected an integer.",
            "views.a.layers.layers.4: got null; expected an integer.",
        ],
    ),
    ("views/a/layers", {"type": "sum", "layers": 3}, ["views.a.layers.layers: got 3 (a number); expected a list of integers."]),
    (
        "views/a/layers",
        {"type": "sum", "layers": []},
        ["views.a.layers.layers: an empty list; name at least one layer, or leave it out."],
    ),
    (
        "views/a/layers",
        {"type": "scalar_mix", "scalars": [1, 2], "layers": [1]},
        ["views.a.layers.scalars: 2 numbers for 1 layers; give one for each."],
    ),
    (
        "views/a/layers",
        {"type": "scalar_mix", "scalars": [1], "gamma": "1"},
        ["views.a.layers.gamma: got '1' (a string); expected a number."],
    ),
    (
        "views/last/unit",
        "words",
        ["views.last.unit: got 'words'; expected one of 'word', 'subword', 'sentence'. Did you mean 'word'?"],
    ),
    ("views/last/unit", 1, ["views.last.unit: got 1 (a number); expected one of 'word', 'subword', 'sentence'."]),
    (
        "views/last/pooling",
        "avg",
        ["views.last.pooling: got 'avg'; expected one of 'first', 'last', 'mean', 'max', 'cls'."],
    ),
    (
        "views/last/pooling",
        "cls",
        ["views.last.pooling: 'cls' is not for a view of words; choose one of first, last, mean, max."],
    ),
    ("corpus", {"type": "words"}, ["corpus.path: is required."]),
    ("corpus", "words", ["corpus.path: is required."]),
    ("corpus", "conl2003", [f"corpus: 'conl2003' is not a corpus type. Did you mean 'conll2003'? {CORPORA}"]),
    ("corpus", None, ['corpus: got null; expected the name of a corpus type, or an object with a "type".']),
    ("corpus/path", 3, ["corpus.path: got 3 (a number); expected a string or a list of strings."]),
    ("corpus/path", ["a", 3], ["corpus.path.1: got 3 (a number); expected a string."]),
    ("corpus/path", "", ["corpus.path: names no file; give one path or several."]),
    (
        "corpus/documents",
        "file",
        ["corpus.documents: is not a field of 'words'. Did you mean 'document'? Fields: path, document."],
    ),
    (
        "corpus",
        {"type": "conll2003", "path": "a", "labels": {"ner": "3"}},
        ["corpus.labels.ner: got '3' (a string); expected an integer."],
    ),
    ("corpus", {"type": "conll2003", "path": "a", "labels": {"": 3}}, ['corpus.labels."": an empty name; give it one.']),
    ("encoder", {"type": "bert"}, [f"encoder.type: 'bert' is not an encoder type. {ENCODERS}"]),
    (
        "encoder/modle",
        "x",
        [
            "encoder.modle: is not a field of 'transformer'. Did you mean 'model'? Fields: model, revision, precision, device, allow_pickle."
        ],
    ),
    ("encoder/revision", 3, ["encoder.revision: got 3 (a number); expected a string."]),
    ("encoder/allow_pickle", 1, ["encoder.allow_pickle: got 1 (a number); expected true or false."]),
    ("encoder/allow_pickle", "true", ["encoder.allow_pickle: got 'true' (a string); expected true or false."]),
    (
        "encoder/precision",
        "bfloat15",
        ["encoder.precision: got 'bfloat15'; expected one of 'float32', 'bfloat16', 'float16'. Did you mean 'bfloat16'?"],
    ),
    ("context", "sentense", ["context: 'sentense' is not a context type. Did you mean 'sentence'? Known: document, sentence."]),
    (
        "context",
        {"type": "document", "window": 0, "overlap": -1},
        ["context.window: got 0; must be greater than 0.", "context.overlap: got -1; must be at least 0."],
    ),
    ("batching/budget_subwords", 0, ["batching.budget_subwords: got 0; must be greater than 0."]),
    ("batching/budget_subwords", "4096", ["batching.budget_subwords: got '4096'; expected an integer > 0 or 'auto'."]),
    (
        "batching/budget_subwords",
        4096.0,
        ["batching.budget_subwords: got 4096.0 (a number); expected an integer > 0 or 'auto'."],
    ),
    ("batching/budget_subwords", True, ["batching.budget_subwords: got true; expected an integer > 0 or 'auto'."]),
    ("batching", None, ["batching: got null; expected an object with the fields budget_subwords."]),
    ("store/dtype", "float8", ["store.dtype: got 'float8'; expected one of 'float32', 'float16'. Did you mean 'float32'?"]),
    ("store/path", " ", ["store.path: must name a file; leave it out to give it on the command line."]),
    ("store/path", ["a.h5"], ["store.path: got a list; expected a string."]),
    (
        "trainer",
        {},
        ["trainer: is not a field of the config. Fields: corpus, encoder, views, context, batching, store, on_error, engine."],
    ),
    (
        "contxt",
        {},
        [
            "contxt: is not a field of the config. Did you mean 'context'? Fields: corpus, encoder, views, context, batching, store, on_error, engine."
        ],
    ),
    ("batching/budget_subwords", float("nan"), ["batching.budget_subwords: got nan; expected a finite number."]),
    ("corpus/path", {1: 2}, ["corpus.path: the key 1 is not a string."]),
    ("corpus/path", b"a", ["corpus.path: b'a' is a bytes, which no config file can hold."]),
    ("corpus/path", "\ud800", [r"corpus.path: '\ud800' holds a lone surrogate, which is not a character."]),
]


@pytest.mark.parametrize(("path", "value", "expected"), TABLE)
def test_each_mistake_is_told_with_its_path_and_what_to_do(path, value, expected):
    mistakes = mistakes_of(with_change(path, value))
    assert mistakes == expected
    assert not [word for word in PYDANTIC_WORDS for mistake in mistakes if word in mistake]


def test_all_mistakes_are_told_at_once_and_in_the_order_of_the_schema():
    config = {
        "trainer": 1,
        "store": {"dtype": "float8"},
        "batching": {"budget_subwords": 0},
        "views": {"b": {"layers": "sum_last4"}, "a": {"layers": {"type": "sum", "layers": []}, "unit": 3}},
        "encoder": {"type": "transformer", "modle": "x", "revision": 3},
        "corpus": {"type": "words", "path": 3},
    }
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert str(caught.value).startswith("the config given as a dict has 9 mistakes:\n  corpus.path: got 3")
    assert [mistake.split(": ")[0] for mistake in caught.value.mistakes] == [
        "corpus.path",
        "encoder.revision",
        "encoder.modle",
        "views.a.layers.layers",
        "views.a.unit",
        "views.b.layers",
        "batching.budget_subwords",
        "store.dtype",
        "trainer",
    ]


def test_a_value_that_fits_no_member_of_a_union_is_one_mistake():
    assert len(mistakes_of(with_change("corpus/path", True))) == 1
    assert len(mistakes_of(with_change("corpus/path", {"a": 1}))) == 1


def test_a_message_shows_the_start_of_a_long_value():
    (mistake,) = mistakes_of(with_change("views/last/layers", "x" * 5000))
    assert len(mistake) < 400


def test_an_endlessly_nested_dict_is_a_mistake_and_not_a_crash():
    config = {}
    config["corpus"] = config
    assert mistakes_of(config) == ["corpus.corpus.corpus...: is nested more than 64 deep."]


def test_the_file_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonnet").write_text("{}")
    with pytest.raises(ConfigError, match=r"^a.jsonnet has 3 mistakes:\n  corpus: is required.\n"):
        load_config("a.jsonnet")


@pytest.mark.parametrize("name", ["os.system", "embedpipe.layers.Layer", "__import__('os')", "this.Zen", "antigravity"])
def test_no_config_can_name_code(name):
    """These are unknown names like any other, and nothing is imported for them."""
    before = set(sys.modules)
    for path in ("corpus", "encoder", "context", "views/last/layers"):
        (mistake,) = mistakes_of(with_change(path, {"type": name}))
        assert f".type: {name!r} is not a" in mistake
        (mistake,) = mistakes_of(with_change(path, name))
        assert f": {name!r} is not a" in mistake
    assert not {module for module in set(sys.modules) - before if module.split(".")[0] in ("this", "antigravity", "torch")}
