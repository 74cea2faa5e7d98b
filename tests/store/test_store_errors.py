from __future__ import annotations

import gzip
import json
import os
import pickle
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import VIEWS, fixed_sample, make_sample

from embedpipe.dataflow import Sentence
from embedpipe.errors import DamagedStoreError, EmbedpipeError, FormatVersionError, NotAStoreError, StoreError
from embedpipe.store import StoreWriter, open_store

SAMPLE = fixed_sample()


def allennlp_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["0"] = np.zeros((3, 2, 4))
        file["sentence_to_index"] = "{}"


def other_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["weights"] = np.zeros(3)


def database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table t (x)")
    connection.close()


FOREIGN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "folder": (Path.mkdir, "it is a folder"),
    "pipe": (os.mkfifo, "it is a device or pipe"),
    "empty": (Path.touch, "it is an empty file"),
    "text": (lambda path: path.write_text("The cat sat.\n"), "it is a text file"),
    "unicode text": (lambda path: path.write_text("é" * 5000, encoding="utf-8"), "it is a text file"),
    "bytes": (lambda path: path.write_bytes(b"\x00\x01\xff" * 9), "it is a binary file of an unknown kind"),
    "latin-1": (lambda path: path.write_bytes(b"caf\xe9 au lait"), "it is a binary file of an unknown kind"),
    "npy": (lambda path: np.save(path.open("wb"), np.zeros(3)), r"it is a numpy file \(.npy\)"),
    "npz": (lambda path: np.savez(path.open("wb"), x=np.zeros(3)), r"it is a numpy archive \(.npz\)"),
    "broken zip": (lambda path: path.write_bytes(b"PK\x03\x04rest"), "it is a zip archive"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "it is a Python pickle"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"x")), "it is a gzip file"),
    "sqlite": (database, "it is an SQLite database"),
    "allennlp": (allennlp_file, "it is an HDF5 file of the `allennlp elmo` command"),
    "hdf5": (other_hdf5, "it is an HDF5 file with the entries weights"),
    "bare hdf5": (lambda path: h5py.File(path, "w").close(), "it is an HDF5 file without entries"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_file_that_is_no_store_is_named_for_what_it_is(tmp_path: Path, kind: str) -> None:
    make, message = FOREIGN[kind]
    path = tmp_path / "features.h5"
    make(path)
    with pytest.raises(NotAStoreError, match=f"features.h5 is not an embedpipe store: {message}"):
        open_store(path)


def test_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open the store .*nowhere.h5: there is no such file\.$"):
        open_store(tmp_path / "nowhere.h5")


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has no file permissions to take away")
def test_file_without_permission_is_explained(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    path.chmod(0)
    is_root = os.geteuid() == 0
    try:
        if is_root:  # root may read everything
            os.seteuid(65534)
        with pytest.raises(StoreError, match=r"s\.h5: Permission denied"):
            open_store(path)
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(stat.S_IRUSR)


def replace_dataset(name: str, data: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = data
        file[name].attrs.update(attributes)

    return change


def edit(name: str, index: Any, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][index] = value

    return change


def attribute(path: str, name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if value is None:
            del file[path].attrs[name]
        else:
            file[path].attrs[name] = value

    return change


def drop(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def link(name: str, target: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = target

    return change


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((12,), "<u2")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (12,))
    del file["sentences/flags"]
    file.create_virtual_dataset("sentences/flags", layout)


def external(file: h5py.File) -> None:
    del file["sentences/flags"]
    file.create_dataset("sentences/flags", (12,), "<u2", external=[("/etc/passwd", 0, 24)])


DAMAGED: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "no version": (attribute("/", "format_version", None), "its format version is None"),
    "version as text": (attribute("/", "format_version", "1"), "its format version is None"),
    "no count": (attribute("/", "num_words", None), "the attribute num_words of / is missing"),
    "negative count": (attribute("/", "num_words", -1), "the attribute num_words is -1"),
    "no column": (drop("words/spans"), "words/spans is missing"),
    "no group": (drop("sentences"), "sentences/document_index is missing"),
    "no provenance": (drop("provenance"), "provenance is missing"),
    "group for a column": (lambda file: (drop("words/spans")(file), file.create_group("words/spans"))[0], "is not a dataset"),
    "wrong dtype": (
        replace_dataset("words/spans", np.zeros((21, 2), "<i8")),
        r"words/spans is int64 of shape \(21, 2\), expected",
    ),
    "big-endian": (replace_dataset("words/flags", np.zeros(21, ">u2")), "words/flags is >u2 of shape"),
    "objects": (replace_dataset("words/flags", np.array([b"x"] * 21, h5py.string_dtype())), "words/flags is object"),
    "short column": (replace_dataset("words/flags", np.zeros(20, "<u2")), r"expected uint16 of shape \(21,\)"),
    "short view": (
        replace_dataset("views/last", np.zeros((20, 5), "<f4")),
        r"views/last is float32 of shape \(20, 5\), expected",
    ),
    "view of integers": (replace_dataset("views/last", np.zeros((21, 5), "<i4")), "expected float32 or float16 vectors"),
    "view without unit": (attribute("views/last", "unit", None), "the attribute unit of /views/last is missing"),
    "view of lines": (
        attribute("views/last", "unit", np.bytes_(b"line")),
        "is 'line', expected one of word, subword, sentence",
    ),
    "variable-length unit": (attribute("views/last", "unit", "word"), "unit of /views/last is not a string of fixed length"),
    "view as a group": (
        lambda file: file.create_group("views/new").attrs.update({"position": 9}),
        "views/new is not a dataset",
    ),
    "offsets that end early": (edit("sentences/word_offsets", 12, 20), "word_offsets goes from 0 to 20, expected from 0 to 21"),
    "text offsets that end late": (edit("sentences/text_offsets", 12, 10**6), "sentences/text_offsets goes from 0 to 1000000"),
    "label without codes": (drop("labels/ner/codes"), "labels/ner/codes is missing"),
    "soft link": (link("words/flags", h5py.SoftLink("/words/spans")), "words/flags is a link to another place"),
    "external link": (link("words/flags", h5py.ExternalLink("/etc/passwd", "/x")), "words/flags is a link to another place"),
    "virtual dataset": (virtual, "sentences/flags takes its numbers from another file"),
    "external storage": (external, "sentences/flags takes its numbers from another file"),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_broken_structure_is_found_when_the_store_is_opened(tmp_path: Path, fault: str) -> None:
    change, message = DAMAGED[fault]
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DamagedStoreError, match=f"the store .*s.h5 is damaged: .*{message}"):
        open_store(path)


READ_LATER: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "offsets that go back": (edit("sentences/word_offsets", 5, 0), "word_offsets: the offsets 0 to 12 are not ascending"),
    "text offsets that go back": (edit("sentences/id_offsets", 5, 0), "id_offsets: the offsets 0 to 12 are not ascending"),
    "bytes that are no text": (edit("sentences/text_bytes", 0, 0xFF), "text_bytes: the strings 0 to 12 are not UTF-8"),
    "label out of its vocabulary": (edit("labels/ner/codes", 3, 9), "a code of label 'ner' is not in its vocabulary"),
    "documents that go back": (edit("sentences/document_index", 5, 0), "document_index is not ascending"),
    "value twice": (edit("labels/genre/vocabulary_bytes", 3, ord("0")), "label 'genre' has one value twice"),
    "provenance that is no JSON": (edit("provenance", 0, 0), "provenance cannot be read"),
}


@pytest.mark.parametrize("fault", READ_LATER)
def test_broken_rows_are_found_when_they_are_read(tmp_path: Path, fault: str) -> None:
    change, message = READ_LATER[fault]
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    with open_store(path) as store, pytest.raises(DamagedStoreError, match=f"s.h5 is damaged: .*{message}"):
        assert list(store) and list(store.ids) and store.provenance


def test_newer_format_says_which_and_what_to_do(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        file.attrs.update({"format_version": 7, "embedpipe_version": np.bytes_(b"3.1")})
    with pytest.raises(
        FormatVersionError, match=r"embedpipe 3\.1 wrote it in format version 7, .*reads up to version 1\. Upgrade: pip"
    ):
        open_store(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_store_that_is_cut_off_is_damaged(tmp_path: Path, kept: float) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    size = int(path.stat().st_size * kept)
    os.truncate(path, size)
    with pytest.raises(DamagedStoreError, match=f"it is cut off at {size:,} bytes"):
        open_store(path)


def test_store_that_is_cut_off_while_it_is_read_is_damaged(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    with open_store(path) as store:
        os.truncate(path, 2000)
        with pytest.raises(DamagedStoreError, match="it ends before its last row"):
            np.asarray(store.matrix("last"))


def test_entries_that_a_later_writer_added_are_ignored(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        file["words/lemmas"] = np.zeros(3)
        file.attrs["note"] = "x"
    with open_store(path) as store:
        assert len(store[:]) == 12


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_flipped_byte_gets_past_the_errors(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("flipped") / "s.h5"
    content = bytearray(SAMPLE.write(path).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        with open_store(path) as store:
            _ = (
                list(store),
                list(store.ids),
                store.provenance,
                "x" in store,
                [np.asarray(store.matrix(view)) for view in store.views],
            )
    except EmbedpipeError as error:
        assert str(path) in str(error)


def sharded(folder: Path) -> tuple[Path, Path]:
    path = SAMPLE.write(folder / "s.h5", size=4)
    return path, folder / "s.h5.shards" / "000001.h5"


def read_all(store: Any) -> None:
    _ = list(store), [np.asarray(store.matrix(view)) for view in store.views]


def overwrite(path: Path, content: bytes) -> None:
    """Other content of the same size."""
    path.write_bytes(content.ljust(path.stat().st_size, b"\0"))


def other_identity(path: Path) -> None:
    tmp_shards = path.parents[1] / "o.h5.shards"
    with StoreWriter(path.parents[1] / "o.h5", VIEWS, identity={"config": 2}) as writer:
        for index, block in enumerate(SAMPLE.blocks(4)):
            writer.append(block, 4 * index)
    overwrite(path, (tmp_shards / path.name).read_bytes())


SHARDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "is missing"),
    "shorter": (lambda path: os.truncate(path, 9000), "has 9,000 bytes, expected 13,[0-9]+"),
    "link": (lambda path: (path.rename(path.parents[1] / "x"), path.symlink_to("../x")), "is a link or no file"),
    "pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is a link or no file"),
    "another place": (
        lambda path: overwrite(path, (path.parent / "000000.h5").read_bytes()),
        "is that of another store: it has other counts or views",
    ),
    "another run": (other_identity, "is that of another store: it was made of something else"),
    "no store": (lambda path: overwrite(path, b"x" * 9000), "cannot be used .*is not an embedpipe store"),
    "a broken header": (lambda path: overwrite(path, path.read_bytes()[:100]), "cannot be used"),
}


@pytest.mark.parametrize("fault", SHARDS)
def test_shard_that_is_not_the_right_one_is_named_when_it_is_needed(tmp_path: Path, fault: str) -> None:
    change, message = SHARDS[fault]
    path, shard = sharded(tmp_path)
    change(shard)
    with open_store(path) as store:
        assert len(store.vectors("last", 3)) == 3, "the other shards can be read"
        for _ in range(2):
            with pytest.raises(DamagedStoreError, match=rf"s\.h5 is damaged: its shard s\.h5\.shards/000001\.h5 {message}"):
                read_all(store)


def test_shards_that_change_places_are_told_by_their_ids(tmp_path: Path) -> None:
    sentences = [Sentence.from_words(f"s{index}", "d", ["a"]) for index in range(4)]
    sample = make_sample(sentences)
    same = replace(
        sample,
        word_subwords=np.array([[0, 1]] * 4),
        num_subwords=np.ones(4, int),
        subword_ids=np.ones(4, int),
        rows={name: np.zeros((4, *info.row_shape), info.dtype) for name, info in VIEWS.items()},
    )
    path = same.write(tmp_path / "s.h5", size=2)
    first, second = tmp_path / "s.h5.shards" / "000000.h5", tmp_path / "s.h5.shards" / "000001.h5"
    assert first.stat().st_size == second.stat().st_size
    first.rename(tmp_path / "x")
    second.rename(first)
    (tmp_path / "x").rename(second)
    with open_store(path) as store, pytest.raises(DamagedStoreError, match=r"000000\.h5 .* it has other sentences"):
        read_all(store)


def test_shards_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    path, shard = sharded(tmp_path)
    shard.parent.rename(tmp_path / "elsewhere")
    shard.parent.symlink_to(tmp_path / "elsewhere")
    with open_store(path) as store, pytest.raises(DamagedStoreError, match="is a link or no file"):
        read_all(store)


def edit_table(change: Callable[[dict[str, Any]], Any]) -> Callable[[h5py.File], None]:
    def edited(file: h5py.File) -> None:
        table = json.loads(file["shards"][:].tobytes())
        change(table)
        del file["shards"]
        file["shards"] = np.frombuffer(json.dumps(table).encode(), np.uint8)

    return edited


def edit_record(**values: Any) -> Callable[[h5py.File], None]:
    return edit_table(lambda table: table["shards"][1].update(values))


def virtual_view(file: h5py.File, source: str = "/dev/zero") -> None:
    """A view without a limit: HDF5 opens the source when it is asked for no more than the shape."""
    attributes = dict(file["views/last"].attrs)
    layout = h5py.VirtualLayout((21, 5), "<f4", maxshape=(None, 5))
    layout[: h5py.h5s.UNLIMITED, :] = h5py.VirtualSource(source, "x", (21, 5), maxshape=(None, 5))[: h5py.h5s.UNLIMITED, :]
    del file["views/last"]
    file.create_virtual_dataset("views/last", layout).attrs.update(attributes)


MASTERS: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "no table": (drop("shards"), "sentences/flags takes its numbers from another file"),
    "table that is no JSON": (edit("shards", 0, 0), "its structure cannot be read"),
    "path for a name": (edit_record(name="../../etc/passwd"), "'../../etc/passwd' is not the name of a shard"),
    "absolute name": (edit_record(name="/000001.h5"), "is not the name of a shard"),
    "one name twice": (edit_record(name="000000.h5"), "names one twice"),
    "gap": (edit_record(start=5), r"000001\.h5 starts at sentence 5, expected 4"),
    "words that do not add up": (edit_record(num_words=9), r"the shards have \(12, 23, 46\) .* expected \(12, 21, 46\)"),
    "text for a count": (edit_record(num_words="9"), r"the counts of 000001\.h5 are wrong"),
    "record without a key": (edit_table(lambda table: table["shards"][0].pop("sha256")), "it is no record of a shard"),
    "table that is a list": (
        lambda file: (drop("shards")(file), file.create_dataset("shards", data=np.frombuffer(b"[1]", np.uint8))),
        "has no identity or no shards",
    ),
    "negative size": (attribute("views/last", "vector_size", -5), "the attribute vector_size of /views/last is -5"),
}


@pytest.mark.parametrize("fault", MASTERS)
def test_broken_master_is_found_when_the_store_is_opened(tmp_path: Path, fault: str) -> None:
    change, message = MASTERS[fault]
    path, _ = sharded(tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DamagedStoreError, match=f"the store .*s.h5 is damaged: .*{message}"):
        open_store(path)


def test_virtual_sources_of_a_master_are_never_opened(tmp_path: Path) -> None:
    path, _ = sharded(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # whoever opens it waits for ever
    with h5py.File(path, "r+") as file:
        virtual_view(file, str(pipe))
    with open_store(path) as store:
        np.testing.assert_array_equal(store.matrix("last"), SAMPLE.rows["last"])


def test_table_that_lies_about_counts_takes_no_memory(tmp_path: Path) -> None:
    path, _ = sharded(tmp_path)
    with h5py.File(path, "r+") as file:
        num_words = 10**14
        edit_record(num_words=7 + num_words - 21, size_bytes=10**17)(file)
        file.attrs["num_words"] = num_words
        file["sentences/word_offsets"][12] = num_words
        replace_dataset("labels/ner/codes", np.zeros(21, "<i4"))(file)
        del file["labels/ner"]
    with open_store(path) as store:
        assert store.matrix("last").shape == (10**14, 5)
        with pytest.raises(DamagedStoreError, match=r"000001\.h5 has 13,[0-9]+ bytes, expected 100,000,000,000,000,000"):
            np.asarray(store.matrix("last"))


def lying(**options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file["views/last"].attrs)
        del file["views/last"], file["labels/ner"]
        file.attrs["num_words"] = 10**12
        file["sentences/word_offsets"][12] = 10**12
        for name, shape in {"spans": (2,), "subwords": (2,), "flags": ()}.items():
            dtype = file[f"words/{name}"].dtype
            del file[f"words/{name}"]
            file.create_dataset(f"words/{name}", (10**12, *shape), dtype, **options)
        file.create_dataset("views/last", (10**12, 5), "<f4", **options).attrs.update(attributes)

    return change


@pytest.mark.parametrize("options", [{}, {"chunks": True}, {"chunks": True, "compression": "gzip"}], ids=str)
def test_dataset_larger_than_its_file_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        lying(**options)(file)
    with pytest.raises(DamagedStoreError, match="words/spans claims 8,000,000,000,000 bytes, and the file has"):
        open_store(path)


def test_filter_that_hdf5_would_load_from_elsewhere_is_refused(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    with h5py.File(path, "r+") as file:
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((12,))
        layout.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
        del file["sentences/flags"]
        space = h5py.h5s.create_simple((12,))
        h5py.h5d.create(file.id, b"sentences/flags", h5py.h5t.STD_U16LE, space, layout)
    with pytest.raises(DamagedStoreError, match="sentences/flags is stored with the HDF5 filter 32015"):
        open_store(path)


def test_unfinished_run_is_pointed_at_when_there_is_no_store(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        for index, block in enumerate(SAMPLE.blocks(4)):
            writer.append(block, 4 * index)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "s.h5")
    assert str(caught.value) == (
        f"cannot open the store {tmp_path}/s.h5: there is no such file. An unfinished run with 12 committed sentences is in "
        f"{tmp_path}/s.h5.shards: run the same extract command again, and it goes on from there."
    )


HEAP_BYTES = 4096
"""Of the heap in which HDF5 keeps where virtual datasets lead."""


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_flipped_byte_of_a_master_gets_past_the_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path, shard = sharded(tmp_path_factory.mktemp("flipped"))
    target = data.draw(st.sampled_from([path, shard]))
    content = bytearray(target.read_bytes())
    heap = content.find(b"GCOL") if target == path else -1  # damage there may end HDF5: see FORMAT.md, "What readers refuse"
    places = st.integers(0, len(content) - 1).filter(lambda place: heap < 0 or not heap <= place < heap + HEAP_BYTES)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    target.write_bytes(content)
    try:
        with open_store(path) as store:
            read_all(store)
            _ = list(store.ids), store.provenance, "x" in store
    except EmbedpipeError as error:
        assert str(path) in str(error)
