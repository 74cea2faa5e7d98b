"""Engines: where a job runs."""

from embedpipe.engines.engine import Engine
from embedpipe.engines.run import run

__all__ = ["Engine", "run"]
