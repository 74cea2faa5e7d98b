"""The engine ``ray``: workers are actors of a Ray cluster, or of a Ray that is started on this machine for the one run.

Only actors are used, no data sets of Ray: the shards and their order of commit are the same as with any other engine, and
neither sentences nor vectors pass through Ray's object store.
"""

from embedpipe.engines.ray_data.engine import RayEngine

__all__ = ["RayEngine"]
