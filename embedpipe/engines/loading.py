"""The components of a job, loaded; or as far as that can be done without the encoder's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedpipe.errors import ConfigError
from embedpipe.in_order import batch_sentences

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.dataflow import Encoder
    from embedpipe.encoders import ModelFiles
    from embedpipe.extraction import Embedder
    from embedpipe.job import EncoderSettings, Job


@dataclass(frozen=True, slots=True)
class _InOutline:
    """Settings of an encoder whose weights stay unread; a plug-in's type that cannot say its shape without them is loaded."""

    settings: EncoderSettings
    files: ModelFiles

    def find(self) -> ModelFiles:
        return self.files

    def load(self, files: ModelFiles) -> Encoder:
        outline: Callable[[ModelFiles], Encoder] = getattr(self.settings, "outline", self.settings.load)
        return outline(files)


def load(config: LoadedConfig) -> Embedder:
    """Load tokenizer and encoder.

    :raises EncoderError: If the model is not there or cannot be loaded.
    :raises ConfigError: If a view asks for what the encoder does not have.
    """
    return _load(config, config.job)


def load_in_outline(config: LoadedConfig, files: ModelFiles) -> Embedder:
    """What :func:`load` would, without the encoder's weights where that can be."""
    return _load(config, replace(config.job, encoder=_InOutline(config.job.encoder, files)))


def load_for_workers(config: LoadedConfig) -> Embedder:
    """What a process has to know that has others do the work.

    :raises ConfigError: If the encoder carries a state from sentence to sentence.
    """
    embedder = load_in_outline(config, config.job.encoder.find())
    if batch_sentences(embedder.encoder) is not None:
        mistake = "engine: an encoder with stateful: true goes through the corpus in one piece; take the engine local, 1 worker"
        raise ConfigError(config.source, [mistake])
    return embedder


def _load(config: LoadedConfig, job: Job) -> Embedder:
    try:
        return job.load()
    except ConfigError as error:
        raise ConfigError(config.source, error.mistakes) from error
