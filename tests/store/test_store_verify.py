from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_samples import (
    IDENTITY,
    NUM_SENTENCES,
    PROVENANCE,
    Damage,
    block,
    change,
    edit,
    replace,
    reseal,
    shard,
    swap,
    write,
    write_unfinished,
)

from embedpipe.dataflow import Block, Sentence, ViewInfo, WordFlag
from embedpipe.store import StoreWriter, open_store
from embedpipe.store.finding import MOST_OF_A_KIND, Finding
from embedpipe.store.id_index import hash_ids
from embedpipe.store.verify import PROVENANCE_KEYS, verify

THREE = (0, 5, 8, NUM_SENTENCES)


def found(path: Path) -> list[Finding]:
    return list(verify(path))


def lines(path: Path) -> str:
    return "\n".join(map(str, verify(path)))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("single") / "s.h5").read_bytes()


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sharded") / "s.h5", THREE)


@pytest.fixture
def copy(sharded: Path, tmp_path: Path) -> Path:
    shutil.copytree(sharded.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "s.h5"


@pytest.mark.parametrize("bounds", [(0, 12), THREE, (0, 1, 2, 3, 12), (0, 1), (0,)])
def test_a_sound_store_has_no_findings(tmp_path: Path, bounds: tuple[int, ...]) -> None:
    assert found(write(tmp_path / "s.h5", bounds)) == []


@pytest.mark.parametrize("bounds", [(0, 12), THREE])
def test_a_failed_sentence_may_have_zero_vectors(tmp_path: Path, bounds: tuple[int, ...]) -> None:
    assert found(write(tmp_path / "s.h5", bounds, failed=[4, 7])) == []


@pytest.mark.parametrize(
    ("flag", "expected"), [(WordFlag.UNKNOWN_SUBWORD, 0), (WordFlag.SHARED_SUBWORD, 1), (WordFlag.CUT, 1)], ids=str
)
def test_of_words_with_subwords_only_unknown_ones_may_have_zero_vectors(tmp_path: Path, flag: WordFlag, expected: int) -> None:
    path = write(tmp_path / "s.h5")
    change(path, edit("words/flags", 7, int(flag)))
    assert ["checksums: words/flags" in str(finding) for finding in found(path)] == [True]
    change(path, edit("views/last", 7, 0.0))
    assert sum("row 7) is zero, and its word has subwords" in str(finding) for finding in found(path)) == expected


def test_all_rows_are_checked_whatever_the_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from embedpipe.store import verify_ids, verify_labels, verify_runs, verify_views

    monkeypatch.setattr(verify_ids, "_SENTENCES_A_READ", 2)
    monkeypatch.setattr(verify_labels, "_STRINGS_A_READ", 2)
    monkeypatch.setattr(verify_runs, "_SENTENCES_A_READ", 3)
    monkeypatch.setattr(verify_runs, "_ROWS_A_READ", 4)
    monkeypatch.setattr(verify_views, "_BYTES_A_READ", 40)
    path = write(tmp_path / "s.h5")
    assert found(path) == []
    change(path, edit("views/last", (20, 0), np.nan))
    change(path, edit("words/spans", (20, 1), 99))
    assert [finding.where for finding in found(path)] == ["s.h5", "s.h5", "sentence 'doc-3/2'", "sentence 'doc-3/2'"]


def same_ids(file: h5py.File) -> None:
    """Two sentences with one id, and an index that knows of both."""
    file["sentences/id_bytes"][13] = ord("0")
    ids = file["sentences/id_bytes"][()].tobytes().decode()
    offsets = file["sentences/id_offsets"][()].tolist()
    hashes = hash_ids([ids[start:end] for start, end in pairwise(offsets)])
    order = np.argsort(hashes, kind="stable")
    file["sentences/id_hashes"][...], file["sentences/id_order"][...] = hashes[order], order


ROWS: dict[str, tuple[Damage, str]] = {
    "offsets that go back": (
        edit("sentences/word_offsets", 5, 0),
        "sentence 'doc-1/1': offsets: sentences/word_offsets goes from 6 to 0, expected ascending numbers from 0 to 21",
    ),
    "offsets too far": (edit("sentences/subword_offsets", 5, 10**12), "sentences/subword_offsets goes from 6 to 1000000000000"),
    "negative offsets": (edit("sentences/id_offsets", 5, -1), "offsets: sentences/id_offsets goes from 28 to -1"),
    "offset within a character": (
        edit("sentences/text_offsets", 2, 3),
        "sentence 'doc-0/1': text: sentences/text_bytes is not UTF-8",
    ),
    "bytes that are no text": (edit("sentences/text_bytes", 0, 0xFF), "'doc-0/1': text: sentences/text_bytes is not UTF-8"),
    "bytes that are no id": (
        edit("sentences/id_bytes", 0, 0xFF),
        "sentence 0 (counted from 0): text: sentences/id_bytes is not",
    ),
    "bytes that are no document": (edit("documents/id_bytes", 0, 0xFF), "s.h5: text: documents/id_bytes is not UTF-8"),
    "documents' offsets that go back": (edit("documents/id_offsets", 2, 0), "offsets: documents/id_offsets are not ascending"),
    "span beyond the text": (
        edit("words/spans", (0, 1), 99),
        "'doc-0/1': spans: word 0 is at characters 0 to 99 of a text of 2",
    ),
    "negative span": (edit("words/spans", (0, 0), -1), "spans: word 0 is at characters -1 to 2 of a text of 2"),
    "span that ends before it starts": (edit("words/spans", (0, 0), 3), "spans: word 0 is at characters 3 to 2"),
    "spans out of order": (
        swap("words/spans", 1, 2),
        "'doc-0/2': spans: word 1 starts at character 0, before the word in front",
    ),
    "subwords beyond the sentence": (
        edit("words/subwords", (0, 1), 7),
        "'doc-0/1': subwords: word 0 has the subwords 0 to 7 of a sentence of 1",
    ),
    "negative subword id": (edit("subwords/ids", 3, -5), "'doc-1/0': subwords: the id of a subword is -5"),
    "unknown flag of a word": (edit("words/flags", 0, 64), "'doc-0/1': flags: word 0 has the flags 64"),
    "word with subwords flagged": (
        edit("words/flags", 0, 1),
        "word 0 has the flags 1 and the subwords 0 to 1; NO_SUBWORDS is for",
    ),
    "word without subwords not flagged": (
        edit("words/flags", 2, 0),
        "'doc-0/2': flags: word 1 has the flags 0 and the subwords",
    ),
    "unknown flag of a sentence": (edit("sentences/flags", 1, 256), "'doc-0/1': flags: the flags are 256"),
    "no words and not flagged": (
        edit("sentences/flags", 0, 0),
        "'doc-0/0': flags: the flags are 0 and there are 0 words; EMPTY",
    ),
    "words and flagged as empty": (edit("sentences/flags", 1, 1), "the flags are 1 and there are 1 words; EMPTY is for"),
    "words without subwords not flagged": (
        edit("sentences/flags", 2, 0),
        "'doc-0/2': flags: the flags are 0 and 1 words have no subwords",
    ),
    "white space of 2": (edit("sentences/space_after", 3, 2), "'doc-1/0': flags: sentences/space_after is 2, expected 0 or 1"),
    "document left out": (
        edit("sentences/document_index", slice(3, 6), 3),
        "'doc-1/0': documents: sentences/document_index is 3",
    ),
    "documents that go back": (edit("sentences/document_index", 11, 0), "'doc-3/2': documents: sentences/document_index is 0"),
    "documents that start late": (
        edit("sentences/document_index", 0, 1),
        "'doc-0/0': documents: sentences/document_index is 1",
    ),
    "document without sentences": (
        edit("sentences/document_index", slice(9, 12), 2),
        "documents: sentences/document_index ends at 2, and there are 4 documents",
    ),
    "label out of its vocabulary": (
        edit("labels/ner/codes", 6, 9),
        "'doc-1/1': labels: word 0 has the code 9 of 'ner', whose vocabulary has 2 values",
    ),
    "negative label": (edit("labels/genre/codes", 6, -2), "'doc-2/0': labels: it has the code -2 of 'genre'"),
    "labels out of order": (edit("labels/genre/codes", 0, 1), "the code 1 of 'genre' before all lower ones were seen"),
    "value twice": (edit("labels/genre/vocabulary_bytes", 3, ord("0")), "labels: the vocabulary of 'genre' has 'g0' twice"),
    "value that is no text": (edit("labels/ner/vocabulary_bytes", 0, 0xFF), "text: labels/ner/vocabulary_bytes is not UTF-8"),
    "id twice": (same_ids, "'doc-0/0': ids: the id is that of sentence 0 (counted from 0) as well"),
    "id that is not in the index": (edit("sentences/id_bytes", 13, ord("x")), "'doc-0/x': ids: sentences/id_hashes and"),
    "hashes out of order": (
        swap("sentences/id_hashes", 2, 3),
        "ids: sentences/id_hashes and sentences/id_order are not ascending",
    ),
    "index that leads elsewhere": (swap("sentences/id_order", 2, 3), "sentences/id_hashes and sentences/id_order do not lead"),
    "not a number": (
        edit("views/last", (6, 2), np.nan),
        "'doc-1/1': vectors: view 'last': the vector of word 0 (row 6) is not",
    ),
    "minus infinity": (
        edit("views/half%2Fall", (6, 1, 2), -np.inf),
        "view 'half/all': the vector of word 0 (row 6) is not finite",
    ),
    "not a number in a subword": (
        edit("views/pieces", (3, 1), np.nan),
        "'doc-1/0': vectors: view 'pieces': the vector of subword",
    ),
    "infinity in a sentence": (edit("views/cls", (5, 0), np.inf), "'doc-1/2': vectors: view 'cls': the vector (row 5) is not"),
    "vector of a word without subwords": (edit("views/last", (8, 0), 1.0), "word 2 (row 8) is not zero, and its word has no"),
    "zero vector": (
        edit("views/half%2Fall", 6, 0),
        "'doc-1/1': vectors: view 'half/all': the vector of word 0 (row 6) is zero",
    ),
    "provenance that is no JSON": (edit("provenance", 0, 0), "s.h5: provenance: it is not JSON"),
    "provenance that is no object": (
        replace("provenance", np.frombuffer(b"[1]", np.uint8)),
        "provenance: it is not a JSON object",
    ),
    "provenance that does not say all": (
        replace("provenance", np.frombuffer(json.dumps(dict.fromkeys(PROVENANCE_KEYS[2:])).encode(), np.uint8)),
        "s.h5: provenance: it does not say: config, fingerprint",
    ),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_fault_in_the_rows_of_a_single_file_is_found_and_named(single: bytes, tmp_path: Path, fault: str) -> None:
    damage, message = ROWS[fault]
    path = tmp_path / "s.h5"
    path.write_bytes(single)
    change(path, damage)
    findings = found(path)
    assert any(message in str(finding) for finding in findings), findings
    assert {finding.hint for finding in findings} == {"extract again with --restart"}


@pytest.mark.parametrize("fault", [name for name in ROWS if "provenance" not in name][::6])
def test_a_fault_in_the_rows_of_a_shard_is_found_although_its_checksum_is_right(tmp_path: Path, fault: str) -> None:
    damage, message = ROWS[fault]
    path = write(tmp_path / "s.h5", (0, 12, 13))
    change(shard(path, 0), damage)
    reseal(path, 0)
    findings = [finding for finding in found(path) if message.removeprefix("s.h5: ") in str(finding)]
    assert findings and all(finding.where.startswith("shard 000000.h5") for finding in findings)


def at_shard(number: int, action: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: action(shard(path, number))


def exchange(path: Path) -> None:
    aside = shard(path, 0).with_name("aside")
    shard(path, 0).rename(aside)
    shard(path, 1).rename(shard(path, 0))
    aside.rename(shard(path, 1))


def of_another_store(path: Path) -> None:
    other = write(path.with_name("other") / "s.h5", THREE, identity={"fingerprint": "other"})
    shutil.copy(shard(other, 1), shard(path, 1))


def of_another_store_resealed(path: Path) -> None:
    of_another_store(path)
    reseal(path, 1)


def manifest_lines(change: Callable[[list[str]], list[str]], end: str = "\n") -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        manifest = shard(path, 0).with_name("manifest.jsonl")
        manifest.write_text("\n".join(change(manifest.read_text().splitlines())) + end)

    return damage


def linked_shard(path: Path) -> None:
    shard(path, 1).rename(path.with_name("elsewhere.h5"))
    shard(path, 1).symlink_to(path.with_name("elsewhere.h5"))


def linked_folder(path: Path) -> None:
    folder = shard(path, 0).parent
    folder.rename(path.with_name("elsewhere"))
    folder.symlink_to(path.with_name("elsewhere"))


def in_shard(number: int, damage: Damage) -> Callable[[Path], None]:
    def change_and_reseal(path: Path) -> None:
        change(shard(path, number), damage)
        reseal(path, number)

    return change_and_reseal


def in_master(damage: Damage) -> Callable[[Path], None]:
    return lambda path: change(path, damage)


def in_table(update: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(file: h5py.File) -> None:
        table = json.loads(file["shards"][()].tobytes())
        update(table)
        replace("shards", np.frombuffer(json.dumps(table).encode(), np.uint8))(file)

    return in_master(damage)


def virtual(name: str, source: str, dataset: str) -> Damage:
    def damage(file: h5py.File) -> None:
        shape, dtype = file[name].shape, file[name].dtype
        attributes = dict(file[name].attrs)
        layout = h5py.VirtualLayout(shape, dtype)
        layout[...] = h5py.VirtualSource(source, dataset, shape, dtype)
        del file[name]
        file.create_virtual_dataset(name, layout).attrs.update(attributes)

    return damage


AGAIN = "remove s.h5 and run the same extract command again: "
SHARD_ANEW, MASTER_ANEW = AGAIN + "the shard is made anew", AGAIN + "the shards are kept, and it is made anew"
SHARDS: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "deleted": (at_shard(1, Path.unlink), "shard 000001.h5: shard: it is missing", SHARD_ANEW),
    "truncated": (at_shard(1, lambda path: os.truncate(path, 4000)), "shard: it has 4,000 bytes, expected", SHARD_ANEW),
    "emptied": (at_shard(1, lambda path: os.truncate(path, 0)), "shard: it has 0 bytes, expected", SHARD_ANEW),
    "a folder": (
        at_shard(1, lambda path: (path.unlink(), path.mkdir())),
        "shard 000001.h5: shard: it is not a file",
        SHARD_ANEW,
    ),
    "exchanged": (exchange, "shard 000001.h5: shard: it has", SHARD_ANEW),
    "of another store": (of_another_store, "shard 000001.h5: shard: it has", SHARD_ANEW),
    "of another store, with its checksum": (
        of_another_store_resealed,
        "it is that of another store: it was made of",
        SHARD_ANEW,
    ),
    "a link": (linked_shard, "shard 000001.h5: shard: it is not a file", SHARD_ANEW),
    "folder a link": (linked_folder, "shard 000002.h5: shard: its folder is a link, and is not followed", SHARD_ANEW),
    "vector": (
        in_shard(1, edit("views/last", (0, 1), np.inf)),
        "shard 000001.h5, sentence 'doc-2/0': vectors: view 'last': the vector of word 0 (row 0) is not finite",
        "extract again with --restart",
    ),
    "stray shard": (
        lambda path: shutil.copy(shard(path, 0), shard(path, 7)),
        "s.h5.shards: strays: 000007.h5 belongs to nothing",
        "remove it, or move it away if it is yours",
    ),
    "stray file": (
        at_shard(0, lambda path: path.with_name("notes.txt").touch()),
        "strays: notes.txt belongs to nothing",
        "remove it, or move it away if it is yours",
    ),
    "torn manifest": (
        manifest_lines(lambda lines: [*lines[:-1], lines[-1][:40]], end=""),
        "manifest.jsonl: manifest: its last line is torn",
        "bring the right one there; the store can be read without it",
    ),
    "torn line behind the others": (
        manifest_lines(lambda lines: [*lines, '{"name": "00'], end=""),
        "manifest: its last line is torn",
        "bring the right one there; the store can be read without it",
    ),
    "manifest that lacks a shard": (
        manifest_lines(lambda lines: lines[:-1]),
        "manifest.jsonl: manifest: shard 000002.h5 is not in it",
        "bring the right one there; the store can be read without it",
    ),
    "manifest with a shard twice": (
        manifest_lines(lambda lines: [*lines, lines[-1]]),
        "manifest: 1 line cannot be read, or name a shard or sentences that another one has",
        "bring the right one there; the store can be read without it",
    ),
    "manifest with another checksum": (
        manifest_lines(lambda lines: [line.replace('"sha256": "', '"sha256": "0') for line in lines]),
        "manifest: shard 000000.h5 differs: sha256 is 0",
        "bring the right one there; the store can be read without it",
    ),
    "manifest of another run": (
        manifest_lines(lambda lines: [lines[0].replace(IDENTITY["fingerprint"], "other"), *lines[1:]]),
        "manifest: it is that of another run",
        "bring the right one there; the store can be read without it",
    ),
    "manifest without its first line": (
        manifest_lines(lambda lines: lines[1:]),
        "its first line is not that of a manifest",
        "bring the right one there; the store can be read without it",
    ),
    "checksum in the table": (
        in_table(lambda table: table["shards"][1].update(sha256="0" * 64)),
        "shard 000001.h5: shard: its sha256 is not that of",
        SHARD_ANEW,
    ),
    "shard doubled in the table": (
        in_table(lambda table: table["shards"].append(table["shards"][0])),
        "the table of shards names one twice",
        MASTER_ANEW,
    ),
    "shards out of order in the table": (
        in_table(lambda table: table["shards"].reverse()),
        "starts at sentence 8, expected 0",
        MASTER_ANEW,
    ),
    "shard not in the table": (
        in_table(lambda table: table["shards"].pop()),
        "the shards have (8, 13, 13) sentences, words and subwords, expected (12, 21, 21)",
        MASTER_ANEW,
    ),
    "counts in the table": (
        in_table(lambda table: [table["shards"][0].update(num_words=9), table["shards"][1].update(num_words=4)]),
        "shard 000000.h5: shard: its num_words is 10, expected 9",
        SHARD_ANEW,
    ),
    "a shard with a path": (
        in_table(lambda table: table["shards"][0].update(name="../s.h5")),
        "'../s.h5' is not the name of a shard",
        MASTER_ANEW,
    ),
    "provenance of another run": (
        in_master(replace("provenance", np.frombuffer(json.dumps({**PROVENANCE, "fingerprint": "x"}).encode(), np.uint8))),
        "s.h5: provenance: its fingerprint is not that of the shards",
        "extract again with --restart",
    ),
    "words in the master": (
        in_master(edit("sentences/word_offsets", 2, 2)),
        "shard 000000.h5, sentence 'doc-0/1': master: its sentences/word_offsets differ from those of the shard",
        MASTER_ANEW,
    ),
    "an id in the master": (
        in_master(edit("sentences/id_bytes", 13, ord("x"))),
        "shard 000000.h5, sentence 'doc-0/1': master: it calls the sentence 'doc-0/x'",
        MASTER_ANEW,
    ),
    "the index of the master": (in_master(swap("sentences/id_order", 2, 3)), "ids: sentences/id_hashes and", MASTER_ANEW),
    "documents of the master": (
        in_master(edit("sentences/document_index", 4, 0)),
        "shard 000000.h5, sentence 'doc-1/1': master: its sentences/document_index differ",
        MASTER_ANEW,
    ),
    "a document's id in the master": (
        in_master(edit("documents/id_bytes", 0, ord("D"))),
        "shard 000000.h5: master: it names the document 'Doc-0', and the shard 'doc-0'",
        MASTER_ANEW,
    ),
    "a label of words in the master": (
        in_master(edit("labels/ner/codes", 6, 1)),
        "shard 000000.h5, sentence 'doc-1/1': master: its label 'ner' differs",
        MASTER_ANEW,
    ),
    "a label of sentences in the master": (
        in_master(edit("labels/genre/codes", 10, 1)),
        "shard 000002.h5, sentence 'doc-3/1': master: its label 'genre' differs",
        MASTER_ANEW,
    ),
    "a label that the master lacks": (
        in_master(lambda file: file.__delitem__("labels/genre")),
        "shard 000001.h5: master: it has no label 'genre'",
        MASTER_ANEW,
    ),
    "a value of a label in the master": (
        in_master(edit("labels/genre/vocabulary_bytes", 0, ord("h"))),
        "'doc-0/0': master: its label 'genre' differs",
        MASTER_ANEW,
    ),
    "a virtual view of another folder": (
        in_master(virtual("views/last", "/etc/passwd", "x")),
        "s.h5: virtual datasets: views/last takes rows from ('/etc/passwd', 'x', 0, 21), expected ('s.h5.shards/000000.h5'",
        MASTER_ANEW,
    ),
    "a virtual column of another dataset": (
        in_master(virtual("words/flags", "s.h5.shards/000000.h5", "words/other")),
        "virtual datasets: words/flags takes rows from ('s.h5.shards/000000.h5', 'words/other', 0, 21)",
        MASTER_ANEW,
    ),
    "a master that is cut off": (lambda path: os.truncate(path, 3000), "it is cut off at 3,000 bytes", MASTER_ANEW),
}


@pytest.mark.parametrize("fault", SHARDS)
def test_a_fault_in_the_files_of_a_store_is_found_with_the_way_to_repair_it(copy: Path, fault: str) -> None:
    damage, message, hint = SHARDS[fault]
    damage(copy)
    findings = found(copy)
    matching = [finding for finding in findings if message in str(finding)]
    assert matching, "\n".join(map(str, findings))
    assert hint in matching[0].hint


def test_a_master_that_is_cut_off_does_not_hide_what_is_wrong_with_its_shards(copy: Path) -> None:
    copy.write_bytes(b"")
    shard(copy, 1).unlink()
    assert [finding.where for finding in found(copy)] == ["s.h5", "shard 000001.h5"]


def datasets(path: Path) -> dict[str, int]:
    """The offset of each dataset's middle."""
    places: dict[str, int] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.size:
            places[name] = item.id.get_offset() + item.size * item.dtype.itemsize // 2

    with h5py.File(path) as file:
        file.visititems(note)
    return places


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A store with one shard beside its master."""
    path = write(tmp_path_factory.mktemp("one") / "s.h5", (0, 6), single_file=False)
    return path, shard(path, 0).read_bytes()


def with_changed_byte(one: tuple[Path, bytes], place: int, mask: int) -> Path:
    path, sound = one
    content = bytearray(sound)
    content[place % len(content)] ^= mask
    shard(path, 0).write_bytes(content)
    return path


def test_a_flipped_byte_in_any_dataset_of_a_shard_is_found(one: tuple[Path, bytes]) -> None:
    path, sound = one
    shard(path, 0).write_bytes(sound)
    places = datasets(shard(path, 0))
    assert {"views/last", "sentences/text_bytes", "labels/ner/codes", "provenance"} <= places.keys()
    for name, place in places.items():
        findings = verify(with_changed_byte(one, place, 0x10))
        assert str(next(findings)) == "shard 000000.h5: shard: its sha256 is not that of the manifest", name


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=25, deadline=None)
def test_any_byte_of_a_shard_that_is_changed_is_found(one: tuple[Path, bytes], place: int, mask: int) -> None:
    assert next(verify(with_changed_byte(one, place, mask)), None) is not None


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_changed_bytes_are_findings_and_never_an_exception(
    single: bytes, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("changed") / "s.h5"
    content = bytearray(single)
    for place, mask in changes:
        content[place % len(content)] ^= mask
    path.write_bytes(content)
    assert all(finding.hint for finding in verify(path))


def test_an_unfinished_run_is_checked_and_named(tmp_path: Path) -> None:
    path = write_unfinished(tmp_path / "s.h5", (0, 5, 8))
    (finding,) = found(path)
    assert str(finding) == "s.h5: the run is unfinished: 8 sentences in 2 shards are committed"
    assert finding.hint == "run the same extract command again: it goes on from there"


def test_damage_in_an_unfinished_run_is_found(tmp_path: Path) -> None:
    path = write_unfinished(tmp_path / "s.h5", (0, 5, 8))
    manifest_lines(lambda lines: [*lines, "{"], end="")(path)
    os.truncate(shard(path, 0), 100)
    shutil.copy(shard(path, 1), shard(path, 2))  # not committed: the next run removes it
    (path.with_name("s.h5.shards") / "notes.txt").touch()
    findings = found(path)
    assert [finding.where for finding in findings] == ["s.h5", "manifest.jsonl", "s.h5.shards", "shard 000000.h5"]
    assert findings[3].hint == "run the same extract command again: the shard is made anew"


def test_shards_that_an_interrupted_run_left_beside_a_single_file_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    (tmp_path / "s.h5.shards").mkdir()
    (finding,) = found(path)
    assert str(finding).startswith("s.h5.shards: it belongs to nothing")


@pytest.mark.parametrize(
    ("damage", "hint"),
    [
        (lambda path: path.write_text("x"), "give the path of a store"),
        (lambda path: change(path, lambda file: file.attrs.update({"format_version": 7})), "pip install --upgrade embedpipe"),
        (lambda path: os.truncate(path, 3000), "remove it and run the same extract command again"),
    ],
)
def test_a_file_that_cannot_be_opened_has_the_hint_for_its_kind(single: bytes, tmp_path: Path, damage: Any, hint: str) -> None:
    (tmp_path / "s.h5").write_bytes(single)
    damage(tmp_path / "s.h5")
    (finding,) = found(tmp_path / "s.h5")
    assert hint in finding.hint


@pytest.mark.skipif(not hasattr(os, "seteuid") or os.geteuid() != 0, reason="only root can become somebody else here")
def test_what_may_not_be_read_is_a_finding(sharded: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are not for others
        path = Path(shutil.copytree(sharded.parent, Path(folder) / "stores")) / "s.h5"
        Path(folder).chmod(0o755)
        path.parent.chmod(0o755)
        shard(path, 0).parent.chmod(0)
        os.seteuid(65534)
        try:
            findings = found(path)
        finally:
            os.seteuid(0)
        assert "shard 000002.h5: shard: it cannot be read (Permission denied)" in "\n".join(map(str, findings))


def test_a_path_where_nothing_is_is_a_finding(tmp_path: Path) -> None:
    (finding,) = found(tmp_path / "s.h5")
    assert "there is no such file" in finding.what


def test_a_moved_store_is_sound_and_a_renamed_one_is_not_for_plain_hdf5(copy: Path) -> None:
    (copy.parent / "new").mkdir()
    moved = copy.rename(copy.parent / "new" / "s.h5")
    folder = copy.with_name("s.h5.shards").rename(moved.with_name("s.h5.shards"))
    assert found(moved) == []
    renamed = moved.rename(moved.with_name("t.h5"))
    folder.rename(moved.with_name("t.h5.shards"))
    assert {str(finding).split(":")[1] for finding in found(renamed)} == {" virtual datasets"}
    with open_store(renamed) as store:
        assert len(store[:]) == NUM_SENTENCES


def test_of_each_kind_the_first_ones_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    path, number = tmp_path / "s.h5", 3 * MOST_OF_A_KIND
    info = {"cls": ViewInfo("sentence", 2, (1,), "float32", "last", "mean")}
    sentences = tuple(Sentence.from_words(f"s{index}", "d", ["a"]) for index in range(number))
    ones, ranges = np.ones(number, np.int64), np.tile([0, 1], (number, 1))
    zeros = np.zeros(number, np.int64)
    with StoreWriter(path, info, identity=IDENTITY) as writer:
        writer.append(Block(sentences, zeros, zeros, ones, ones, ranges, {"cls": np.ones((number, 2), np.float32)}), 0)
        writer.finish(PROVENANCE)
    change(path, edit("views/cls", slice(None), np.nan))
    change(path, edit("words/spans", (slice(None), 1), 5))
    findings = found(path)
    assert sum(finding.what.startswith("checksums: ") for finding in findings) == 2
    assert len(findings) == 2 + 2 * MOST_OF_A_KIND + 2
    assert str(findings[-1]) == "s.h5: vectors: 40 more of this kind, 60 in all"


def test_progress_ends_at_the_size_of_the_store(copy: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert list(verify(copy, on_progress=lambda done, size: seen.append((done, size)))) == []
    assert seen == sorted(seen) and seen[-1][0] <= seen[-1][1]


def test_the_samples_are_what_they_say() -> None:
    assert [len(sentence.words) for sentence in block(0, 12).sentences] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
