"""From a config to a job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pydantic import ValidationError

from embedpipe.config.describe import resolved
from embedpipe.config.explain import mistakes
from embedpipe.config.load import evaluate, source_name
from embedpipe.config.plugins import load_plugins
from embedpipe.config.registry import known, registered
from embedpipe.config.schema import build
from embedpipe.errors import ConfigError
from embedpipe.job import Job

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

J = TypeVar("J", bound="DataclassInstance")


@dataclass(frozen=True)
class Loaded(Generic[J]):
    """A config that has no mistake.

    :param job: The components that it names, put together; nothing is read or loaded yet.
    :param resolved: The config as plain JSON with every default written out; it loads again to an equal job.
    :param source: Its path as it was given, or "the config given as a dict".
    """

    job: J
    resolved: dict[str, Any]
    source: str


LoadedConfig: TypeAlias = Loaded[Job]
"""The config of an extraction."""


def settled(config: LoadedConfig) -> LoadedConfig:
    """The same config with those defaults written out, too, that depend on the encoder.

    :raises EncoderError: If the model is not there, or its config is not one of transformers.
    """
    job = config.job.settled()
    return config if job is config.job else Loaded(job, resolved(job), config.source)


def with_engine(
    config: LoadedConfig, engine: str | None, *, workers: int | None = None, address: str | None = None
) -> LoadedConfig:
    """The same config, to be run elsewhere; what is ``None`` stays as it is.

    :param engine: A type of engine.
    :raises ConfigError: If there is no such engine, or it has no address.
    """
    settings: Any = config.job.engine
    if engine is not None:
        if engine not in registered("engine"):
            raise ConfigError(config.source, [f"engine: got {engine!r}; known: {', '.join(known('engine'))}"])
        kind = registered("engine")[engine]
        settings = settings if type(settings) is kind else kind(workers=settings.workers, max_retries=settings.max_retries)
    if address is not None and not hasattr(settings, "address"):
        raise ConfigError(
            config.source, [f"engine.address: {address!r}, but this engine is on this machine; give --engine ray"]
        )
    given = {"workers": workers, "address": address}
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    job = replace(config.job, engine=settings)
    return config if job == config.job else Loaded(job, resolved(job), config.source)


def load_config(
    config: str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
) -> LoadedConfig:
    """Read the config of an extraction, check all of it, and make its components.

    :param config: Path of a jsonnet or JSON file, or the config itself.
    :param overrides: Changes to single values: ``{"encoder.precision": "bfloat16"}``, or jsonnet that gives such an object.
    :param ext_vars: What ``std.extVar`` finds; nothing else, the environment's variables neither.
    :param include_packages: Packages to import first, so that they register their components.
    :raises ConfigError: With every mistake that the config has.
    """
    return load_config_of(Job, config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)


def load_config_of(
    root: type[J],
    config: str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
) -> Loaded[J]:
    """Read the config of any kind of job; see :func:`load_config`.

    :param root: The dataclass whose fields are the config's keys.
    """
    load_plugins(include_packages)
    source = source_name(config)
    data = evaluate(config, ext_vars=ext_vars, overrides=overrides)
    try:
        job = build(data, root)
    except ValidationError as error:
        raise ConfigError(source, mistakes(error, root)) from None
    return Loaded(job, resolved(job), source)
