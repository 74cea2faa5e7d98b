"""The store: one HDF5 file of vectors, aligned to words, with text, ids, labels and provenance. FORMAT.md describes it."""

from embedpipe.store.matrix import ViewMatrix
from embedpipe.store.reader import Store, open_store
from embedpipe.store.sentence import StoredSentence
from embedpipe.store.settings import StoreSettings
from embedpipe.store.writer import StoreWriter

__all__ = ["Store", "StoreSettings", "StoreWriter", "StoredSentence", "ViewMatrix", "open_store"]
