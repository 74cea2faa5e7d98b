"""What the README shows, runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import _jsonnet
import pytest

from embedpipe.cli.main import main
from embedpipe.config import evaluate, load_config, load_config_of
from embedpipe.downstream.ner.job import TaggerJob
from embedpipe.experiment.comparison import Comparison
from embedpipe.job import Job, Ray

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


SHORTENED = {
    "compare": ["--overrides", '{"choices": ["last", "mix_all"], "seeds": [0], "heads.linear.training.epochs": 2}'],
    "train": ["--overrides", '{"head.training.epochs": 1}'],
}
"""What takes minutes, in seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a reader has after cloning."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copy(ROOT / "README.md", folder)
    return folder


def test_every_command_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("embedpipe ")]
    assert len(commands) >= 6
    for command in commands:
        monkeypatch.setattr(sys, "argv", [*shlex.split(command), *SHORTENED.get(command.split()[1], [])])
        main()  # leaves by SystemExit if it fails
        assert capsys.readouterr().out, command


def test_every_make_command_is_a_target():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {line.split()[1] for block in blocks("bash") for line in block.splitlines() if line.startswith("make ")} <= targets


def test_the_python_examples_run_one_after_the_other(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    examples = blocks("python")
    assert len(examples) >= 3
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert names["search"].best_score_ > 0.5
    assert len(names["live"].predict([["Anna", "flew", "to", "Oslo", "."]])) == 5


def test_the_config_that_is_explained_suits_the_encoder_that_it_names():
    text, engine = (json.loads(_jsonnet.evaluate_snippet("README.md", block)) for block in blocks("jsonnet"))
    job = load_config(text | engine).job
    assert job.load().view_infos.keys() == job.views.keys()
    assert job.engine == Ray(workers=32, address="auto", gpus_per_worker=1, cpus_per_worker=4, max_retries=10)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.jsonnet")), ids=lambda path: path.stem)
def test_every_config_is_valid_and_suits_its_encoder(path):
    given = {
        "text": "book.txt",
        "data": "data",
        "vectors": "vectors.txt",
        "options": "o.json",
        "weights": "w.h5",
        "fastai": "wt103",
    }
    data = evaluate(path, ext_vars=given)
    root = Comparison if "task" in data else TaggerJob if "train" in data else Job
    job = load_config_of(root, data).job
    if isinstance(job, Job) and getattr(job.encoder, "model", None) == "minilm":  # the others are not at hand
        assert job.load().view_infos


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks/layers").glob("*.jsonnet")), ids=lambda path: path.stem)
def test_every_config_of_a_benchmark_is_valid(path):
    load_config_of(Comparison, path, ext_vars={"data": "data", "mpnet": "mpnet", "encoder": "mpnet", "of": "wnut17"})


def test_links_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), f"{document}: {target}"


def test_every_registered_type_stands_in_the_readme():
    from embedpipe.config import ROLES, components

    known = {info.name for info in components() if info.role in ROLES}
    missing = {name for name in known if f"`{name}`" not in README and f'"{name}"' not in README}
    assert not missing
