"""The store: vectors in HDF5, aligned to words, with text, ids, labels and provenance. FORMAT.md describes it."""

from embedpipe.store.export import EXPORT_FORMATS, export_store
from embedpipe.store.finding import Finding
from embedpipe.store.intact import check_intact
from embedpipe.store.made import CheckedBlock, MadeShard, ShardMaker
from embedpipe.store.manifest import ShardRecord
from embedpipe.store.matrix import ViewMatrix
from embedpipe.store.origin import EarlierRun
from embedpipe.store.place import StorePlace
from embedpipe.store.reader import Store, open_store
from embedpipe.store.remote import Mirror, cache_folder, is_url
from embedpipe.store.sentence import StoredSentence
from embedpipe.store.settings import StoreSettings
from embedpipe.store.verify import verify
from embedpipe.store.writer import StoreWriter

__all__ = [
    "EXPORT_FORMATS",
    "CheckedBlock",
    "EarlierRun",
    "Finding",
    "MadeShard",
    "Mirror",
    "ShardMaker",
    "ShardRecord",
    "Store",
    "StorePlace",
    "StoreSettings",
    "StoreWriter",
    "StoredSentence",
    "ViewMatrix",
    "cache_folder",
    "check_intact",
    "export_store",
    "is_url",
    "open_store",
    "verify",
]
