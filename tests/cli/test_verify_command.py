"""``embedpipe verify``: one line for a sound store; for any other file a message, exit status 1, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import embedpipe
from embedpipe.store.lock import WriterLock

SENTENCES = "the quick fox\n\na dog near the river\nlazy brown fox jumps\n"
Change = Callable[[h5py.File], Any]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], Path]) -> Path:
    folder = tmp_path_factory.mktemp("config")
    (folder / "corpus.txt").write_text(SENTENCES, encoding="utf-8")
    settings = {
        "corpus": {"type": "words", "path": str(folder / "corpus.txt")},
        "encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"},
        "views": {"last": {"layers": "last"}, "mean": {"layers": "first", "unit": "sentence"}},
        "store": {"path": "features.h5"},
    }
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder / "config.json"


@pytest.fixture(scope="module")
def made(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one file and one of three shards."""
    folder = tmp_path_factory.mktemp("made")
    embedpipe.extract(config, folder / "single.h5").close()
    embedpipe.extract(config, folder / "sharded.h5", overrides={"store.shard_size": 1000}).close()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "stores"))


def test_a_sound_store_takes_one_line(run: Any, made: Path) -> None:
    result = run("verify", made / "single.h5")
    assert result.status == 0 and result.err == ""
    assert result.out.startswith(f"{made / 'single.h5'}: 4 sentences, 2 views, 1 file: all is well, ")
    assert result.out.count("\n") == 1 and "KiB read in " in result.out
    result = run("verify", made / "sharded.h5")
    assert result.status == 0 and f"4 sentences, 2 views, {len(shards(made))} shards: all is well" in result.out
    assert len(shards(made)) >= 3


def test_findings_are_listed_with_their_repair(run: Any, folder: Path) -> None:
    missing = shards(folder)[1]
    missing.unlink()
    result = run("verify", folder / "sharded.h5")
    assert result.status == 1
    assert result.out.splitlines()[:3] == [
        f"{folder / 'sharded.h5'}: 1 finding",
        f"  shard {missing.name}: shard: it is missing",
        "    to repair: remove sharded.h5 and run the same extract command again: the shard is made anew",
    ]


def test_the_repair_that_is_named_repairs(run: Any, config: Path, folder: Path) -> None:
    expected = shards(folder)[1].read_bytes()
    shards(folder)[1].write_bytes(b"x")
    assert run("verify", folder / "sharded.h5").status == 1
    (folder / "sharded.h5").unlink()
    embedpipe.extract(config, folder / "sharded.h5", overrides={"store.shard_size": 1000}).close()
    assert shards(folder)[1].read_bytes() == expected
    assert run("verify", folder / "sharded.h5").status == 0


def test_json_says_the_same(run: Any, folder: Path) -> None:
    facts = json.loads(run("verify", folder / "single.h5", "--json").out)
    assert facts["is_well"] and facts["findings"] == [] and facts["sentences"] == 4 and facts["shards"] == 0
    (folder / "single.h5").write_text("x")
    result = run("verify", folder / "single.h5", "--json")
    facts = json.loads(result.out)
    assert result.status == 1 and not facts["is_well"] and not facts["is_readable"]
    assert facts["findings"][0].keys() == {"where", "what", "hint"}


def test_a_writer_at_work_is_named_and_is_no_fault(run: Any, folder: Path) -> None:
    (folder / "single.h5.shards").mkdir()
    lock = WriterLock(folder / "single.h5.shards" / "lock", folder / "single.h5")
    result = run("verify", folder / "single.h5")
    facts = json.loads(run("verify", folder / "single.h5", "--json").out)
    lock.release()
    note, summary = result.out.splitlines()
    assert result.status == 0 and "all is well" in summary
    assert note.startswith(f"{folder / 'single.h5'}: process {os.getpid()} on ")
    assert note.endswith(" is writing; what it has not committed yet is not checked")
    assert facts["is_well"] and facts["writer"] in note


def test_a_changed_bit_of_a_vector_is_found(run: Any, folder: Path) -> None:
    with h5py.File(folder / "single.h5", "r+") as file:
        file["views/last"][0, 0] *= -1
    result = run("verify", folder / "single.h5")
    assert result.status == 1
    assert result.out.splitlines()[1].startswith("  single.h5: checksums: views/last is not what was written")
    assert result.out.splitlines()[2] == "    to repair: extract again with --restart"


