"""Other libraries, each in a virtual environment of its own, on the same sentences with the same model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speed.turns import say

_SCRIPTS = Path(__file__).parents[1] / "peers"
_SET_UP = "is-set-up"
"""A file in an environment to which nothing is missing."""
_EVERYWHERE = ("torch==2.13.0", "h5py==3.16.0")


@dataclass(frozen=True)
class Peer:
    """A library and what is installed for it.

    :param requirements: With what they need in turn.
    :param alone: Without what they ask for: versions of years ago that do not go with this torch.
    :param slow: Whether it gets a part of the corpus only; rates are compared, not seconds.
    """

    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()
    slow: bool = False


PEERS: dict[str, Peer] = {
    "flair": Peer(("transformers==4.57.6", "flair==0.15.1")),
    "transformers": Peer(("transformers==5.23.0",)),
    "sentence_transformers": Peer(("transformers==5.23.0", "sentence-transformers==6.2.0")),
    "neurox": Peer(("transformers==5.23.0", "tqdm"), alone=("neurox==1.0.9",), slow=True),
    "minicons": Peer(("transformers==5.23.0", "minicons==0.3.39"), slow=True),
}


def set_up_peers(folder: Path) -> None:
    """Make an environment for each peer that has none in the folder yet."""
    for name, peer in PEERS.items():
        if _is_set_up(folder, name):
            say(f"{name}: is there")
            continue
        say(f"{name}: setting up {folder / name}")
        venv.create(folder / name, with_pip=True, clear=True)
        try:
            _install(folder / name, *_EVERYWHERE, *peer.requirements)
            if peer.alone:
                _install(folder / name, "--no-deps", *peer.alone)
        except subprocess.CalledProcessError as error:
            say(f"{name}: left out, pip ended with exit status {error.returncode}")
        else:
            (folder / name / _SET_UP).touch()


def _install(environment: Path, *what: str) -> None:
    """Torch is pinned among the rest, so that a CPU build that is at hand is taken instead of gigabytes of CUDA."""
    pip = [str(_python(environment)), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *what]
    subprocess.run(pip, check=True)


def _is_set_up(folder: Path, name: str) -> bool:
    return (folder / name / _SET_UP).exists()


def _python(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


@dataclass
class PeerPass:
    """One peer's pass over a corpus file, again and again.

    :param figures: What the script has printed last: words, seconds, version, settings.
    """

    name: str
    environment: Path
    corpus: Path
    model: Path
    output: Path
    figures: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> float:
        """Run it.

        :raises RuntimeError: If it fails; with the last line that it printed.
        """
        command = [_python(self.environment), _SCRIPTS / f"run_{self.name}.py", self.corpus, self.model, self.output]
        settings = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=settings, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["nothing printed"]
            raise RuntimeError(f"{self.name}: exit status {done.returncode}: {lines[-1]}")
        self.figures = json.loads(done.stdout.strip().splitlines()[-1])
        return float(self.figures["seconds"])


def working_peers(folder: Path, corpus: Path, part: Path, model: Path, output: Path) -> dict[str, PeerPass]:
    """The peers that are set up and work, each tried once.

    :param part: A part of the corpus, for the slow ones.
    """
    working: dict[str, PeerPass] = {}
    for name, peer in PEERS.items():
        if not _is_set_up(folder, name):
            say(f"{name}: left out, not set up in {folder}; run: {sys.argv[0]} --set-up-peers {folder}")
            continue
        one = PeerPass(name, folder / name, part if peer.slow else corpus, model, output / f"{name}.h5")
        try:
            one()
        except (RuntimeError, OSError, ValueError) as error:
            say(f"{name}: left out, it does not work: {error}")
            continue
        working[name] = one
    return working
