"""Comparisons that cost nothing: corpora in memory, made-up encoders, and a head that counts how often it is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from embedpipe.dataflow import Block, ReadLog, Sentence
from embedpipe.downstream.examples import Examples
from embedpipe.downstream.heads.head import Epoch, MixWeights
from embedpipe.experiment.comparison import Comparison
from embedpipe.experiment.features import ExtractionRequest
from embedpipe.experiment.splits import RandomSplits
from embedpipe.experiment.tasks import Ner
from embedpipe.store import Store, StoreWriter, open_store

PLACES, PEOPLE = ("Berlin", "Tokyo", "Oslo"), ("Ada Byron", "Max Planck")
WORDS = ("the", "fox", "walks", "near", "bank", "with", "stick")


@dataclass(frozen=True)
class Given:
    """A corpus in memory."""

    given: tuple[Sentence, ...]
    name: str = "given.txt"

    @property
    def files(self) -> tuple[Path, ...]:
        return (Path(self.name),)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        return iter(self.given)


@dataclass(frozen=True)
class MadeUp:
    """An encoder whose layers know more of a label the higher they are."""

    num_layers: int = 4
    hidden_size: int = 6
    salt: str = ""

    def find(self) -> Any:
        raise AssertionError("the made-up encoder has no files")

    def load(self, files: Any) -> Any:
        raise AssertionError("the made-up encoder has no weights")


def sentences(number: int = 60, *, documents: int = 12) -> tuple[Sentence, ...]:
    """Sentences with places and people in them, labels of words, of senses and of the whole; all texts differ."""
    random = np.random.default_rng(7)
    made = []
    for index in range(number):
        words, ner = [f"{WORDS[index % 3]}{index}"], ["O"]
        for _ in range(int(random.integers(1, 4))):
            if random.random() < 0.5:
                words, ner = [*words, str(random.choice(PLACES))], [*ner, "B-LOC"]
            else:
                words, ner = [*words, *str(random.choice(PEOPLE)).split()], [*ner, "B-PER", "I-PER"]
            words, ner = [*words, str(random.choice(WORDS))], [*ner, "O"]
        sense = tuple(f"{word}.{index % 2}" if word in ("bank", "stick") else "_" for word in words)
        labels = {"ner": tuple(ner), "upos": tuple(tag[-3:] for tag in ner), "sense": sense, "topic": f"topic {index % 3}"}
        document = f"doc-{index * documents // number}"
        made.append(Sentence.from_words(f"s-{index}", document, words, labels=labels))
    return tuple(made)


@dataclass
class Extraction:
    """Stands for the engine: writes stores of made-up vectors, or opens those that are there."""

    requests: list[str] = field(default_factory=list)
    num_made: int = 0

    def __call__(self, request: ExtractionRequest) -> Store:
        self.requests.append(request.name)
        if not request.path.exists():
            self.num_made += 1
            _write(request)
        return open_store(request.path)


def _write(request: ExtractionRequest) -> None:
    encoder = request.encoder
    assert isinstance(encoder, MadeUp)
    given = tuple(request.corpus.sentences(ReadLog()))
    infos = {
        name: view.info(num_layers=encoder.num_layers, hidden_size=encoder.hidden_size, dtype=request.dtype)
        for name, view in request.views.items()
    }
    counts = np.array([len(sentence.words) for sentence in given], dtype=np.int64)
    words = np.concatenate([_vectors(encoder, sentence) for sentence in given])  # (num_words, num_layers + 1, hidden_size)
    rows = {
        "word": words,
        "sentence": np.stack([_of_sentence(encoder, sentence) for sentence in given]),
    }
    block = Block(
        given,
        np.zeros(len(given), np.int64),
        np.zeros(len(words), np.int64),
        counts,
        np.arange(len(words)),
        np.concatenate([np.column_stack([np.arange(count), np.arange(1, count + 1)]) for count in counts]),
        {name: rows[info.unit].astype(info.dtype) for name, info in infos.items()},
    )
    facts = {"encoder": repr(encoder), "context": repr(request.context), "views": sorted(request.views), "corpus": repr(given)}
    provenance = {
        "fingerprint": hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        "encoder": {"model": "made-up", "precision": "float32", "device_name": "cpu"},
        "inputs": {"model": {"model.safetensors": "ab12"}},
        "machine": {"system": "any", "num_cores": 1},
        "run": {"seconds": 1.5, "words_per_second": 10.0},
    }
    with StoreWriter(request.path, infos) as writer:
        writer.append(block, 0)
        writer.finish(provenance)


def _vectors(encoder: MadeUp, sentence: Sentence) -> np.ndarray:
    tags = sentence.labels["ner"]
    return np.stack([_states(encoder, f"{sentence.id}/{place}", str(tag)) for place, tag in enumerate(tags)])


def _of_sentence(encoder: MadeUp, sentence: Sentence) -> np.ndarray:
    return _states(encoder, sentence.id, str(sentence.labels["topic"]))


def _states(encoder: MadeUp, place: str, label: str) -> np.ndarray:
    """Noise of the place and, layer by layer, more of the label. *Shape:* ``(num_layers + 1, hidden_size)``."""
    noise, signal = (_random(f"{encoder.salt}{text}").normal(size=encoder.hidden_size) for text in (place, label))
    shares = np.arange(encoder.num_layers + 1)[:, None] / encoder.num_layers
    return noise + 1.5 * shares * signal


def _random(text: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


@dataclass(frozen=True)
class Nearest:
    """Tells a tag by the nearest mean; two epochs, in the first of which it knows half of the examples.

    :param blur: Of what it remembers; drawn by the seed.
    """

    blur: float = 0.3
    learns_mix: bool = True
    uses_seed: bool = True
    trained: ClassVar[list[tuple[str, int]]] = []

    def fit(self, train: Examples, dev: Examples, *, seed: int, on_epoch: Any = None, checkpoint: Path | None = None) -> Any:
        num_epochs = 0 if checkpoint is None or not checkpoint.exists() else int(checkpoint.read_text())
        if num_epochs == 0:
            Nearest.trained.append((train.selection.layers_name, seed))
        for number in range(num_epochs + 1, 3):
            if checkpoint is not None:
                checkpoint.write_text(str(number))
            if on_epoch is not None:
                on_epoch(Epoch(number, 1 / number, 0.5, 0.5))
        return _FittedNearest(self._centres(train, seed), self._mix(train))

    def _centres(self, train: Examples, seed: int) -> Mapping[int, np.ndarray]:
        vectors = _flat(train)
        random = np.random.default_rng(seed)
        codes = [code for code in range(len(train.tags)) if (train.codes == code).any()]
        return {
            code: vectors[train.codes == code].mean(axis=0) + random.normal(0, self.blur, vectors.shape[1]) for code in codes
        }

    def _mix(self, train: Examples) -> MixWeights | None:
        if not train.selection.learned:
            return None
        layers = train.selection.mixed_layers
        return MixWeights(layers, (0.0,) * len(layers), (1 / len(layers),) * len(layers), 1.0)


@dataclass(frozen=True)
class _FittedNearest:
    centres: Mapping[int, np.ndarray]
    mix: MixWeights | None
    epochs: tuple[Epoch, ...] = (Epoch(1, 1.0, 0.5, 0.5), Epoch(2, 0.5, 0.5, 0.5))

    def predict(self, examples: Examples) -> np.ndarray:
        codes = np.array(list(self.centres))
        distances = np.stack([((_flat(examples) - centre) ** 2).sum(axis=1) for centre in self.centres.values()])
        return codes[distances.argmin(axis=0)]


def _flat(examples: Examples) -> np.ndarray:
    vectors = examples.vectors_of(np.arange(len(examples.sentences)))
    return vectors.mean(axis=1) if vectors.ndim == 3 else vectors


def comparison(**changes: Any) -> Comparison:
    """A small one: named entities, one encoder of four layers, two seeds."""
    small = Comparison(
        task=Ner(),
        splits=RandomSplits(Given(sentences())),
        encoders={"made-up": MadeUp()},
        heads={"nearest": Nearest()},
        seeds=(0, 1),
    )
    return replace(small, **changes)