def test_against_its_own_config_a_store_is_well(run: Any, config: Path, made: Path) -> None:
    result = run("verify", made / "single.h5", "--against", config, "--sample", 3)
    assert result.status == 0
    line = result.out.splitlines()[1]
    assert line.startswith(
        f"{config}: the same 4 sentences, model and settings; 3 sentences embedded again, the largest difference "
    )


def test_against_another_config_the_differences_are_named(run: Any, config: Path, made: Path) -> None:
    overrides = json.dumps({"views.last.pooling": "max"})
    result = run("verify", made / "single.h5", "--against", config, "--overrides", overrides)
    assert result.status == 1
    assert "all is well" in result.out
    assert "provenance: config.views.last.pooling: was 'first', is 'max'" in result.out
    facts = json.loads(run("verify", made / "single.h5", "--against", config, "--overrides", overrides, "--json").out)
    assert facts["against"]["num_sentences"] == 4 and not facts["is_well"]


def test_a_wrong_config_is_a_wrong_usage(run: Any, config: Path, made: Path) -> None:
    result = run("verify", made / "single.h5", "--against", config, "--overrides", '{"views.last.pooling": "middle"}')
    assert result.status == 2 and "ConfigError" in result.err
    assert run("verify").status == 2


def test_an_unfinished_run_is_named_with_the_way_to_go_on(run: Any, config: Path, folder: Path) -> None:
    (folder / "sharded.h5").unlink()
    result = run("verify", folder / "sharded.h5", "--against", config)
    assert result.status == 1
    assert "sharded.h5: the run is unfinished: 4 sentences in " in result.out
    assert "to repair: run the same extract command again: it goes on from there" in result.out


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "sharded.h5.shards").glob("*.h5"))


def single(change: Callable[[Path], Any]) -> Callable[[Path], Path]:
    """Do something to the store of one file."""

    def damage(folder: Path) -> Path:
        change(folder / "single.h5")
        return folder / "single.h5"

    return damage


def inside(change: Change) -> Callable[[Path], Path]:
    """Change the store of one file with h5py."""

    def damage(path: Path) -> None:
        with h5py.File(path, "r+", locking=False) as file:
            change(file)

    return single(damage)


def master(change: Change) -> Callable[[Path], Path]:
    """Change the master of the store of shards with h5py."""

    def damage(folder: Path) -> Path:
        with h5py.File(folder / "sharded.h5", "r+", locking=False) as file:
            change(file)
        return folder / "sharded.h5"

    return damage


def sharded(change: Callable[[Path], Any]) -> Callable[[Path], Path]:
    """Do something to the second shard."""

    def damage(folder: Path) -> Path:
        change(shards(folder)[1])
        return folder / "sharded.h5"

    return damage


def instead(name: str, make: Callable[[h5py.File], Any]) -> Change:
    """Put something else in the place of a dataset, with its attributes where it can have them."""

    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        item = make(file)
        if item is not None:
            file[name] = item
        if not isinstance(item, h5py.SoftLink | h5py.ExternalLink):
            file[name].attrs.update(attributes)

    return change


