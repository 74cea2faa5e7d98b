"""A process that has loaded everything once and forks one child a run, so that a run can be killed, and killed again, quickly.

Reads requests from standard input, a JSON object a line, and answers each with the child's exit status (negative: the signal)
and the commit points that it passed.

- ``config``, ``output``: what to extract, and where to
- ``append``: add to the store that is there
- ``kill_at``: the child kills itself with SIGKILL as it passes its n-th commit point
- ``kill_after``: it is killed that many seconds after its start
- ``fault``: the errno that the n-th passing raises: ``{"at": 3, "errno": 28}``
- ``command``: what the n-th passing runs: ``{"at": 3, "run": ["rm", "file"]}``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import allennlp_light.modules.scalar_mix  # noqa: F401
import torch
import transformers.models.bert.modeling_bert  # noqa: F401

import embedpipe
import embedpipe.api
import embedpipe.encoders.loaded
from embedpipe.config import load_config
from embedpipe.store import durable


def main() -> None:
    torch.set_num_threads(1)
    print("ready", flush=True)
    is_warm = False
    for line in sys.stdin:
        request = json.loads(line)
        if not is_warm:
            load_config(request["config"]).job.load()  # a first one imports and compiles for longer than a whole run takes
            is_warm = True
        print(json.dumps(run(request)), flush=True)


def run(request: dict) -> dict:
    points, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(points)
        extract(request, write_end)
    os.close(write_end)
    if request.get("kill_after") is not None:
        time.sleep(request["kill_after"])
        os.kill(child, signal.SIGKILL)
    passed = b""
    while part := os.read(points, 65536):
        passed += part
    os.close(points)
    _, status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), "points": passed.decode().splitlines()}


def extract(request: dict, write_end: int) -> None:
    count = 0

    def pass_point(name: str) -> None:
        nonlocal count
        count += 1
        os.write(write_end, f"{name}\n".encode())
        if count == request.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        command = request.get("command")
        if command and count == command["at"]:
            subprocess.run(command["run"], check=True)
        fault = request.get("fault")
        if fault and count == fault["at"]:
            raise OSError(fault["errno"], os.strerror(fault["errno"]))

    durable.commit_point = pass_point
    status = 0
    try:
        embedpipe.extract(request["config"], request["output"], append=request.get("append", False)).close()
    except embedpipe.EmbedpipeError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 1
    os._exit(status)


if __name__ == "__main__":
    main()
