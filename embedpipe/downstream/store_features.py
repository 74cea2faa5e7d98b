"""A store as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from embedpipe.downstream.kind import kind_of_features, require_same_kind
from embedpipe.downstream.rows import row_numbers
from embedpipe.downstream.selection import Selection, known_sizes, select_vectors
from embedpipe.errors import FeaturesError
from embedpipe.store import Store, open_store

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.downstream.text_features import TextFeatures
    from embedpipe.layers import LayerCombination

_ROWS_AT_A_TIME = 8192


class StoreFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Looks vectors up in a store: rows in, their vectors out.

    ``X`` says which rows: ``store.words_frame()`` for a word view, ``store.subwords_frame()`` for a subword view,
    ``store.sentences_frame()`` for a sentence view, or any part of one in any order; or row numbers of the view, *shape*
    ``(n,)`` or ``(n, 1)``; or, for a sentence view, sentence ids. There is nothing to fit, so nothing can leak from a test set,
    and :class:`~sklearn.model_selection.GridSearchCV` can search over views (``storefeatures__view``) and, where all layers are
    stored, over ``storefeatures__layers``.

    :param store: An open store or its path. With a path, the file is opened for each call.
    :param view: Name of a view; may be left out where the store has only one.
    :param layers: For a stacked view, and only there: a layer combination or its name, applied to the stored rows. (They are
        pooled already. That makes no difference, except for ``max`` pooling and combinations that add layers.)
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        view: str | None = None,
        layers: str | LayerCombination | None = None,
    ) -> None:
        self.store = store
        self.view = view
        self.layers = layers

    def fit(self, X: Any, y: Any = None) -> StoreFeatures:
        """Check that the store has the view and the rows, and keep what kind of features they are; nothing is learned.

        :raises FeaturesError: If it does not.
        """
        with self._open() as store:
            selection = self._select(store)
            row_numbers(X, store, selection.view)
            self.features_kind_ = kind_of_features(store.provenance, selection)
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Look the vectors up.

        :returns: *Shape:* ``(num_rows, vector_size)``, float32.
        :raises FeaturesError: If the store does not have the view, the layers or the rows; or if these are another kind of
            features than those that it was fitted on, of another encoder for instance.
        """
        with self._open() as store:
            selection = self._select(store)
            if hasattr(self, "features_kind_"):
                require_same_kind(store.source, self.features_kind_, kind_of_features(store.provenance, selection))
            rows = row_numbers(X, store, selection.view)
            matrix = store.matrix(selection.view)
            vectors = np.empty((len(rows), selection.vector_size), np.float32)
            for start in range(0, len(rows), _ROWS_AT_A_TIME):
                some = slice(start, start + _ROWS_AT_A_TIME)
                vectors[some] = selection.vectors(matrix[rows[some]])
        return vectors

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Name each column after the view and the layers: ``last_0``, ``all_layers_sum_last_four_0``."""
        with self._open() as store:
            return self._select(store).feature_names

    def for_text(self) -> TextFeatures:
        """The transformer that computes the same vectors for new text, with the encoder that made the store.

        ``make_pipeline(model[0].for_text(), *model[1:])`` lets a pipeline that was fitted on a store predict on text.
        """
        from embedpipe.downstream.text_features import TextFeatures

        return TextFeatures(self.store, view=self.view, layers=self.layers)

    @contextmanager
    def _open(self) -> Iterator[Store]:
        if isinstance(self.store, Store):
            yield self.store
        elif isinstance(self.store, str | os.PathLike):
            with open_store(self.store) as store:
                yield store
        else:
            raise FeaturesError(f"store: expected an open store or the path of one, found {self.store!r:.80}.")

    def _select(self, store: Store) -> Selection:
        num_layers = None if self.layers is None else store.provenance.get("encoder", {}).get("num_layers")
        return select_vectors(store.source, store.views, self.view, self.layers, num_layers, known_sizes(store.provenance))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # but for a single column
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