def virtual(name: str, source: str) -> Change:
    def make(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((4,), "<u2")
        layout[...] = h5py.VirtualSource(source, "x", (4,))
        file.create_virtual_dataset(name, layout)

    return instead(name, make)


def unknown_filter(file: h5py.File) -> None:
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((4,))
    layout.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    h5py.h5d.create(file["sentences"].id, b"flags", h5py.h5t.STD_U16LE, h5py.h5s.create_simple((4,)), layout)


def huge(file: h5py.File) -> None:
    """As many sentences as memory could never hold, in datasets that take no room."""
    file.attrs["num_sentences"] = 1 << 50
    for name in ("flags", "space_after", "document_index", "id_hashes", "id_order"):
        dtype = file[f"sentences/{name}"].dtype
        del file[f"sentences/{name}"]
        file.create_dataset(f"sentences/{name}", (1 << 50,), dtype, chunks=(1 << 16,))
    for name in ("word_offsets", "subword_offsets", "id_offsets", "text_offsets"):
        del file[f"sentences/{name}"]
        file.create_dataset(f"sentences/{name}", ((1 << 50) + 1,), "<i8", chunks=(1 << 16,))


def huge_view(file: h5py.File) -> None:
    file.create_dataset("views/last", (12, 1 << 40), "<f4", chunks=(1, 1 << 20))


def number(name: str, index: Any, value: Any) -> Change:
    def change(file: h5py.File) -> None:
        file[name][index] = value

    return change


def attribute(path: str, name: str, value: Any) -> Change:
    def change(file: h5py.File) -> None:
        file[path].attrs[name] = value

    return change


def table(text: bytes) -> Change:
    return instead("shards", lambda file: np.frombuffer(text, np.uint8))


def drop(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def group_loop(file: h5py.File) -> None:
    """A group that is its own child."""
    file["views/last"] = file["views"]


def object_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.find(b"OHDR")
    content[place + 8 : place + 16] = struct.pack("<Q", 1 << 63)
    path.write_bytes(content)


def symbolic(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def database(path: Path) -> None:
    path.unlink()
    sqlite3.connect(path).execute("create table t (x)").connection.close()


def special(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    # not a store
    "nothing there": (single(Path.unlink), "cannot open the store .*single.h5: there is no such file"),
    "an empty file": (single(lambda path: path.write_bytes(b"")), "is not an embedpipe store: it is an empty file"),
    "a text": (single(lambda path: path.write_text("hello")), "is not an embedpipe store: it is a text file"),
    "a folder": (single(special(Path.mkdir)), "is not an embedpipe store: it is a folder"),
    "a pipe": (single(special(os.mkfifo)), "is not an embedpipe store: it is a device or pipe"),
    "a database": (single(database), "is not an embedpipe store: it is an SQLite database"),
    "a link to nothing": (single(special(lambda path: path.symlink_to("nowhere"))), "there is no such file"),
    "a link to itself": (single(special(lambda path: path.symlink_to(path.name))), "Too many levels of symbolic links"),
    "another HDF5 file": (inside(attribute("/", "format", "x")), "is not an embedpipe store: it is an HDF5 file"),
    # cut off or overwritten
    "half of a store": (single(lambda path: os.truncate(path, path.stat().st_size // 2)), "it is cut off at"),
    "the signature alone": (single(lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n")), "is damaged: (it is cut off|HDF5 says)"),
    "zeros behind the signature": (
        single(lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(9000))),
        "is damaged: HDF5 says",
    ),
    "a broken object header": (single(object_header), "is damaged"),
    # of another version
    "a newer format": (inside(attribute("/", "format_version", 9)), "in format version 9, and this is embedpipe"),
    "no version": (inside(attribute("/", "format_version", np.bytes_(b"1"))), "its format version is None"),
    # leading elsewhere
    "an external link": (
        inside(instead("sentences/flags", lambda file: h5py.ExternalLink("/etc/passwd", "/x"))),
        "sentences/flags is a link to another place",
    ),
    "a soft link": (
        inside(instead("sentences/flags", lambda file: h5py.SoftLink("/words/flags"))),
        "sentences/flags is a link to another place",
    ),
    "an external group": (
        inside(lambda file: (drop("words")(file), file.__setitem__("words", h5py.ExternalLink("other.h5", "/words")))),
        "words/spans is a link to another place",
    ),
    "a virtual dataset": (inside(virtual("sentences/flags", "/etc/passwd")), "sentences/flags takes its numbers from another file"),
    "a virtual dataset of another folder": (
        inside(virtual("sentences/flags", "../secret/x.h5")),
        "sentences/flags takes its numbers from another file",
    ),
    "external storage": (
        inside(
            instead(
                "sentences/flags",
                lambda file: file.create_dataset("sentences/flags", (4,), "<u2", external=[("/etc/passwd", 0, 8)]) and None,
            )
        ),
        "sentences/flags takes its numbers from another file",
    ),
    "a virtual view of another file in a master": (
        master(virtual("sentences/flags", "/etc/passwd")),
        "virtual datasets: sentences/flags takes rows from \\('/etc/passwd', 'x', 0, 4\\)",
    ),
    "a virtual column that is none of the shards'": (
        master(virtual("sentences/id_order", "/etc/passwd")),
        "sentences/id_order takes its numbers from another file",
    ),
    # types and shapes
    "objects": (
        inside(instead("sentences/flags", lambda file: np.array([b"x"] * 4, h5py.string_dtype()))),
        "sentences/flags is object",
    ),
    "references": (
        inside(instead("sentences/flags", lambda file: np.array([file.ref] * 4, h5py.ref_dtype))),
        "sentences/flags is object",
    ),
    "compound numbers": (
        inside(instead("sentences/flags", lambda file: np.zeros(4, [("a", "<u1"), ("b", "<u1")]))),
        "expected uint16 of shape \\(4,\\)",
    ),
    "other integers": (inside(instead("words/spans", lambda file: np.zeros((12, 2)))), "words/spans is float64"),
    "an unknown filter": (inside(instead("sentences/flags", unknown_filter)), "sentences/flags is stored with the HDF5 filter 32015"),
    "a view of integers": (
        inside(instead("views/last", lambda file: np.zeros((12, 32), "<i4"))),
        "views/last is int32, expected float32 or float16",
    ),
    "a scalar": (inside(instead("sentences/flags", lambda file: np.uint16(1))), "expected uint16 of shape \\(4,\\)"),
    "an empty dataspace": (inside(instead("sentences/flags", lambda file: h5py.Empty("<u2"))), "expected uint16 of shape \\(4,\\)"),
    "a group of itself": (inside(instead("views/last", group_loop)), "views/last is not a dataset"),
    "counts beyond all memory": (inside(huge), "claims .* bytes, and the file has"),
    "a view wider than the file": (inside(instead("views/last", huge_view)), "views/last claims .* bytes, and the file has"),
    "a negative count": (inside(attribute("/", "num_words", -5)), "the attribute num_words is -5"),
    "a missing column": (inside(drop("words/spans")), "words/spans is missing"),
    # numbers
    "negative offsets": (inside(number("sentences/word_offsets", 2, -9)), "sentences/word_offsets goes from 3 to -9"),
    "offsets far outside": (inside(number("sentences/text_offsets", 2, 1 << 60)), "goes from 13 to 1152921504606846976"),
    "offsets that do not end": (inside(number("sentences/word_offsets", 4, 1 << 60)), "word_offsets goes from 0 to 1152921504606846976"),
    "an index beyond the sentences": (inside(number("sentences/id_order", 1, 1 << 60)), "ids: sentences/id_hashes and"),
    "a document beyond all": (inside(number("sentences/document_index", 3, 1 << 60)), "documents: sentences/document_index is"),
    "provenance of another kind": (inside(number("provenance", slice(0, 1), 0xFF)), "provenance: it is not JSON"),
    # shards
    "a shard that is gone": (sharded(Path.unlink), "shard .*: it is missing"),
    "a shard that is a link": (sharded(symbolic), "shard .*: it is not a file"),
    "a shard that is a pipe": (sharded(special(os.mkfifo)), "shard .*: it is not a file"),
    "a shard that is cut off": (sharded(lambda path: os.truncate(path, 999)), "it has 999 bytes, expected"),
    "a table that is no JSON": (master(table(b"{")), "its structure cannot be read"),
    "a table of another kind": (master(table(b"[1, 2]")), "the table of shards has no identity or no shards"),
    "a table nested without end": (master(table(b"[" * 100_000)), "is damaged"),
    "a table that leads out of the folder": (
        master(table(b'{"identity": {}, "shards": [{"name": "../../etc/passwd", "start": 0, "stop": 4, "num_words": 12, '
                     b'"num_subwords": 12, "num_documents": 1, "size_bytes": 1, "sha256": ""}]}')),
        "'../../etc/passwd' is not the name of a shard",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_or_damaged_file_is_a_message_and_exit_status_1(run: Any, folder: Path, name: str) -> None:
    damage, message = FILES[name]
    path = damage(folder)
    result = run("verify", path)
    assert result.status == 1
    assert result.err == "" and "Traceback" not in result.out
    first, *findings = result.out.splitlines()
    assert first.startswith(f"{path}: ") and first.endswith(("finding", "findings"))
    assert any(line.startswith("    to repair: ") for line in findings)
    assert re.search(message, result.out), result.out


def test_there_are_more_than_25_of_them() -> None:
    assert len(FILES) > 25
