"""New text as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

import embedpipe
from embedpipe.downstream.same_model import require_same_model
from embedpipe.downstream.selection import Selection, select_vectors
from embedpipe.downstream.texts import to_sentences
from embedpipe.errors import FeaturesError
from embedpipe.store import Store, is_url, open_store
from embedpipe.store.recognize import HDF5_SIGNATURE

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from embedpipe.extraction import Embedder
    from embedpipe.layers import LayerCombination


class TextFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Embeds new text with the encoder and a view of a config or of a store: texts in, vectors out.

    ``X`` holds texts: strings, or lists of words. Each is a document of its own. Or it holds pairs of texts, where the encoder
    was made for them: two columns (of a frame or an array), or lists or tuples of two, see ``pairs``. A sentence view gives one
    row a text or pair; a word view one row a word, the texts one behind the other (:meth:`words_frame` names the rows); a
    subword view one row a subword. An empty text keeps its row in a sentence view: zeros, or what the encoder makes of
    ``[CLS]``.

    The encoder is loaded when it is first needed and kept, but is no part of a clone or a pickle; those load it again. What is
    pickled is ``config``: for a model that goes to a machine without the store, give the store's config
    (``store.provenance["config"]``) instead of the store. The weights are then taken as they are found.

    :param config: A config (a path or a dict); or a store or its path, and then the encoder must have the very files that the
        store was made with.
    :param view: Name of a view; may be left out where there is only one.
    :param layers: For a stacked view, and only there: a layer combination or its name, as in
        :class:`~embedpipe.downstream.StoreFeatures`.
    :param pairs: Whether a list or tuple in ``X`` is a pair of texts (each a string, or each a list of words), and not the
        words of one. Left out: as it is in the store, or as the config has it in its ``corpus.second``. Two columns are pairs,
        and strings single texts, whichever it is.
    """

    def __init__(
        self,
        config: Store | str | os.PathLike[str] | Mapping[str, Any],
        view: str | None = None,
        layers: str | LayerCombination | None = None,
        pairs: bool | None = None,
    ) -> None:
        self.config = config
        self.view = view
        self.layers = layers
        self.pairs = pairs

    def fit(self, X: Any, y: Any = None) -> TextFeatures:
        """Check the texts; nothing is learned.

        :raises FeaturesError: If one is not a text, or some are pairs and some are not.
        """
        to_sentences(X, self._takes_pairs)
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Embed the texts.

        :returns: *Shape:* ``(num_rows, vector_size)``, float32; a row is a text or a pair, a word or a subword, as the view's
            unit says.
        :raises FeaturesError: If an item of ``X`` is not a text, there is no such view, or the encoder's files have changed.
        :raises ConfigError: If the config is wrong.
        :raises EncoderError: If the encoder cannot be loaded or run.
        """
        sentences = to_sentences(X, self._takes_pairs)
        embedder = self._embedder()
        selection = self._select(embedder)
        one_view = replace(embedder, views={selection.view: embedder.views[selection.view]})
        vectors = [selection.vectors(block.views[selection.view]) for block in one_view.embed(sentences)]
        return np.concatenate(vectors) if vectors else np.empty((0, selection.vector_size), np.float32)

    def words_frame(self, X: Any) -> pd.DataFrame:
        """One line a word, in the order of the rows of a word view: text_index, row, word_index, word.

        Where ``X`` holds pairs of texts there is also ``text``, as in :meth:`embedpipe.Store.words_frame`.
        """
        import pandas as pd

        embedder = self._embedder()
        tokenized = embedder.tokenizer.tokenize(to_sentences(X, self._takes_pairs), joined=embedder.context.joined)
        sentences = [subwords.sentence for subwords in tokenized]
        num_words = [len(sentence.words) for sentence in sentences]
        columns = {
            "text_index": np.repeat(np.arange(len(sentences)), num_words),
            "row": np.arange(sum(num_words)),
            "word_index": np.array([index for count in num_words for index in range(count)], np.int64),
            "word": pd.array([word for sentence in sentences for word in sentence.words], dtype="str"),
        }
        if any(sentence.second_start is not None for sentence in sentences):
            firsts = np.repeat([sentence.second_from for sentence in sentences], num_words)
            columns["text"] = np.where(columns["word_index"] >= firsts, 2, 1)
        return pd.DataFrame(columns)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Name each column as :class:`~embedpipe.downstream.StoreFeatures` does; this loads the encoder."""
        return self._select(self._embedder()).feature_names

    def _takes_pairs(self) -> bool:
        """Whether a list is a pair of texts."""
        if self.pairs is not None:
            return self.pairs
        if isinstance(self.config, Store):
            return self.config.has_pairs
        if isinstance(self.config, str | os.PathLike) and _names_a_store(self.config):
            with open_store(self.config) as store:
                return store.has_pairs
        return bool(embedpipe.takes_pairs(self.config))

    def _select(self, embedder: Embedder) -> Selection:
        return select_vectors(
            "the config", embedder.view_infos, self.view, self.layers, embedder.encoder.num_layers, embedder.layer_sizes
        )

    def _embedder(self) -> Embedder:
        """Load the encoder, once for each value of ``config``."""
        config, embedder = getattr(self, "_loaded", (None, None))
        if embedder is None or config is not self.config:
            embedder = _load(self.config)
            self._loaded = (self.config, embedder)
        return embedder

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_loaded", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # but for two columns of texts
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _load(config: Any) -> Embedder:
    if isinstance(config, Store):
        return _load_as_in(config)
    if isinstance(config, str | os.PathLike) and _names_a_store(config):
        with open_store(config) as store:
            return _load_as_in(store)
    embedder: Embedder = embedpipe.load_embedder(config)
    return embedder


def _load_as_in(store: Store) -> Embedder:
    provenance = store.provenance
    if "config" not in provenance:
        raise FeaturesError(f"{store.source} does not say with which config it was made; give TextFeatures the config itself.")
    embedder: Embedder = embedpipe.load_embedder(provenance["config"])
    require_same_model(store.source, provenance.get("inputs", {}).get("model", {}), embedder.encoder.files)
    return embedder


def _names_a_store(config: str | os.PathLike[str]) -> bool:
    """Tell a store from a config without opening it, so that a damaged store is reported as what it is."""
    if is_url(config):
        return True
    path = Path(config)
    if not path.is_file():
        return path.suffix in (".h5", ".hdf5")
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
