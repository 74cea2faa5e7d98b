"""Engines: where a job runs."""

from embedpipe.engines.engine import Engine
from embedpipe.engines.local import LocalEngine

__all__ = ["Engine", "LocalEngine"]
