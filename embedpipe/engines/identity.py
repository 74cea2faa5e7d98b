"""What a run is, as far as it determines the bytes of its store: config, weights, tokenizer, corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedpipe.config import determining, fingerprint, settled, sha256_of
from embedpipe.engines.corpus_file import CorpusFile

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig


@dataclass(frozen=True)
class Identity:
    """The identity of a run.

    :param config: The part of the resolved config that determines bytes.
    :param model: sha256 of each file of the model (with its tokenizer), by name.
    :param corpus: The files of the corpus, in reading order.
    :param fingerprint: sha256 of both; in which folder the corpus's files lie does not enter it, nor how long they are.
    """

    config: Mapping[str, Any]
    model: Mapping[str, str]
    corpus: tuple[CorpusFile, ...]
    fingerprint: str

    @classmethod
    def of(cls, config: LoadedConfig, *, sizes_before: Sequence[int] = ()) -> Identity:
        """Read what a config names and hash it.

        :param sizes_before: Bytes that the files of the corpus had once; what they begin with is then hashed as well.
        :raises EncoderError: If the model is not there.
        :raises CorpusError: If a file of the corpus is not.
        """
        config = settled(config)
        model = {file.name: sha256_of(file) for file in config.job.encoder.find().all}
        sizes = dict(enumerate(sizes_before))
        corpus = {str(file): CorpusFile.read(file, sizes.get(n)) for n, file in enumerate(config.job.corpus.files)}
        inputs = {"model": model, "corpus": {path: file.sha256 for path, file in corpus.items()}}
        determined_by = fingerprint(config.resolved, _without_folders(inputs))
        return cls(determining(config.resolved), model, tuple(corpus.values()), determined_by)

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What the provenance says of the files: the sha256 of each, and how many bytes the corpus's had."""
        return {
            "model": dict(self.model),
            "corpus": {file.path: file.sha256 for file in self.corpus},
            "corpus_bytes": {file.path: file.size_bytes for file in self.corpus},
        }

    @property
    def as_json(self) -> dict[str, Any]:
        """What the shards and the manifest of a store keep, to compare with."""
        return {"config": dict(self.config), "inputs": _without_folders(self.inputs), "fingerprint": self.fingerprint}

    def changes_since(self, provenance: Mapping[str, Any]) -> list[str]:
        """What differs from the run that made a store, a line each, by dotted path."""
        before, now = stored_identity(provenance), self.as_json
        del before["fingerprint"], now["fingerprint"]
        return list(differences(before, now)) or ["something that its provenance does not say"]


def stored_identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of the run that made a store, as :attr:`Identity.as_json` has it."""
    return {
        "config": determining(provenance.get("config", {})),
        "inputs": _without_folders(provenance.get("inputs", {})),
        "fingerprint": provenance.get("fingerprint"),
    }


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Each value that is not the same in both, by dotted path."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            yield from differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif before != now:
        yield f"{path}: was {_shown(before)}, is {_shown(now)}"


def _without_folders(inputs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Where a file of the corpus is does not matter, only its place in the order and what is in it."""
    files = {f"model/{name}": sha for name, sha in inputs.get("model", {}).items()}
    return files | {f"corpus/{number}": sha for number, sha in enumerate(inputs.get("corpus", {}).values())}


def _shown(value: Any) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
