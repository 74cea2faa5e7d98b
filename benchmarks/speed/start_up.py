"""How long it takes until the command says anything, beside Python itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from speed.turns import medians, take_turns, timed

_TURNS = 9


def start_up_figures() -> dict[str, Any]:
    """Seconds of ``embedpipe --help`` and of a Python that does nothing."""
    command = shutil.which("embedpipe", path=str(Path(sys.executable).parent))
    help_ = [command, "--help"] if command else [sys.executable, "-m", "embedpipe", "--help"]
    nothing = [sys.executable, "-c", "pass"]
    runs = {
        "help": timed(lambda: subprocess.run(help_, check=True, capture_output=True)),
        "python": timed(lambda: subprocess.run(nothing, check=True, capture_output=True)),
    }
    seconds = medians(take_turns(runs, _TURNS))
    return {"start_up": seconds["help"] / seconds["python"], "seconds": seconds}
