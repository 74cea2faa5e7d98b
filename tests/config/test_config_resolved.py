"""What a job resolves to, its fingerprint, and the reference of all components."""

import dataclasses
import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.config import ROLES, components, evaluate, fingerprint, load_config, load_config_of, resolved, sha256_of
from embedpipe.config.registry import fields_of, is_required, registered
from embedpipe.corpus import Words
from embedpipe.downstream.ner.job import TaggerJob
from embedpipe.encoders import Transformer
from embedpipe.errors import ConfigError
from embedpipe.experiment.comparison import Comparison
from embedpipe.job import Job
from embedpipe.layers import NAMED, Layer
from embedpipe.store import StoreSettings
from embedpipe.views import View

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.jsonnet"))
A_CORPUS = {"type": "words", "path": "a"}
EXAMPLES = {
    "index": -2,
    "layers": [1, -1],
    "weights": [1, 0.5],
    "scalars": [0, 1],
    "path": "a",
    "label": "upos",
    "corpus": A_CORPUS,
    "train": A_CORPUS,
    "test": A_CORPUS,
    "vocabulary": "itos.pkl",
    "options_file": "options.json",
    "weight_file": "weights.hdf5",
}
"""For the fields that have no default."""

layer_lists = st.lists(st.integers(-13, 12), min_size=1, max_size=4)
combinations = st.one_of(
    st.sampled_from(sorted(NAMED)),
    st.builds(lambda name: {"type": name}, st.sampled_from(sorted(NAMED))),
    st.builds(lambda index: {"type": "layer", "index": index}, st.integers(-13, 12)),
    st.builds(
        lambda name, layers: {"type": name, "layers": layers}, st.sampled_from(["sum", "mean", "concat", "stack"]), layer_lists
    ),
    st.builds(
        lambda numbers, gamma: {"type": "scalar_mix", "scalars": numbers, "gamma": gamma},
        st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5), min_size=1),
        st.integers(-3, 3) | st.floats(-3, 3),
    ),
)
units = st.sampled_from(
    [{}, {"unit": "subword"}, {"unit": "sentence", "pooling": "cls"}, {"pooling": "max"}, {"pooling": None}]
)
views = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.builds(lambda layers, rest: {"layers": layers, **rest}, combinations, units),
    min_size=1,
    max_size=4,
)


def config(**parts):
    return {"corpus": {"type": "words", "path": "a"}, "encoder": "transformer", "views": {"last": {"layers": "last"}}, **parts}


def comparison(**parts):
    splits = {"type": "random", "corpus": A_CORPUS}
    return {"task": "ner", "splits": splits, "encoders": {"e": "transformer"}, **parts}


@settings(max_examples=50, deadline=None)
@given(views)
def test_what_a_job_resolves_to_loads_again_to_an_equal_job(views):
    loaded = load_config(config(views=views))
    again = load_config(json.loads(json.dumps(loaded.resolved)))
    assert again.job == loaded.job
    assert again.resolved == loaded.resolved
    assert fingerprint(again.resolved, {}) == fingerprint(loaded.resolved, {})


def test_every_default_is_written_out():
    assert load_config(config()).resolved == {
        "corpus": {"type": "words", "path": "a", "document": "file"},
        "encoder": {
            "type": "transformer",
            "model": "minilm",
            "revision": None,
            "precision": "float32",
            "device": "auto",
            "allow_pickle": False,
        },
        "context": {"type": "sentence", "window": None, "overlap": None},
        "views": {"last": {"layers": {"type": "last"}, "unit": "word", "pooling": None, "of": "both"}},
        "batching": {"budget_subwords": None},
        "store": {field.name: field.default for field in dataclasses.fields(StoreSettings)},
        "on_error": "stop",
        "engine": {"type": "local", "workers": 1, "max_retries": 3},
    }


def test_a_job_made_in_python_resolves_too_unless_a_config_cannot_name_its_parts():
    job = Job(Words("a"), Transformer(), {"last": View(Layer(-1))}, store=StoreSettings())
    assert resolved(job) == load_config(config()).resolved
    with pytest.raises(ConfigError, match=r"encoder: object is not registered as an encoder type; see @register"):
        resolved(dataclasses.replace(job, encoder=object()))


def test_the_fingerprint_changes_with_what_determines_the_bytes_and_with_nothing_else():
    def of(inputs=None, **parts):
        return fingerprint(load_config(config(**parts)).resolved, inputs or {"a": "00"})

    same = of()
    assert len(same) == 64
    assert of(store={"path": "x.h5"}) == same
    assert of(on_error="record") != same
    assert of(encoder={"type": "transformer", "device": "cpu", "model": "minilm"}) == same
    assert of(context="sentence", batching={"budget_subwords": None}) == same
    assert of(views={"last": {"layers": {"type": "layer", "index": -1}, "pooling": None}}) == same
    others = [
        of({"a": "01"}),
        of({"b": "00"}),
        of(store={"dtype": "float16"}),
        of(encoder={"type": "transformer", "precision": "bfloat16"}),
        of(context="document"),
        of(batching={"budget_subwords": 4095}),
        of(views={"first": {"layers": "last"}}),
        of(views={"last": {"layers": "first"}}),
        of(corpus={"type": "lines", "path": "a"}),
        of(views={"encoder": {"layers": "last"}, "last": {"layers": "last"}}),
    ]
    assert len({same, *others}) == len(others) + 1


