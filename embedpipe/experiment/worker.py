"""One of several processes that train: it is given all trainings once, and is then told which ones to do."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedpipe.processes import serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from embedpipe.downstream.heads.head import Epoch
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.experiment.run import Run
    from embedpipe.experiment.run_files import RunFolder


@dataclass(frozen=True)
class Work:
    """What every worker is given, in one piece, in which nothing comes twice. Stores are opened again where it is unpickled.

    :param runs: By key.
    """

    runs: Mapping[str, Run]
    labelled: Labelled
    folder: RunFolder


def work(channel: Connection) -> None:
    """Train what one is told, until told ``None``.

    :param channel: A :class:`Work` comes in and then keys; ``("ready", None)``, to be given the work, ``("epoch", 3)`` and
        ``("done", None)`` go out.
    """
    with serve(channel):
        import torch  # noqa: F401  # seconds that are not the first run's

        from embedpipe.experiment.training import train

        channel.send(("ready", None))
        having: Work = pickle.loads(channel.recv_bytes())
        while (key := channel.recv()) is not None:
            train(having.runs[key], having.labelled, having.folder, lambda epoch: _tell(channel, epoch))
            channel.send(("done", None))


def _tell(channel: Connection, epoch: Epoch) -> None:
    channel.send(("epoch", epoch.number))
