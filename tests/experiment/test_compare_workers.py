"""A comparison that trains in several processes finds what one process finds, whatever becomes of them."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from comparison_samples import Extraction, Nearest, comparison, sentences

import embedpipe
from embedpipe.errors import ConfigError, CorpusError, EmbedpipeError, FeaturesError
from embedpipe.experiment.compare import compare
from embedpipe.processes import put_together, share_of_cores, taken_apart

FILES = ("results.json", "results.csv")
ASKED = comparison(choices=("last", "layer_4", "mix_all", "layer_1"))  # six runs, for two choices are the same
ONE_RUN = {"choices": ("layer_1",), "seeds": (1,)}  # and so one process


@dataclass(frozen=True)
class Unlucky(Nearest):
    """Does something else than training when a file says so.

    :param folder: Where the file is, which is removed.
    """

    folder: str = ""
    seed: int = 1

    def fit(self, train: Any, dev: Any, *, seed: int, on_epoch: Any = None, checkpoint: Path | None = None) -> Any:
        omen = Path(self.folder) / "omen"
        if seed == self.seed and train.selection.layers_name == "layer" and omen.exists():
            what = omen.read_text()
            omen.unlink()
            if what == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "exits":
                sys.exit(0)
            if what == "hangs":
                (Path(self.folder) / "hanging").write_text(str(os.getpid()))
                time.sleep(600)
            raise FeaturesError("the head has found nothing") if what == "fails" else KeyError("a bug")
        return Nearest(self.blur).fit(train, dev, seed=seed, on_epoch=on_epoch, checkpoint=checkpoint)


@dataclass
class Seen:
    """What was reported of the trainings."""

    steps: list[tuple[int, int, str]] = field(default_factory=list)
    interrupted_at: str | None = None

    def __call__(self, stage: str, done: int, total: int, label: str) -> None:
        if stage == "train":
            self.steps.append((done, total, label))
            if self.interrupted_at is not None and self.interrupted_at in label:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, bytes]:
    """What one process finds."""
    folder = tmp_path_factory.mktemp("alone")
    compare(ASKED, folder, extract=Extraction())
    return contents(folder)


@pytest.fixture
def empty_torch(tmp_path_factory, monkeypatch) -> str:
    """Processes that start find nothing in it: its import is most of what one costs that ends before it trains."""
    import torch  # noqa: F401  # stays what it is in this process

    folder = tmp_path_factory.mktemp("empty")
    (folder / "torch.py").touch()
    monkeypatch.syspath_prepend(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def unlucky(folder: Path, omen: str) -> Any:
    (folder / "omen").write_text(omen)
    return replace(ASKED, heads={"nearest": Unlucky(folder=str(folder))})


def test_several_processes_find_the_same_bytes_as_one_and_report_each_run_and_epoch(alone, tmp_path):
    seen = Seen()
    Nearest.trained.clear()
    compare(ASKED, tmp_path, extract=Extraction(), on_progress=seen, num_workers=2)
    assert contents(tmp_path) == alone
    assert not Nearest.trained  # not in this process
    assert [done for done, _, _ in seen.steps] == sorted(done for done, _, _ in seen.steps)
    assert (seen.steps[0], {total for _, total, _ in seen.steps}, seen.steps[-1][0]) == ((0, 6, ""), {6}, 6)
    assert sum(label.endswith(", epoch 2") for _, _, label in seen.steps) == 6
    assert not [file for file in (tmp_path / "runs").iterdir() if file.suffix != ".json"]


def test_heads_and_encoders_that_are_trained_elsewhere_are_the_same(tmp_path, tiny_model):
    lines = (json.dumps({"words": given.words, "ner": given.labels["ner"]}) for given in sentences(20))
    (tmp_path / "sentences.jsonl").write_text("\n".join(lines))
    corpus = {"type": "jsonl", "path": str(tmp_path / "sentences.jsonl"), "words": "words", "labels": ["ner"]}
    config = {
        "task": {"type": "ner"},
        "splits": {"type": "random", "corpus": corpus},
        "encoders": {"tiny": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"}},
        "choices": ["mix_all"],
        "heads": {"linear": {"type": "linear", "training": {"epochs": 2}}},
        "contexts": {"document": {"type": "document"}},
        "seeds": [0],
        "fine_tune": {"epochs": 1},
    }
    for workers in (1, 2):
        embedpipe.compare(config, tmp_path / str(workers), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    with pytest.raises(ValueError, match=r"^workers: got 0; at least one must train"):
        embedpipe.compare(config, tmp_path / "0", workers=0)


def test_a_process_that_is_killed_loses_its_run_only_and_says_so(tmp_path):
    asked, seen = unlucky(tmp_path, "killed"), Seen()
    run = r"made-up/sentence first (last|layer_1) nearest, seed 1"
    message = rf"^1 of 6 trainings could not be finished:\n  {run}: its process was killed \(SIGKILL\)\n.* to go on\.$"
    with pytest.raises(EmbedpipeError, match=message):
        compare(asked, tmp_path, extract=Extraction(), on_progress=seen, num_workers=2)
    assert len(list((tmp_path / "runs").glob("*.json"))) == 5
    assert not (tmp_path / "results.json").exists()
    assert any("its process was killed" in label for _, _, label in seen.steps)
    compare(asked, tmp_path, extract=Extraction())
    assert len(list((tmp_path / "runs").glob("*.json"))) == 6


@pytest.mark.usefixtures("empty_torch")
def test_if_all_processes_end_before_the_work_does_the_rest_is_left(tmp_path):
    seen = Seen()
    message = (
        r"^6 of 6 trainings .*:(\n  .*, seed 0: .* was killed \(SIGKILL\)|\n  .*, seed 1: .* ended with exit status 0){2}\nThe"
    )
    with pytest.raises(EmbedpipeError, match=message):
        compare(replace(ASKED, heads={"nearest": Doomed()}), tmp_path, extract=Extraction(), num_workers=2, on_progress=seen)
    assert len(seen.steps) == 3


@dataclass(frozen=True)
class Doomed(Nearest):
    """Never survives."""

    def fit(self, *arguments: Any, seed: int, **settings: Any) -> Any:
        if seed:
            sys.exit(0)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("empty_torch")
def test_an_error_of_a_process_is_the_error_of_the_comparison(tmp_path):
    with pytest.raises(FeaturesError, match=r"^the head has found nothing$") as caught:
        compare(replace(unlucky(tmp_path, "fails"), **ONE_RUN), tmp_path, extract=Extraction(), num_workers=2)
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.usefixtures("empty_torch")
def test_a_bug_in_a_process_shows_where_it_was(tmp_path):
    with pytest.raises(KeyError, match="a bug") as caught:
        compare(replace(unlucky(tmp_path, "has a bug"), **ONE_RUN), tmp_path, extract=Extraction(), num_workers=2)
    assert "in fit" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "error",
    [
        CorpusError("a.txt", 3, "is wrong"),
        ConfigError("the config", ["one: is wrong", "two: is, too"]),
        FileNotFoundError(2, "No such file", "a.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_is_the_same_in_another_process(error):
    there = put_together(taken_apart(error))
    assert (type(there), str(there)) == (type(error), str(error))
    assert vars(there) == vars(error)


def test_an_exception_that_cannot_be_pickled_keeps_its_traceback():
    class Local(Exception):
        pass

    try:
        raise Local("of this function")
    except Local as error:
        there = put_together(taken_apart(error))
    assert isinstance(there, RuntimeError) and "Local: of this function" in str(there)


def test_a_head_of_a_class_that_only_this_process_has_is_refused(tmp_path):
    @dataclass(frozen=True)
    class Local(Nearest):
        pass

    with pytest.raises(EmbedpipeError, match=r"cannot be handed to other processes .* or compare with one worker"):
        compare(replace(ASKED, heads={"nearest": Local()}), tmp_path, extract=Extraction(), num_workers=2)


@pytest.mark.parametrize(("workers", "asked", "threads"), [(2, None, "4"), (3, None, "2"), (9, None, "1"), (2, "3", "3")])
def test_each_process_has_its_share_of_the_cores_unless_the_user_has_said(monkeypatch, workers, asked, threads):
    monkeypatch.delenv("OMP_NUM_THREADS")
    if asked:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    with share_of_cores(workers):
        assert os.environ["OMP_NUM_THREADS"] == threads
    assert os.environ.get("OMP_NUM_THREADS") == asked


def test_an_interrupted_comparison_leaves_no_process_and_goes_on_with_any_number_of_them(alone, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        compare(
            ASKED, tmp_path, extract=Extraction(), on_progress=Seen(interrupted_at="layer_1 nearest, seed 1"), num_workers=2
        )
    assert multiprocessing.active_children() == []
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").glob("*.json")}
    seen = Seen()
    compare(ASKED, tmp_path, extract=Extraction(), on_progress=seen)
    assert contents(tmp_path) == alone
    assert seen.steps[0][0] == len(kept) > 0
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals to process groups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_all_processes(tmp_path, empty_torch, number):
    """Ctrl-C goes to the whole group; SIGTERM and SIGKILL to the one that was started."""
    (tmp_path / "omen").write_text("hangs")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(paths=[empty_torch, str(Path(__file__).parent)], folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    hanging = tmp_path / "hanging"
    wait_for(lambda: hanging.exists() and hanging.read_text())
    worker = int(hanging.read_text())
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=30)
    wait_for(lambda: not alive(worker))
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number], errors
    assert "Traceback" not in errors
    if number != signal.SIGKILL:
        assert "Features and finished runs are kept; the same command goes on from there." in errors


SCRIPT = """
import sys
sys.path[:0] = {paths}
import click
from pathlib import Path
import embedpipe.cli.main as cli
from embedpipe.cli.going_on import saying_how_to_go_on
from embedpipe.experiment.compare import compare
from comparison_samples import Extraction
from dataclasses import replace


@click.command()
def slow():
    from test_compare_workers import ASKED, ONE_RUN, Unlucky
    asked = replace(ASKED, **ONE_RUN, heads={{"nearest": Unlucky(folder={folder!r})}})
    with saying_how_to_go_on("Features and finished runs are kept"):
        compare(asked, Path({folder!r}), extract=Extraction(), num_workers=2)


if __name__ == "__main__":
    cli.commands = slow
    cli.main()
"""


def wait_for(happens: Any) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").is_dir() else True
    return False