def test_the_fingerprint_does_not_depend_on_the_order_of_keys_and_changes_nothing():
    whole = load_config(config()).resolved
    before = json.dumps(whole)
    turned = {
        part: dict(reversed(content.items())) if isinstance(content, dict) else content
        for part, content in reversed(whole.items())
    }
    assert fingerprint(turned, {"a": "1", "b": "2"}) == fingerprint(whole, {"b": "2", "a": "1"})
    assert json.dumps(whole) == before


def test_the_hash_of_a_file_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    assert sha256_of(tmp_path / "a") == sha256(b"x" * 1_000_000).hexdigest()


ALL_TYPES = [(role, name) for role in ROLES for name in registered(role)]


@pytest.mark.parametrize(("role", "name"), ALL_TYPES)
def test_every_type_is_described_and_loads_with_its_defaults(role, name):
    (info,) = (info for info in components(name) if info.role == role and info.name == name)
    assert info.summary
    assert [field.name for field in info.fields if not field.description] == []
    required = {field.name: EXAMPLES[field.name] for field in info.fields if field.required}
    named_so = {
        "layer": {"index": 7},
        "sum": {"layers": [7]},
        "mean": {"layers": [7]},
        "stack": {"layers": [7]},
        "jsonl": {"text": "text"},
        "awd_lstm": {"weights": "forward.pth"},
    }  # have no name, or need one of several fields
    component = {"type": name, **required, **named_so.get(name, {})}
    if role in ("head", "task", "splits"):
        part = {"heads": {"h": component}} if role == "head" else {role: component}
        written = load_config_of(Comparison, comparison(**part)).resolved
        written = written["heads"]["h"] if role == "head" else written[role]
    else:
        part = {"views": {"v": {"layers": component}}} if role == "layers" else {role: component}
        written = load_config(config(**part)).resolved
        written = written["views"]["v"]["layers"] if role == "layers" else written[role]
    assert written["type"] == name
    for field in info.fields:
        if not field.required and field.name not in component:
            assert written[field.name] == field.default


def test_an_inherited_field_is_described_as_where_it_comes_from_unless_the_type_has_its_own_words():
    csv, tsv = ({field.name: field.description for field in components(name)[0].fields} for name in ("csv", "tsv"))
    assert {name for name in csv if csv[name] != tsv[name]} == {"path"}
    assert "data/*.csv" in csv["path"] and "data/*.tsv" in tsv["path"]


def test_the_fixed_parts_of_a_config_are_described():
    fixed = {info.name: info for info in components() if info.role not in ROLES}
    assert set(fixed) == {"view", "batching", "store", "training", "fine_tune", "extraction", "comparison", "tagger"}
    for info in fixed.values():
        assert info.summary
        assert all(field.description for field in info.fields)


def test_the_types_of_fields_are_told_in_plain_words():
    types = {(info.name, field.name): field.type for info in components() for field in info.fields}
    assert types["words", "path"] == "string | list of strings"
    assert types["batching", "budget_subwords"] == 'integer > 0 | "auto" | null'
    assert types["document", "overlap"] == "integer >= 0 | null"
    assert types["transformer", "precision"] == '"float32" | "bfloat16" | "float16"'
    assert types["scalar_mix", "scalars"] == "list of numbers"
    assert types["conll2003", "labels"] == "object of integers"
    assert types["view", "layers"] == "layer combination"


def test_components_are_asked_for_by_type_by_role_or_all_at_once():
    assert {info.name for info in components("corpus")} == set(registered("corpus"))
    assert [info.role for info in components("last")] == ["layers"]
    assert len(components()) == len(ALL_TYPES) + 8
    with pytest.raises(ConfigError, match=r"'sumx' is not a component. Did you mean 'sum'\? Known: all, .*batching, "):
        components("sumx")


def test_a_named_combination_has_no_fields():
    assert fields_of(NAMED["last"]) == {}
    assert [name for name, (_, field) in fields_of(Layer).items() if is_required(field)] == ["index"]


def test_importing_the_config_does_not_import_torch_or_what_brings_it():
    heavy = "('torch', 'transformers', 'tokenizers', 'sklearn', 'pandas', 'allennlp_light', 'tango')"
    code = f"import sys, embedpipe.config as c; c.components(); print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(not CONFIGS, reason="configs/ holds no config yet")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_sample_config_loads(path):
    wanted = re.findall(r'extVar\("(\w+)"\)', path.read_text(encoding="utf-8"))
    data = evaluate(path, ext_vars=dict.fromkeys(wanted, "anything"))
    root = Comparison if "task" in data else TaggerJob if "train" in data else Job
    loaded = load_config_of(root, data)
    assert load_config_of(root, loaded.resolved).job == loaded.job
