"""Whether a finished store may grow: sentences were added at the end of its corpus, and nothing else has changed.

The files are told by their sha256 and how many bytes they had, before anything is embedded. What the bytes cannot tell is
looked for when the corpus is read: whether the last old sentence is still the same, and whether the first new one would have
changed the vectors of those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedpipe.engines.difference import difference
from embedpipe.engines.identity import differences, stored_identity
from embedpipe.errors import StoreError
from embedpipe.store import open_store

if TYPE_CHECKING:
    from embedpipe.dataflow import Sentence
    from embedpipe.engines.corpus_file import CorpusFile
    from embedpipe.engines.identity import Identity
    from embedpipe.store import StoredSentence


def corpus_sizes(provenance: Mapping[str, Any]) -> tuple[int, ...]:
    """Bytes that each file of the corpus had when a store was made; none where the store does not say that."""
    inputs = provenance.get("inputs", {})
    sizes = inputs.get("corpus_bytes", {})
    if list(sizes) != list(inputs.get("corpus", {})) or not all(type(size) is int and size >= 0 for size in sizes.values()):
        return ()
    return tuple(sizes.values())


def obstacles(identity: Identity, provenance: Mapping[str, Any]) -> list[str]:
    """What stands against adding to a store, a line each.

    :param identity: Of the run that would; its files were read with the sizes of :func:`corpus_sizes`.
    :param provenance: Of the store.
    """
    before, now = _but_for_the_corpus(stored_identity(provenance)), _but_for_the_corpus(identity.as_json)
    return [*differences(before, now), *_in_files(identity.corpus, provenance)]


def _but_for_the_corpus(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Without the files of the corpus, of which there may be more, and so without the path or paths that name them."""
    config = dict(identity["config"])
    if isinstance(config.get("corpus"), Mapping):
        config["corpus"] = {key: value for key, value in config["corpus"].items() if key != "path"}
    files = {name: sha256 for name, sha256 in identity["inputs"].items() if not name.startswith("corpus/")}
    return {"config": config, "inputs": files}


def _in_files(files: tuple[CorpusFile, ...], provenance: Mapping[str, Any]) -> Iterator[str]:
    before = list(provenance.get("inputs", {}).get("corpus", {}).items())
    sizes = corpus_sizes(provenance)
    if not sizes:
        yield (
            "the store does not say how many bytes of the corpus it was made of (an earlier version made it), so that what is "
            "new cannot be told; extract it once more with --restart, and it can grow from then on"
        )
    elif len(files) < len(before):
        yield f"the corpus has {len(files):,} files, and the store was made of {len(before):,}"
    else:
        for number, ((path, sha256), size, file) in enumerate(zip(before, sizes, files, strict=False), 1):
            yield from _in_file(path, sha256, size, file, may_be_longer=number == len(before))


def _in_file(path: str, sha256: str, size: int, file: CorpusFile, *, may_be_longer: bool) -> Iterator[str]:
    """Names may be part of ids, folders are not."""
    if Path(path).name != Path(file.path).name:
        yield f"{file.path} stands where the store was made of {Path(path).name}; only behind the old files may others follow"
    elif file.size_bytes < size:
        yield f"{file.path} has {file.size_bytes:,} bytes, and the store was made of {size:,}"
    elif file.beginning != sha256:
        yield f"the first {size:,} bytes of {file.path} are not what the store was made of"
    elif file.size_bytes > size and not may_be_longer:
        yield f"{file.path} has grown from {size:,} to {file.size_bytes:,} bytes, and only the last of the old files may"


@dataclass(frozen=True, slots=True)
class OldPart:
    """The sentences of a store that is to grow, with which the corpus must still begin.

    :param path: Of the store.
    :param last: The last of them; ``None`` where there are none.
    """

    path: Path
    num_sentences: int
    last: StoredSentence | None

    @classmethod
    def of_store(cls, path: Path, provenance: Mapping[str, Any]) -> OldPart:
        """Look at the store, which nobody else can write any more.

        :param provenance: What it said before that was so.
        :raises StoreError: If it is another one meanwhile.
        """
        with open_store(path) as store:
            if store.provenance != provenance:
                raise StoreError(f"adding to {path}: another process has just replaced it; run the same command again")
            return cls(path, len(store), store[-1] if len(store) else None)

    def checked(self, sentences: Iterable[Sentence], *, joined: bool) -> Iterator[Sentence]:
        """Pass the sentences of the corpus on, from the first one, and look whether the old ones are the old ones.

        :param joined: Whether the encoder sees a sentence beside those of its document.
        :raises StoreError: If the last old sentence is another one or is missing, or the first new one belongs to its document
            where that changes its vectors. No new sentence has been passed on then.
        """
        rest, number = iter(sentences), 0
        for number, sentence in enumerate(rest, 1):
            if number == self.num_sentences:
                self._check_last(sentence)
            elif number > self.num_sentences and joined:
                self._check_next(sentence)
            yield sentence
            if number > self.num_sentences:
                yield from rest
        if number < self.num_sentences:
            raise StoreError(
                f"adding to {self.path}: the corpus has {number:,} sentences, and the store has {self.num_sentences:,}. "
                "Extract it anew with --restart"
            )

    def _check_last(self, sentence: Sentence) -> None:
        if self.last and (what := difference(sentence, self.last)):
            raise StoreError(
                f"adding to {self.path}: its last sentence {self.last.id!r} is another one in the corpus now: {what}. Was the "
                "file continued in the middle of it? End that as it was, and begin a new one; or extract anew with --restart"
            )

    def _check_next(self, sentence: Sentence) -> None:
        if self.last and sentence.document == self.last.document:
            raise StoreError(
                f"adding to {self.path}: the first new sentence {sentence.id!r} goes on with {sentence.document!r}, the last "
                "document of the store. With the context of the whole document, the vectors of its old sentences would be "
                "others. Begin a new document, or extract anew with --restart"
            )
