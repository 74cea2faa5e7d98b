"""Configs: jsonnet in, a job out, every mistake at once.

::

    file or dict --load (jsonnet, overrides)--> plain JSON --schema (pydantic)--> Job --describe--> the config with its defaults
                                                               |
                                              explain: pydantic's errors in the config's words

A config chooses components by registered type names (:mod:`~embedpipe.config.registry`) and can name no code. Components are
the stages' frozen dataclasses; the schema is made of their annotations, and their docstrings are the users' reference.
"""

from embedpipe.config.components import ComponentInfo, FieldInfo, components
from embedpipe.config.describe import resolved
from embedpipe.config.fingerprint import determining, fingerprint, sha256_of
from embedpipe.config.load import evaluate
from embedpipe.config.loaded import Loaded, LoadedConfig, load_config, load_config_of, settled, with_engine
from embedpipe.config.plugins import load_plugins
from embedpipe.config.registry import register
from embedpipe.config.roles import ROLES

__all__ = [
    "ROLES",
    "ComponentInfo",
    "FieldInfo",
    "Loaded",
    "LoadedConfig",
    "components",
    "evaluate",
    "determining",
    "fingerprint",
    "load_config",
    "load_config_of",
    "load_plugins",
    "register",
    "resolved",
    "settled",
    "with_engine",
    "sha256_of",
]
