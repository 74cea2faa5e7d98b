from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedpipe.cli.main import main


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``embedpipe ARGUMENTS`` in this process."""

    def run_command(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["embedpipe", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run_command


@dataclass(frozen=True)
class Workplace:
    """A folder with a corpus, a tiny model and a config that works; a test changes what it wants to."""

    folder: Path
    model: Path

    def corpus(self, text: str | bytes, name: str = "corpus.txt") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def config(self, **changes: Any) -> Path:
        """Write a config; ``None`` leaves a key out."""
        if "corpus" not in changes:
            changes["corpus"] = {"type": "words", "path": str(self.corpus("the quick fox\n\na dog\n"))}
        whole = {
            "encoder": {"model": str(self.model), "type": "transformer", "device": "cpu"},
            "views": {"last": {"layers": "last"}},
            "store": {"path": str(self.folder / "features.h5")},
        } | changes
        return self.text_config(json.dumps({key: value for key, value in whole.items() if value is not None}))

    def text_config(self, text: str) -> Path:
        path = self.folder / "config.jsonnet"
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def workplace(tmp_path: Path, tiny_model: Callable[[str], Path]) -> Workplace:
    return Workplace(tmp_path, tiny_model("bert"))
