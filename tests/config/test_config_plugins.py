"""Components from elsewhere: the register decorator, --include-package, entry points."""

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Gt

from embedpipe.config import components, load_config, load_plugins, plugins, register, registry
from embedpipe.errors import ConfigError
from embedpipe.layers import Layer, LayerCombination, Mean

PLUGIN = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from embedpipe.config import register
from embedpipe.layers import LayerCombination


@register("layers", "scaled")
@dataclass(frozen=True)
class Scaled:
    """Another combination, scaled.

    :param of: What is scaled.
    :param model_factor: By how much.
    """

    of: LayerCombination
    model_factor: float = 2.0
    json: int | str = 0
    stacked: ClassVar[bool] = False

    def __post_init__(self):
        if self.model_factor == 0:
            raise ValueError("model_factor: 0 leaves nothing")

    def needed_layers(self, num_layers):
        return self.of.needed_layers(num_layers)

    def vector_size(self, hidden_size, num_layers):
        return self.of.vector_size(hidden_size, num_layers)

    def combine(self, hidden_states):
        return self.of.combine(hidden_states) * self.model_factor
'''


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is gone after it, and what it imports is imported anew by the next."""
    monkeypatch.setattr(registry, "_registered", copy.copy({role: dict(types) for role, types in registry._registered.items()}))
    monkeypatch.setattr(plugins, "_loaded", set())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_plugin/deep").mkdir(parents=True)
    (tmp_path / "my_plugin/__init__.py").touch()
    (tmp_path / "my_plugin/__main__.py").write_text("raise SystemExit('run')")
    (tmp_path / "my_plugin/deep/__init__.py").touch()
    (tmp_path / "my_plugin/deep/scaled.py").write_text(PLUGIN)
    return tmp_path / "my_plugin"


def config(layers):
    return {"corpus": {"type": "lines", "path": "a"}, "encoder": "transformer", "views": {"v": {"layers": layers}}}


def mistakes_of(*arguments, **options):
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments, **options)
    return list(caught.value.mistakes)


def test_a_package_in_the_working_directory_brings_components_that_nest(package):
    path = list(sys.path)
    layers = {"type": "scaled", "of": {"type": "scaled", "of": "last"}, "model_factor": 3}
    loaded = load_config(config(layers), include_packages=["my_plugin"])
    scaled = loaded.job.views["v"].layers
    assert (scaled.model_factor, scaled.of.model_factor, scaled.of.of) == (3.0, 2.0, Layer(-1))
    inner = {"type": "scaled", "of": {"type": "last"}, "model_factor": 2.0, "json": 0}
    assert loaded.resolved["views"]["v"]["layers"] == {"type": "scaled", "of": inner, "model_factor": 3.0, "json": 0}
    assert load_config(loaded.resolved, include_packages=["my_plugin"]).job == loaded.job
    assert sys.path == path


def test_without_the_package_its_type_is_unknown(package):
    (mistake,) = mistakes_of(config({"type": "scaled", "of": "last"}))
    assert mistake.startswith("views.v.layers.type: 'scaled' is not a layer combination.")
    assert "my_plugin" not in sys.modules


def test_mistakes_in_a_plugins_fields_are_told_as_those_of_the_built_in_types(package):
    options = {"include_packages": ["my_plugin"]}
    assert mistakes_of(config("scaled"), **options) == ["views.v.layers.of: is required."]
    assert mistakes_of(config({"type": "scaled", "of": {"type": "layer", "indx": 1}, "json": []}), **options) == [
        "views.v.layers.of.index: is required.",
        "views.v.layers.of.indx: is not a field of 'layer'. Did you mean 'index'? Fields: index.",
        "views.v.layers.json: got a list; expected an integer or a string.",
    ]
    assert mistakes_of(config({"type": "scaled", "of": "last", "model_factor": 0}), **options) == [
        "views.v.layers.model_factor: 0 leaves nothing."
    ]


def test_components_describes_a_plugins_type(package):
    load_plugins(["my_plugin"])
    (info,) = components("scaled")
    assert info.summary == "Another combination, scaled."
    assert [(field.type, field.default) for field in info.fields] == [
        ("layer combination", None),
        ("number", 2.0),
        ("integer | string", 0),
    ]


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        (
            "my_nothing",
            None,
            "there is no package 'my_nothing': neither installed, nor on PYTHONPATH, nor in the working directory.",
        ),
        (
            "my_plugin.nope",
            None,
            "there is no package 'my_plugin.nope': neither installed, nor on PYTHONPATH, nor in the working directory.",
        ),
        ("my_plugin.py", None, "'my_plugin.py' is not the name of a package; name it as in 'import NAME', not by its path."),
        ("./my_plugin", None, "'./my_plugin' is not the name of a package; name it as in 'import NAME', not by its path."),
        ("", None, "'' is not the name of a package; name it as in 'import NAME', not by its path."),
        (
            "my_plugin",
            "import my_nothing",
            "it failed while it was imported: ModuleNotFoundError: No module named 'my_nothing'.",
        ),
        ("my_plugin", "1 / 0", "it failed while it was imported: ZeroDivisionError: division by zero."),
        (
            "my_plugin",
            "from embedpipe.config import register\n@register('layer', 'x')\nclass X: pass",
            "it failed while it was imported: the component my_plugin.extra.X: 'layer' is not a role. Did you mean 'layers'? "
            "Known: corpus, encoder, context, layers, head, task, splits, engine.",
        ),
    ],
)
def test_a_package_that_cannot_be_imported_says_why(package, name, text, mistake):
    if text:
        (package / "extra.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_plugins([name])
    assert str(caught.value) == f"--include-package {name} has 1 mistake:\n  {mistake}"


class _Distribution:
    name = "my-distribution"


def installed(monkeypatch, value):
    entry_point = EntryPoint("mine", value, plugins.GROUP)._for(_Distribution())
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [entry_point] if group == plugins.GROUP else [])


def test_an_installed_plugin_is_found_by_its_entry_point(package, monkeypatch):
    monkeypatch.syspath_prepend(package.parent)
    installed(monkeypatch, "my_plugin.deep.scaled")
    assert load_config(config({"type": "scaled", "of": "last"})).job.views["v"].layers.of == Layer(-1)


def test_a_broken_installed_plugin_is_named_with_its_distribution(monkeypatch):
    installed(monkeypatch, "my_nothing.at_all")
    with pytest.raises(ConfigError) as caught:
        load_plugins()
    assert str(caught.value) == (
        "the installed plug-in my-distribution has 1 mistake:\n  its entry point 'mine' (my_nothing.at_all) failed while it was "
        "loaded: ModuleNotFoundError: No module named 'my_nothing'; repair or uninstall it."
    )


def refused(cls, role="layers", name="mine"):
    with pytest.raises(ConfigError) as caught:
        register(role, name)(cls)
    return list(caught.value.mistakes)


def test_a_name_that_is_taken_is_refused_and_the_same_class_may_come_again():
    assert refused(Mean, name="sum") == [
        "the name 'sum' is taken: it is a layer combination already, embedpipe.layers.linear.Sum; choose another one."
    ]
    assert refused(Mean, name="last") == [
        "the name 'last' is taken: it is a layer combination already, embedpipe.layers.linear.Layer; choose another one."
    ]
    assert register("layers", "mean")(Mean) is Mean


def test_only_a_frozen_dataclass_with_all_that_its_role_asks_for_is_registered():
    @dataclass
    class Thawed:
        pass

    class Inherits(Mean):
        more: int = 1

    @dataclass(frozen=True)
    class Bare:
        type: str = ""
        what: Any = None
        when: complex | None = None

    frozen = "it is not a frozen dataclass; write @dataclass(frozen=True) under @register."
    assert refused(Thawed) == refused(Inherits) == refused(dict) == [frozen]
    assert refused(Bare) == [
        "a layer combination needs 'needed_layers', which it does not have.",
        "a layer combination needs 'vector_size', which it does not have.",
        "a layer combination needs 'stacked', which it does not have.",
        "a layer combination needs 'combine', which it does not have.",
        "type: the name is the config's own; call the field something else.",
        "what: typing.Any is not a type that a config can spell.",
        "when: <class 'complex'> is not a type that a config can spell.",
    ]
    assert refused(Mean, name="a.b") == ["'a.b' is not a type name; use letters, digits, '_' and '-'."]


def test_every_kind_of_annotation_loads_and_is_described():
    @dataclass(frozen=True)
    class Section:
        """A fixed part."""

        size: Annotated[int, Gt(1)]

    @dataclass(frozen=True)
    class Odd:
        """All kinds."""

        section: Section
        mixed: tuple[int | tuple[str, ...], ...] = ()
        table: Mapping[str, LayerCombination | None] | None = None
        switch: bool | float = False
        either: LayerCombination | tuple[LayerCombination, ...] = Layer(-1)  # noqa: RUF009
        stacked: ClassVar[bool] = False
        needed_layers = vector_size = combine = None

    register("layers", "odd")(Odd)
    loaded = load_config(
        config(
            {
                "type": "odd",
                "section": {"size": 2},
                "mixed": [1, ["a"]],
                "table": {"x": "first", "y": None},
                "switch": 3,
                "either": ["last", {"type": "layer", "index": 0}],
            }
        )
    )
    odd = loaded.job.views["v"].layers
    assert odd == Odd(Section(2), (1, ("a",)), {"x": Layer(1), "y": None}, 3.0, (Layer(-1), Layer(0)))
    assert load_config(loaded.resolved).job == loaded.job
    assert [(field.type, field.default) for field in components("odd")[0].fields] == [
        ("section", None),
        ("list of integers or lists of strings", []),
        ("object of layer combinations or nulls | null", None),
        ("true or false | number", False),
        ("layer combination | list of layer combinations", {"type": "last"}),
    ]
    assert mistakes_of(
        config({"type": "odd", "section": {"size": 1, "x": 1}, "mixed": ["a"], "switch": "on", "either": [3]})
    ) == [
        "views.v.layers.section.size: got 1; must be greater than 1.",
        "views.v.layers.section.x: is not a field of 'section'. Fields: size.",
        "views.v.layers.mixed.0: got 'a' (a string); expected an integer or a list of strings.",
        "views.v.layers.switch: got 'on' (a string); expected true or false or a number.",
        'views.v.layers.either.0: got 3 (a number); expected the name of a layer combination, or an object with a "type".',
    ]
