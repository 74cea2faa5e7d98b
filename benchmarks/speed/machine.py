"""What the figures were taken with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("embedpipe", "torch", "transformers", "tokenizers", "h5py", "numpy")


def describe_machine() -> dict[str, Any]:
    """Versions, processor, threads, load, date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "num_cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_at_start": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """The name, and what it has for bfloat16."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    values = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    kinds = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in values.get("flags", "").split()]
    return ", ".join([values.get("model name", platform.processor()), *kinds])
