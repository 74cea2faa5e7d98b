"""A tagger over the vectors of a store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import embedpipe
from embedpipe.downstream.examples import NO_CODE, Examples, read_examples
from embedpipe.downstream.heads.names import TRAINED_HEADS
from embedpipe.downstream.heads.trained import TrainedHead
from embedpipe.downstream.kind import kind_of_features, require_same_kind
from embedpipe.downstream.metrics import score_tags
from embedpipe.downstream.ner.held_out import hold_out
from embedpipe.downstream.ner.trained import Trained, trained
from embedpipe.downstream.ner.untagged import rows_of_block, rows_of_store
from embedpipe.downstream.same_model import require_same_model
from embedpipe.downstream.selection import Selection, known_sizes, select
from embedpipe.downstream.texts import to_sentences
from embedpipe.errors import FeaturesError, ModelError
from embedpipe.store import Store, open_store

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, Sentence
    from embedpipe.downstream.heads import Epoch, Head, MixWeights, OnEpoch
    from embedpipe.downstream.learned_mix import LearnedMix
    from embedpipe.extraction import Embedder
    from embedpipe.layers import LayerCombination

_BLOCK_BYTES = 32 * 2**20
"""New text is embedded and tagged in pieces of this size."""


class NerTagger:
    """Tags words (or sentences) by their vectors: entities in BIO tags, or any other label, such as the part of speech.

    It is trained on a store, and tags stores with features of the same kind, as well as new text, which it sends through the
    encoder that the store was made with::

        tagger = NerTagger("bilstm_crf", view="all_layers", layers="learned_mix").fit("train.h5", "dev.h5")
        tagger.evaluate("test.h5")["f1"]
        tagger.predict_texts([["Berlin", "is", "large"]])

    :param head: ``"linear"``, ``"mlp"``, ``"bilstm"``, ``"bilstm_crf"``, or a head with settings of its own.
    :param view: Name of a view; may be left out where the store has only one.
    :param layers: For a stacked view, and only there: a layer combination or its name, or ``"learned_mix"``
        (:class:`~embedpipe.downstream.learned_mix.LearnedMix`), which is trained with the head.
    :param label: Name of the label, in the unit of the view.
    :param seed: The same stores, settings and seed give the same tagger.
    :param device: Where it is trained and run: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"``; left out: as
        the head says.
    """

    def __init__(
        self,
        head: str | Head = "bilstm_crf",
        view: str | None = None,
        layers: str | LayerCombination | LearnedMix | None = None,
        label: str = "ner",
        seed: int = 0,
        *,
        device: str | None = None,
    ) -> None:
        self.head = _find_head(head, device)
        self.view = view
        self.layers = layers
        self.label = label
        self.seed = seed
        self._trained: Trained | None = None
        self._loaded: Embedder | None = None

    @property
    def trained(self) -> Trained:
        """What it has after training.

        :raises ModelError: If it has not been trained.
        """
        if self._trained is None:
            raise ModelError("this tagger has not been trained: call fit(train, dev) first, or NerTagger.load(folder).")
        return self._trained

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that it tells apart."""
        return self.trained.tags

    @property
    def unit(self) -> str:
        """What a tag is given to: ``"word"`` or ``"sentence"``."""
        return self.trained.kind.get("unit of the view", "word")

    @property
    def takes_pairs(self) -> bool:
        """Whether it was trained on pairs of texts."""
        config = self.trained.config
        return config is not None and bool(embedpipe.takes_pairs(config))

    @property
    def mix(self) -> MixWeights | None:
        """The learned weights of the layers; ``None`` unless ``layers`` is a learned mix."""
        return self.trained.fitted.mix

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """How the training went."""
        return self.trained.fitted.epochs

    def fit(
        self,
        train: Store | str | os.PathLike[str],
        dev: Store | str | os.PathLike[str] | None = None,
        *,
        on_epoch: OnEpoch | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> NerTagger:
        """Train on one store, choose the best epoch on another.

        :param dev: Left out: a tenth of the sentences of ``train``, by document where there are several.
        :param on_epoch: Called after every epoch.
        :param checkpoint: A file from which an interrupted training goes on; removed at the end.
        :raises FeaturesError: If a store does not have the view, layers or label, the two have different kinds of features, or
            there is nothing to learn.
        """
        with _opened(train) as train_store, _opened(train_store if dev is None else dev) as dev_store:
            selection = self._select(train_store, self.view)
            if selection.learned and not self.head.learns_mix:
                raise FeaturesError(
                    f"layers: {type(self.head).__name__} cannot learn a mix; take one of {', '.join(TRAINED_HEADS)}."
                )
            examples = read_examples(train_store, selection, self.label)
            if dev is None:
                examples, held_out = hold_out(examples, self.seed)
            else:
                kind = kind_of_features(train_store.provenance, selection)
                dev_selection = self._select_same_kind(dev_store, selection.view, kind)
                held_out = read_examples(dev_store, dev_selection, self.label, tags=examples.tags)
            file = None if checkpoint is None else Path(checkpoint)
            fitted = self.head.fit(examples, held_out, seed=self.seed, on_epoch=on_epoch, checkpoint=file)
            self._trained, self._loaded = trained(fitted, examples.tags, selection, train_store, dev_store), None
        return self

    def predict(self, store: Store | str | os.PathLike[str]) -> list[list[str]]:
        """Tag every sentence of a store; it need not have the label.

        :returns: By sentence, a tag a word; or one tag, where a row of the view is a sentence.
        :raises FeaturesError: If the store does not have features of the kind that the tagger was trained on.
        """
        trained = self.trained
        with _opened(store) as opened:
            selection = self._select_same_kind(opened, trained.view, trained.kind)
            return self._tag(rows_of_store(opened, selection, trained.tags))

    def evaluate(self, store: Store | str | os.PathLike[str]) -> dict[str, float]:
        """Tag a store and compare with its labels; rows without a label are left out.

        :returns: As :func:`embedpipe.downstream.metrics.score_tags`: ``f1``, ``precision``, ``recall``, ... of entities for BIO
            tags, else ``accuracy`` and ``macro_f1``.
        :raises FeaturesError: If the store does not have such features or the label.
        """
        trained = self.trained
        with _opened(store) as opened:
            selection = self._select_same_kind(opened, trained.view, trained.kind)
            gold = read_examples(opened, selection, self.label)
            has_label = gold.codes != NO_CODE
            if not has_label.any():
                raise FeaturesError(
                    f"{opened.source} has no row with the label {self.label!r}, so there is nothing to compare with."
                )
            predicted = trained.fitted.predict(rows_of_store(opened, selection, trained.tags))
        return score_tags(
            _by_sentence(gold, gold.tags, gold.codes),
            _by_sentence(gold, trained.tags, np.where(has_label, predicted, NO_CODE)),
            {*gold.tags, *trained.tags},
        )

    def predict_texts(self, texts: Any) -> list[list[str]]:
        """Tag new text, each text a document of its own.

        :param texts: Strings, or lists of words. The words of a string are those of the encoder's tokenizer;
            :meth:`predict_sentences` says which. A tagger that was trained on pairs takes lists or tuples of two texts, or two
            columns of a frame.
        :returns: By text, a tag a word.
        :raises FeaturesError: If an item is not a text, or the encoder's files are not those of the training.
        :raises EncoderError: If the encoder cannot be loaded or run.
        """
        sentences = to_sentences(texts, lambda: self.takes_pairs)
        return [tags for _, tags in self.predict_sentences(sentences)]

    def predict_sentences(self, sentences: Iterable[Sentence]) -> Iterator[tuple[Sentence, list[str]]]:
        """Tag a stream of sentences, with the context of their documents where the training store had it.

        :returns: Each sentence, its words known, with a tag a word; in order, as many pieces in memory as a block has.
        :raises FeaturesError: As :meth:`predict_texts`.
        """
        trained, embedder = self.trained, self._embedder()
        where = "the config that the tagger was trained with"
        num_layers, sizes = embedder.encoder.num_layers, embedder.layer_sizes
        selection = select(where, embedder.view_infos, trained.view, self.layers, num_layers, sizes)
        views = {selection.view: embedder.views[selection.view]}
        small = replace(embedder, views=views, block_bytes=min(_BLOCK_BYTES, embedder.block_bytes))
        for block in small.embed(sentences):
            yield from zip(block.sentences, self._tag(rows_of_block(block, selection, trained.tags)), strict=True)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tagger into a folder (JSON and safetensors); one that is there is replaced. Whole or not at all.

        :raises ModelError: If it cannot be written, or its head or layers cannot be saved.
        """
        from embedpipe.downstream.ner.saved import save

        save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str | None = None) -> NerTagger:
        """Read a saved tagger; nothing in the folder is run.

        :param device: Left out: the head's own.
        :raises ModelError: If the folder holds no tagger, or a damaged one.
        """
        from embedpipe.downstream.ner.saved import load

        return load(cls, Path(folder), device)

    def _tag(self, examples: Examples) -> list[list[str]]:
        return examples.by_sentence(self.trained.fitted.predict(examples)) if len(examples.lengths) else []

    def _select(self, store: Store, view: str | None) -> Selection:
        num_layers = store.provenance.get("encoder", {}).get("num_layers")
        return select(store.source, store.views, view, self.layers, num_layers, known_sizes(store.provenance))

    def _select_same_kind(self, store: Store, view: str, kind: Any) -> Selection:
        selection = self._select(store, view)
        require_same_kind(store.source, kind, kind_of_features(store.provenance, selection))
        return selection

    def _embedder(self) -> Embedder:
        if self._loaded is None:
            config = self.trained.config
            if config is None:
                raise ModelError(
                    "the store that the tagger was trained on does not say with which config it was made, so new text "
                    "cannot be embedded. Extract a store of the text and give it to predict()."
                )
            embedder: Embedder = embedpipe.load_embedder(config)
            require_same_model("the training store", self.trained.model_files, embedder.encoder.files)
            self._loaded = embedder
        return self._loaded


def _find_head(head: str | Head, device: str | None) -> Head:
    if isinstance(head, str):
        if head not in TRAINED_HEADS:
            raise FeaturesError(f"head: {head!r} is not the name of a head. Known: {', '.join(TRAINED_HEADS)}.")
        head = TRAINED_HEADS[head]()
    if device is not None and isinstance(head, TrainedHead):
        return replace(head, training=replace(head.training, device=device))  # type: ignore[type-var]
    return head


def _by_sentence(examples: Examples, tags: tuple[str, ...], codes: IntArray) -> list[list[str | None]]:
    """``None`` for a row without a label."""
    names = np.array([*tags, None], dtype=object)
    return [part.tolist() for part in np.split(names[codes], examples.offsets[1:-1])]


@contextmanager
def _opened(store: Store | str | os.PathLike[str]) -> Iterator[Store]:
    if isinstance(store, Store):
        yield store
    elif isinstance(store, str | os.PathLike):
        with open_store(store) as opened:
            yield opened
    else:
        raise FeaturesError(f"expected an open store or the path of one, found {store!r:.80}.")
