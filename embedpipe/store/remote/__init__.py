"""Stores on object storage: the same files under the same names as in a folder, at a URL of any kind that fsspec knows.

``s3://bucket/features.h5`` and, where there are shards, ``s3://bucket/features.h5.shards/``. HDF5 and this process work on
files, so what is read or written passes through a folder of this machine: a reader fetches the store's own file and each shard
when it is first needed, a writer brings up each shard when it is committed.
"""

from embedpipe.store.remote.files import RemoteFiles, cache_folder, is_url
from embedpipe.store.remote.local_copy import LocalCopy
from embedpipe.store.remote.mirror import Mirror

__all__ = ["LocalCopy", "Mirror", "RemoteFiles", "cache_folder", "is_url"]
