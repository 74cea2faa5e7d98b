"""A store's own file says what its values were when they were written, and verify holds it to that."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sound_samples import NUM_SENTENCES, change, edit, replace, write
from store_samples import samples

from embedpipe.store import open_store, verify_checksums
from embedpipe.store.checksums import ChecksummedImage
from embedpipe.store.verify import verify

THREE = (0, 5, 8, NUM_SENTENCES)
GOLDEN = Path(__file__).parents[1] / "golden" / "stores"


def findings(path: Path) -> list[str]:
    return [str(finding) for finding in verify(path) if "checksums: " in finding.what]


def own_datasets(path: Path) -> dict[str, h5py.Dataset]:
    found = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not item.is_virtual:
            found[name] = (item.id.get_offset(), item.size * item.dtype.itemsize, item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(note)
    return found


@pytest.fixture(scope="module", params=[(0, NUM_SENTENCES), THREE], ids=["single file", "master"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sound") / "s.h5", request.param)


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "s.h5"


def checksums(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        return json.loads(file["checksums"][()].tobytes())


def test_every_dataset_has_the_sha256_of_its_values(sound: Path) -> None:
    expected = {name: hashlib.sha256(data).hexdigest() for name, (_, _, data) in own_datasets(sound).items()}
    assert checksums(sound)["sha256"].items() == expected.items() - {("checksums", expected["checksums"])}
    assert {"provenance", "words/spans", "views/last"} <= expected.keys() or {"provenance", "shards"} <= expected.keys()


def test_the_attributes_are_written_down_a_second_time(sound: Path) -> None:
    attributes = checksums(sound)["attributes"]
    assert attributes["/"].keys() >= {"format", "format_version", "num_documents", "num_words", "embedpipe_version"}
    assert attributes["labels/ner"] == {"unit": "word", "position": 0}
    assert attributes["views/half%2Fall"] == {
        "unit": "word",
        "combination": "all",
        "pooling": "first",
        "position": 1,
        "stacked": 1,
        "vector_size": 3,
        "layers": [0, 1],
    }


def test_a_flipped_bit_in_any_dataset_is_found_and_the_dataset_is_named(path: Path) -> None:
    sound, places = path.read_bytes(), own_datasets(path)
    assert len(places) > 15
    for name, (offset, size, _) in places.items():
        for place in {offset, offset + size - 1} if size and name != "checksums" else ():
            content = bytearray(sound)
            content[place] ^= 1
            path.write_bytes(content)
            found = list(verify(path))
            assert found and all(finding.hint for finding in found), (name, place)
            if "cannot be opened" not in str(found[0]) and "is damaged" not in str(
                found[0]
            ):  # else the reader finds it already
                assert any(f"s.h5: checksums: {name} is not what was written" in each for each in map(str, found)), (
                    name,
                    found,
                )


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_in_the_checksums_is_found(sound: Path, tmp_path: Path, data: st.DataObject) -> None:
    shutil.copytree(sound.parent, tmp_path, dirs_exist_ok=True)
    offset, _, text = own_datasets(sound)["checksums"]
    content = bytearray(sound.read_bytes())
    content[offset + data.draw(st.integers(0, len(text.strip()) - 1))] ^= data.draw(st.sampled_from([1, 2, 4, 8, 16, 64, 128]))
    (tmp_path / "s.h5").write_bytes(content)
    assert findings(tmp_path / "s.h5")


def test_a_bit_of_a_vector_that_breaks_no_rule_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    with h5py.File(path) as file:
        value = file["views/last"][6, 1]
    change(path, edit("views/last", (6, 1), np.nextafter(value, np.float32(9))))
    (finding,) = verify(path)
    assert str(finding).startswith("s.h5: checksums: views/last is not what was written (its sha256 is ")
    assert str(finding).endswith("; in which of its rows it has changed cannot be told")
    assert finding.hint == "extract again with --restart"


def test_in_a_master_the_hint_is_to_make_the_master_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5", THREE)
    with h5py.File(path) as file:
        text = file["provenance"][()].tobytes()
    change(path, replace("provenance", np.frombuffer(text.replace(b'"inputs"', b'"outputs"'), np.uint8)))
    found = [finding for finding in verify(path) if "checksums" in finding.what]
    assert "provenance is not what was written" in found[0].what
    assert found[0].hint == "remove s.h5 and run the same extract command again: the shards are kept, and it is made anew"


def set_attribute(where: str, name: str, value: Any) -> Callable[[h5py.File], None]:
    return lambda file: file[where].attrs.modify(name, value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_attribute("views/last", "combination", np.bytes_("sum?")), "combination of views/last is 'sum?', and 'last'"),
        (
            set_attribute("views/last", "layers", np.array([2])),
            "the attribute layers of views/last is [2], and [3] was written",
        ),
        (set_attribute("views/last", "position", 7), "the attribute position of views/last is 7, and 0 was written"),
        (lambda file: file["views/last"].attrs.__delitem__("pooling"), "pooling of views/last is None, and 'mean' was written"),
        (lambda file: file["views/pieces"].attrs.create("pooling", np.bytes_("x")), "of views/pieces is 'x', and None was"),
        (set_attribute("/", "embedpipe_version", np.bytes_("0.0")), "the attribute embedpipe_version of / is '0.0', and"),
        (lambda file: file.__delitem__("labels/genre"), "labels/genre was written, and is not there"),
        (lambda file: file.move("labels/genre", "labels/gen"), "checksums lacks the attributes of labels/gen"),
    ],
)
def test_a_changed_attribute_is_found(path: Path, damage: Callable[[h5py.File], None], message: str) -> None:
    change(path, damage)
    assert any(message in finding for finding in findings(path)), findings(path)


def test_what_h5repack_makes_of_a_store_is_still_what_was_written(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    with h5py.File(path) as source, h5py.File(tmp_path / "packed.h5", "w") as packed:
        packed.attrs.update(source.attrs)

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                packed.require_group(name)
            elif item.size:
                rows = max(1, len(item) // 2)
                packed.create_dataset(name, data=item[()], chunks=(rows, *item.shape[1:]), compression="gzip", shuffle=True)
            else:
                packed.create_dataset(name, data=item[()])
            for key, value in item.attrs.items():
                packed[name].attrs[key] = value

        source.visititems(copy)
    assert list(verify(tmp_path / "packed.h5")) == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.h5")), ids=lambda path: path.stem)
def test_a_store_from_before_there_were_checksums_is_verified_without(path: Path) -> None:
    with h5py.File(path) as file:
        assert "checksums" not in file
    assert findings(path) == []


def as_bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"sha256": 1, "attributes": {}}', "[" * 10**5, '{"sha256": {}}'])
def test_checksums_that_are_none_are_a_finding(path: Path, content: str) -> None:
    change(path, replace("checksums", as_bytes(content)))
    (finding,) = findings(path)
    assert finding.startswith("s.h5: checksums: checksums cannot be read")


def test_a_dataset_without_a_checksum_is_a_finding_and_one_that_is_not_known_is_not(path: Path) -> None:
    value = checksums(path)
    del value["sha256"]["provenance"]
    value["sha256"]["something/new"] = "00"
    value["attributes"]["/"]["something_new"] = 7
    change(path, replace("checksums", as_bytes(json.dumps(value))))
    assert findings(path) == ["s.h5: checksums: checksums lacks provenance"]


def test_checksums_that_lead_elsewhere_are_not_followed(path: Path) -> None:
    def link(file: h5py.File) -> None:
        del file["checksums"]
        file["checksums"] = h5py.ExternalLink("/etc/hostname", "x")

    change(path, link)
    assert [finding.what for finding in verify(path)] == [f"reading: the store {path} is damaged: checksums cannot be read "
        "(checksums is a link to another place). Extract it again."]  # fmt: skip
    with open_store(path) as store:
        assert len(store) == NUM_SENTENCES


@given(samples(), st.integers(1, 10), st.booleans())
@settings(max_examples=12, deadline=None)
def test_whatever_is_stored_its_checksums_are_right(tmp_path_factory: Any, sample: Any, size: int, single_file: bool) -> None:
    path = sample.write(tmp_path_factory.mktemp("any") / "s.h5", size=size, single_file=single_file)
    assert findings(path) == []
    assert checksums(path)["sha256"].keys() == own_datasets(path).keys() - {"checksums"}


def test_checksums_are_taken_in_portions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_checksums, "_BYTES_A_READ", 7)
    assert findings(path) == []


def test_checksums_stand_behind_what_they_are_of_whatever_is_before_them() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        image = ChecksummedImage()
        image.file.require_group("views"), image.file.require_group("labels")
        for index, size in enumerate(rng.choice([0, 1, 60, 511, 513, 1000, 2047, 2049, 5000], rng.integers(1, 40)).tolist()):
            image.add(f"group{index % 3}/{index}", "|u1", (size,), [np.full(size, index, np.uint8)])
            image.add_virtual(f"views/{index}", "<f4", (3, 2), [("shards/0.h5", 3)])
        assert b"".join(map(bytes, image.pieces())).count(b'{"sha256":{"group0/0":"') == 1


def test_checksums_that_would_stand_before_what_they_are_of_are_an_error() -> None:
    image = ChecksummedImage()
    image.file.require_group("views"), image.file.require_group("labels")
    image.add("first", "|u1", (3000,), [np.zeros(3000, np.uint8)])
    pieces = image.pieces()
    (room,) = (room for room in image._rooms if room.name == "first")
    image._rooms.remove(room)
    image._rooms.append(dataclasses.replace(room, offset=1 << 20))
    with pytest.raises(RuntimeError, match="checksums stand before first"):
        b"".join(map(bytes, pieces))


def test_the_datasets_of_a_file_are_shared_out_among_the_threads_that_take_their_checksums(monkeypatch):
    threads: dict[str, set[int]] = {}

    class Digest:
        def update(self, rows: Any) -> None:
            threads.setdefault(str(bytes(rows[:1])), set()).add(threading.get_ident())

        def hexdigest(self) -> str:
            return "0" * 64

    monkeypatch.setattr("embedpipe.store.checksums.hashlib.sha256", Digest)
    image = ChecksummedImage()
    image.file.create_group("views")
    image.file.create_group("labels")
    for number, length in enumerate((30, 10, 10, 10)):
        image.add(str(number), "u1", (length,), [np.full(length, number, np.uint8)])
    assert list(image.pieces())
    (first,), *others = (threads[str(bytes([number]))] for number in range(4))
    assert all(len(other) == 1 and first not in other for other in others)
