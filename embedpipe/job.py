"""A job: the components that a config names, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from annotated_types import Ge, Gt, MinLen

from embedpipe.batching import Batching
from embedpipe.dataflow import Corpus
from embedpipe.extraction import Embedder
from embedpipe.store import StoreSettings
from embedpipe.subwords import Context, SentenceContext, SubwordTokenizer, WordTokenizer
from embedpipe.views import View

if TYPE_CHECKING:
    from embedpipe.dataflow import Encoder, Vocabulary
    from embedpipe.encoders import ModelFiles


class EncoderSettings(Protocol):
    """What a config says of an encoder."""

    def find(self) -> ModelFiles:
        """Find the model's files.

        :raises EncoderError: If they are not there.
        """

    def load(self, files: ModelFiles) -> Encoder:
        """Load the weights.

        :raises EncoderError: If they cannot be loaded.
        """


def knows_the_past_only(encoder: EncoderSettings) -> bool:
    """Whether an encoder is causal: computes a subword from those before it only, as a decoder does.

    A type that has no method ``is_causal`` is not.

    :raises EncoderError: If the model is not there, or its config is not one of transformers.
    """
    asked = getattr(encoder, "is_causal", None)
    return False if asked is None else bool(asked(encoder.find()))


class EngineSettings(Protocol):
    """What a config says of where a job runs."""

    @property
    def workers(self) -> int:
        """Processes that make shards."""

    @property
    def max_retries(self) -> int:
        """How many of them may be lost."""


@dataclass(frozen=True)
class Local:
    """On this machine.

    :param workers: Processes that make shards at the same time, each with its own encoder, an equal share of the cores, and a
        GPU of its own where there are several. 1: in this process, batches side by side. On a CPU that is mostly as fast.
    :param max_retries: With several workers, how many may be killed; each is replaced, and what it was at is done again.
    """

    workers: Annotated[int, Gt(0)] = 1
    max_retries: Annotated[int, Ge(0)] = 3


@dataclass(frozen=True)
class Ray:
    """On a Ray cluster, or with a Ray that is started on this machine for the run; ``pip install 'embedpipe[ray]'``.

    The corpus, the model and the folder of the store must be at the same paths on all nodes. The process that was started
    hashes the files, gives out ranges of sentences and commits the shards; it embeds nothing.

    :param workers: How many make shards at the same time, each with its own encoder. Where the cluster has no room for all of
        them, those that there is room for begin.
    :param address: Of the cluster, as Ray has it: ``"auto"``, ``"10.0.0.5:6379"``; left out, Ray is started for the run.
    :param cpus_per_worker: Cores of each, which are also its threads. Ray places it by them.
    :param gpus_per_worker: GPUs of each; below 1, several share one.
    :param max_retries: How many workers may be lost, with their nodes or alone; each is replaced, and what it was at is done
        again.
    """

    workers: Annotated[int, Gt(0)] = 1
    address: str | None = None
    cpus_per_worker: Annotated[float, Gt(0)] = 1
    gpus_per_worker: Annotated[float, Ge(0)] = 0
    max_retries: Annotated[int, Ge(0)] = 3


@dataclass(frozen=True)
class Job:
    """What to embed, with what, into which views, and where to.

    :param corpus: The source of sentences.
    :param encoder: The pretrained model.
    :param views: By name, the kinds of vectors to keep; all of them come from one forward pass.
    :param context: What the encoder sees around a sentence.
    :param batching: How much goes through the encoder at a time.
    :param store: Where the vectors go, and how they are kept.
    :param on_error: What to do with a sentence that the encoder cannot take, or whose vectors are not finite: ``"stop"``, or
        ``"record"`` it, with zero vectors, a flag and the reason in the provenance.
    :param engine: Where the job runs; changes nothing in the store.
    """

    corpus: Corpus
    encoder: EncoderSettings
    views: Annotated[Mapping[str, View], MinLen(1)]
    context: Context = field(default_factory=SentenceContext)
    batching: Batching = field(default_factory=Batching)
    store: StoreSettings = field(default_factory=StoreSettings)
    on_error: Literal["stop", "record"] = "stop"
    engine: EngineSettings = field(default_factory=Local)

    def settled(self) -> Job:
        """The same job with what depends on the encoder written out: the pooling of words, where it is left out.

        :raises EncoderError: If the model is not there, or its config is not one of transformers.
        """
        if all(view.is_settled for view in self.views.values()):
            return self
        is_causal = knows_the_past_only(self.encoder)
        return replace(self, views={name: view.settled(is_causal=is_causal) for name, view in self.views.items()})

    def load(self) -> Embedder:
        """Load tokenizer and encoder.

        :raises EncoderError: If the model is not there or cannot be loaded.
        :raises ConfigError: If a view asks for what the encoder does not have.
        """
        files = self.encoder.find()
        encoder = self.encoder.load(files)
        vocabulary: Vocabulary | None = getattr(encoder, "vocabulary", None)
        return Embedder(
            tokenizer=SubwordTokenizer(files.folder) if vocabulary is None else WordTokenizer(vocabulary),
            encoder=encoder,
            views=self.views,
            context=self.context,
            batching=self.batching,
            dtype=self.store.dtype,
            block_bytes=self.store.shard_size_bytes,
            on_error=self.on_error,
        )
