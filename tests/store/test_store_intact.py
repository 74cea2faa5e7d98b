from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sound_samples import NUM_SENTENCES, shard, write

from embedpipe.errors import DamagedStoreError
from embedpipe.store import open_store
from embedpipe.store.intact import check_intact


def check(path: Path) -> None:
    with open_store(path) as store:
        check_intact(path, store.shards)


@pytest.mark.parametrize("bounds", [(0, 12), (0, 5, 8, NUM_SENTENCES), (0,)])
def test_a_whole_store_is_intact(tmp_path: Path, bounds: tuple[int, ...]) -> None:
    check(write(tmp_path / "s.h5", bounds))
    (tmp_path / "link.h5").symlink_to("s.h5")
    check(tmp_path / "link.h5")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "of its 3 shards in s.h5.shards 1 cannot be used: 000001.h5 is missing. Bring the right ones there; or "),
        (lambda path: os.truncate(path, 100), r"000001.h5 has 100 bytes, expected [\d,]+\. Bring"),
        (lambda path: (path.unlink(), path.mkdir()), r"000001.h5 is not a file\. Bring"),
        (lambda path: (path.rename(path.with_name("a")), path.symlink_to("a")), r"000001.h5 is not a file\. Bring"),
        (lambda path: shutil.rmtree(path.parent), "3 cannot be used: 000000.h5 is missing, 000001.h5 is missing, 000002.h5 is"),
    ],
)
def test_a_shard_that_is_gone_or_cut_off_is_named_with_the_repair(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    path = write(tmp_path / "s.h5", (0, 5, 8, NUM_SENTENCES))
    damage(shard(path, 1))
    with pytest.raises(DamagedStoreError, match=message) as caught:
        check(path)
    assert "remove s.h5 and run the same extract command again" in str(caught.value)


def test_of_many_lost_shards_the_first_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5", range(NUM_SENTENCES + 1))
    shutil.rmtree(shard(path, 0).parent)
    with pytest.raises(DamagedStoreError, match=r"000002\.h5 is missing, and 9 more"):
        check(path)
