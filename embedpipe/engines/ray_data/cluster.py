"""The Ray cluster of a run: found, or started on this machine."""

from __future__ import annotations

import logging
import math
import os
import socket
from typing import TYPE_CHECKING, Any

from embedpipe.errors import EmbedpipeError

if TYPE_CHECKING:
    from embedpipe.job import Ray

_OBJECT_STORE_BYTES = 128 * 2**20
"""For messages only, where Ray is started for the run."""

_SECONDS_TO_ANSWER = 5.0

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Settings of Ray, unless they are set: it sends nothing home, and leaves GPUs visible."""


def connect(ray: Any, settings: Ray) -> None:
    """Connect to the cluster, or start Ray on this machine."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    given: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    where = "on this machine" if settings.address is None else f"at {settings.address}"
    try:
        if settings.address is None:
            num_cpus = math.ceil(max(os.cpu_count() or 1, settings.workers * settings.cpus_per_worker))
            ray.init("local", num_cpus=num_cpus, object_store_memory=_OBJECT_STORE_BYTES, include_dashboard=False, **given)
        else:
            _require_listener(settings.address)
            ray.init(settings.address, **given)
    except (OSError, ValueError, RuntimeError) as error:
        raise EmbedpipeError(
            f"cannot reach Ray {where}: {error}. Start it with `ray start --head`, or leave the address out to have it started"
        ) from error


def _require_listener(address: str) -> None:
    """Find out within seconds whether there is anybody; Ray itself takes a minute.

    :raises OSError: If not.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host, int(port)), timeout=_SECONDS_TO_ANSWER):
            pass


def require_room(ray: Any, settings: Ray) -> None:
    """Refuse workers that no node has room for; where only some of them have, the rest waits."""
    cpus, gpus = float(settings.cpus_per_worker), float(settings.gpus_per_worker)
    nodes = [(node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)) for node in ray.nodes() if node["Alive"]]
    if not any(node[0] >= cpus and node[1] >= gpus for node in nodes):
        has = "; ".join(f"{node[0]:g} CPUs and {node[1]:g} GPUs" for node in nodes[:5])
        raise EmbedpipeError(
            f"no node of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs for one worker; there are {len(nodes)}, with "
            f"{has}. Set engine.cpus_per_worker and engine.gpus_per_worker to what a node has"
        )


def import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise EmbedpipeError(
            f"the engine ray needs Ray, which cannot be imported here ({error}): pip install 'embedpipe[ray]'"
        ) from None
    return ray
