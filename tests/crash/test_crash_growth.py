"""Growing a store, killed with SIGKILL, and grown again: readers never lose it, and it comes out as if nothing had happened."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crash_runs import WORDS, Server, contents, write_vectors

import embedpipe
from embedpipe.store import durable


def files_of(folder: Path) -> dict[str, str]:
    """The provenance has times, and with it its checksum differs."""
    return {name: sha256 for name, sha256 in contents(folder).items() if not name.endswith(":checksums")}


class Growing:
    """A store of the first sentences of a corpus that has more meanwhile.

    :param before: A folder with the store as it was.
    :param request: Makes the server add the others to it, but for where it is.
    """

    def __init__(self, folder: Path, server: Server, encoder: dict[str, Any], num_before: int) -> None:
        self.before, self.server = folder / "before", server
        rng = random.Random(num_before)
        lines = [" ".join(rng.choices(WORDS, k=rng.randrange(0, 14))) for _ in range(num_before + 24)]
        self.corpus = folder / "corpus.txt"
        self.config: dict[str, Any] = {
            "corpus": {"type": "words", "path": str(self.corpus)},
            "encoder": encoder,
            "views": {"last": {"layers": "last"}, "mean": {"layers": "embeddings", "unit": "sentence"}},
            "store": {"shard_size": 14_000},
        }
        self.corpus.write_text("\n".join(lines[:num_before]) + "\n", encoding="utf-8")
        assert self.run(self.before)["status"] == 0, server.errors.read_text()
        self.corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.num_before, self.num_after = num_before, len(lines)
        shutil.copytree(self.before, folder / "whole")
        answer = self.run(folder / "whole", append=True)
        assert answer["status"] == 0, server.errors.read_text()
        self.points = answer["points"]
        self.whole = files_of(folder / "whole")
        in_order = enumerate(self.points, 1) if num_before > 4 else reversed(list(enumerate(self.points, 1)))
        self.numbers_to_kill_at = sorted({name: number for number, name in in_order}.values())
        """Every commit point once: from shards the last time, from one file the first, while that becomes a shard."""

    def run(self, folder: Path, **request: Any) -> dict[str, Any]:
        return self.server.run(config=self.config, output=str(folder / "features.h5"), **request)


@pytest.fixture(scope="module", params=[30, 4], ids=["from shards", "from one file"])
def growing(
    request: pytest.FixtureRequest, server: Server, tiny_model: Any, tmp_path_factory: pytest.TempPathFactory
) -> Growing:
    """From shards with a transformer, from one file with static vectors."""
    folder = tmp_path_factory.mktemp("growing")
    transformer = {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"}
    encoder = transformer if request.param == 30 else write_vectors(folder / "vectors.txt")
    return Growing(folder, server, encoder, request.param)


def test_growth_passes_every_commit_point_and_is_from_shards_or_from_one_file(growing: Growing) -> None:
    assert set(growing.points) == set(durable.COMMIT_POINTS)
    assert (growing.before / "features.h5.shards").exists() == (growing.num_before == 30)
    assert sum(name.startswith("features.h5.shards/0") for name in growing.whole) >= 3


def test_grown_store_has_the_rows_of_one_that_is_made_of_the_whole_corpus(growing: Growing, tmp_path: Path) -> None:
    assert growing.run(tmp_path / "once")["status"] == 0
    shutil.copytree(growing.before, tmp_path / "grown")
    assert growing.run(tmp_path / "grown", append=True)["status"] == 0
    with (
        embedpipe.open_store(tmp_path / "once" / "features.h5") as once,
        embedpipe.open_store(tmp_path / "grown" / "features.h5") as grown,
    ):
        assert list(grown.ids) == list(once.ids) and len(grown) == growing.num_after
        for view in once.views:
            atol = 1e-5 if growing.config["encoder"]["type"] == "transformer" else 0.0
            np.testing.assert_allclose(grown.matrix(view)[:], once.matrix(view)[:], rtol=0, atol=atol)


def test_killed_at_any_commit_point_and_grown_again_the_store_is_the_same(growing: Growing, tmp_path: Path) -> None:
    for number in growing.numbers_to_kill_at:
        folder, point = Path(shutil.copytree(growing.before, tmp_path / str(number))), growing.points[number - 1]
        assert growing.run(folder, append=True, kill_at=number)["status"] == -9
        with embedpipe.open_store(folder / "features.h5") as store:
            assert len(store[:]) in (growing.num_before, growing.num_after), (number, point)
            assert all(np.isfinite(store.matrix(view)[:]).all() for view in store.views)
        assert growing.run(folder, append=True)["status"] == 0, (number, point, growing.server.errors.read_text())
        assert files_of(folder) == growing.whole, (number, point)


def test_a_disk_that_fails_is_a_clear_error_and_the_next_run_goes_on(growing: Growing, tmp_path: Path) -> None:
    for at in growing.numbers_to_kill_at[::5]:
        folder = Path(shutil.copytree(growing.before, tmp_path / str(at)))
        assert growing.run(folder, append=True, fault={"at": at, "errno": errno.ENOSPC})["status"] == 1, growing.points[at - 1]
        assert growing.server.errors.read_text().splitlines()[-1].startswith("StoreError: ")
        assert growing.run(folder, append=True)["status"] == 0, growing.server.errors.read_text()
        assert files_of(folder) == growing.whole


def test_the_old_corpus_finds_its_store_done_beside_a_growth_that_did_not_end(growing: Growing, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(growing.before, tmp_path / "half"))
    growing.run(folder, append=True, kill_at=len(growing.points) * 2 // 3)
    new = growing.corpus.read_text(encoding="utf-8")
    old = "".join(new.splitlines(keepends=True)[: growing.num_before])
    try:
        growing.corpus.write_text(old, encoding="utf-8")
        answer = growing.run(folder)
        assert answer == {"status": 0, "points": []}, growing.server.errors.read_text()
    finally:
        growing.corpus.write_text(new, encoding="utf-8")
    with embedpipe.open_store(folder / "features.h5") as store:
        assert len(store[:]) == growing.num_before and len(store.matrix("last")[:]) == store.num_words
    assert growing.run(folder)["status"] == 1
    assert "add it with --append" in growing.server.errors.read_text()
    sealed = {path.name: path.stat().st_mtime_ns for path in (folder / "features.h5.shards").glob("*.h5")}
    assert growing.run(folder, append=True)["status"] == 0, growing.server.errors.read_text()
    assert files_of(folder) == growing.whole
    kept = [name for name, when in sealed.items() if (folder / "features.h5.shards" / name).stat().st_mtime_ns == when]
    assert len(kept) >= len(sealed) - 1, "what was sealed of the growth was not made again"
