"""Jsonnet: evaluating, importing, external variables, and what goes wrong."""

from pathlib import Path

import pytest

from embedpipe.config import evaluate, load_config
from embedpipe.errors import ConfigError

CONFIG = """
local encoder = import "parts/encoder.libsonnet";
{
  corpus: { type: "words", path: std.extVar("CORPUS") },
  encoder: encoder,
  views: { ["sum_%d" % n]: { layers: { type: "sum", layers: std.range(-n, -1) } } for n in [2, 3] },
}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs/parts").mkdir(parents=True)
    (tmp_path / "configs/a.jsonnet").write_text(CONFIG)
    (tmp_path / "configs/parts/encoder.libsonnet").write_text('(import "../names.json") + { precision: "bfloat16" }')
    (tmp_path / "configs/names.json").write_text('{ "type": "transformer", "model": "models/größe" }', encoding="utf-8")
    return tmp_path


def mistakes_of(path, **options):
    with pytest.raises(ConfigError) as caught:
        evaluate(path, **options)
    assert caught.value.source == str(path)
    assert "\t" not in str(caught.value)
    return list(caught.value.mistakes)


def test_a_config_can_compute_import_and_take_external_variables(folder):
    job = load_config("configs/a.jsonnet", ext_vars={"CORPUS": "data/ü.txt"}).job
    assert job.corpus.path == "data/ü.txt"
    assert (job.encoder.model, job.encoder.precision) == ("models/größe", "bfloat16")
    assert job.views["sum_3"].layers.layers == (-3, -2, -1)


def test_a_path_and_a_string_and_a_dict_give_the_same_job(folder):
    options = {"ext_vars": {"CORPUS": "x"}}
    loaded = load_config(Path("configs/a.jsonnet"), **options)
    assert loaded == load_config("configs/a.jsonnet", **options)
    assert load_config(evaluate("configs/a.jsonnet", **options)).job == loaded.job
    assert loaded.source == "configs/a.jsonnet"


def test_a_dict_in_any_order_with_tuples_and_paths_is_the_config_that_a_file_would_hold():
    config = {
        "views": {"b": {"layers": {"layers": (1, 2), "type": "sum"}}, "a": {"layers": "last"}},
        "corpus": {"type": "words", "path": Path("data") / "a.txt"},
        "encoder": "transformer",
    }
    loaded = load_config(config)
    assert list(loaded.resolved["views"]) == list(loaded.job.views) == ["a", "b"]
    assert loaded.job.corpus.path == "data/a.txt"
    assert loaded.source == "the config given as a dict"


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "a.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert evaluate(tmp_path / "a.json") == {"a": 1}


def test_environment_variables_are_not_visible(folder, monkeypatch):
    monkeypatch.setenv("CORPUS", "secret.txt")
    assert mistakes_of("configs/a.jsonnet") == [
        "configs/a.jsonnet:4:34: the external variable 'CORPUS' is not given; give it with --ext-var CORPUS=value."
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "bad.jsonnet:1:1: unexpected end of file."),
        ("{\n a: 1,, b: 2}", 'bad.jsonnet:2:7: unexpected: "," while parsing field definition.'),
        ("{a: 1, a: 2}", "bad.jsonnet:1:8: duplicate field: a."),
        ("{a: x}", "bad.jsonnet:1:5: Unknown variable: x."),
        ("{a: |||\n", "bad.jsonnet:1:5: text block's first line must start with whitespace."),
        ("{a:\n error 'no\\n  good'}", "bad.jsonnet:2:2: no good."),
        ("assert false : 'no'; {}", "bad.jsonnet:1:1: no."),
        ("{a: std.assertEqual(1, 2)}", "bad.jsonnet:1:5: Assertion failed. 1 != 2."),
        ("{a: 1 / 0}", "bad.jsonnet:1:5: division by zero."),
        ("{a: 1e308 * 10}", "bad.jsonnet:1:5: overflow."),
        ("local f(x) = f(x) + 1; {a: f(1)}", "bad.jsonnet:1:14: the calls or objects are nested without end."),
        ("local a = {b: a}; a", "bad.jsonnet:1:15: the calls or objects are nested without end."),
        ("{a: self.b, b: self.a}", "bad.jsonnet:1:16: the calls or objects are nested without end."),
        ("[" * 100_000, "bad.jsonnet:1:501: Exceeded maximum parse depth limit."),
        ("[1]", "it is a list; expected an object: { ... }."),
        ("'a'", "it is 'a' (a string); expected an object: { ... }."),
        ("null", "it is null; expected an object: { ... }."),
        ("function(x) x", "function parameter x not bound in call."),
        ("{a:: 1, b: function(x) x}", "bad.jsonnet:1:12: couldn't manifest function in JSON output."),
        ("\0", "it cannot be evaluated: embedded null character."),
        ("{a: import 'nope'}", 'bad.jsonnet:1:5: cannot import "nope": there is no such file (looked for {folder}/nope).'),
        ("{a: import 'configs'}", 'bad.jsonnet:1:5: cannot import "configs": it is a folder; name the config file in it.'),
        ("{a: import 'latin1'}", 'bad.jsonnet:1:5: cannot import "latin1": not UTF-8: line 2 has the byte 0xe9.'),
        (
            "{a: import 'names.json'}",
            'bad.jsonnet:1:5: cannot import "names.json": there is no such file (looked for {folder}/names.json).',
        ),
        ("{a: import 'broken'}", "broken:2:2: Unknown variable: y."),
        ("{a: importstr 'nope'}", 'bad.jsonnet:1:5: cannot import "nope": there is no such file (looked for {folder}/nope).'),
    ],
)
def test_what_jsonnet_refuses_is_told_in_one_line_with_its_place(folder, text, mistake):
    (folder / "bad.jsonnet").write_text(text)
    (folder / "latin1").write_bytes(b"{\n a: '\xe9'}")
    (folder / "broken").write_text("{ a:\n y }")
    assert mistakes_of("bad.jsonnet") == [mistake.replace("{folder}", str(folder))]


def test_a_config_that_cannot_be_read_says_why(folder):
    (folder / "latin1").write_bytes(b"{\n a: '\xe9'}")
    assert mistakes_of("nope.jsonnet") == [f"there is no such file (looked for {folder}/nope.jsonnet)."]
    assert mistakes_of("configs") == ["it is a folder; name the config file in it."]
    assert mistakes_of("latin1") == ["not UTF-8: line 2 has the byte 0xe9."]
    assert mistakes_of("configs/a.jsonnet/x") == ["it cannot be read: Not a directory."]
    with pytest.raises(ConfigError, match="it cannot be read: embedded null"):
        evaluate("a\0b")
