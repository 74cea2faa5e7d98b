"""What a run is, as far as it determines the bytes of its store: config, weights, tokenizer, corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedpipe.config import determining, fingerprint, sha256_of

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig


@dataclass(frozen=True)
class Identity:
    """The identity of a run.

    :param config: The part of the resolved config that determines bytes.
    :param inputs: sha256 of each file by name, of the ``model`` (with its tokenizer) and of the ``corpus``.
    :param fingerprint: sha256 of both; in which folder the corpus's files lie does not enter it.
    """

    config: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, str]]
    fingerprint: str

    @classmethod
    def of(cls, config: LoadedConfig) -> Identity:
        """Read what a config names and hash it.

        :raises EncoderError: If the model is not there.
        :raises CorpusError: If a file of the corpus is not.
        """
        inputs = {
            "model": {file.name: sha256_of(file) for file in config.job.encoder.find().all},
            "corpus": {str(file): sha256_of(file) for file in config.job.corpus.files},
        }
        return cls(determining(config.resolved), inputs, fingerprint(config.resolved, _without_folders(inputs)))

    @property
    def as_json(self) -> dict[str, Any]:
        """What the manifest of a store under construction keeps, to compare with."""
        return {"config": dict(self.config), "inputs": _without_folders(self.inputs), "fingerprint": self.fingerprint}

    def changes_since(self, provenance: Mapping[str, Any]) -> list[str]:
        """What differs from the run that made a store, a line each, by dotted path."""
        before = {
            "config": determining(provenance.get("config", {})),
            "inputs": _without_folders(provenance.get("inputs", {})),
        }
        now = {"config": self.config, "inputs": _without_folders(self.inputs)}
        return list(_differences(before, now, "")) or ["something that its provenance does not say"]


def _without_folders(inputs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Where a file of the corpus is does not matter, only its place in the order and what is in it."""
    files = {f"model/{name}": sha for name, sha in inputs.get("model", {}).items()}
    return files | {f"corpus/{number}": sha for number, sha in enumerate(inputs.get("corpus", {}).values())}


def _differences(before: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            yield from _differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif before != now:
        yield f"{path}: was {_shown(before)}, is {_shown(now)}"


def _shown(value: Any) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
