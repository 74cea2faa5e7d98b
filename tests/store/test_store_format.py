"""FORMAT.md is enough to read a store: this reader was written from it, with plain h5py."""

from __future__ import annotations

import hashlib
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import IDENTITY, VIEWS, Sample, fixed_sample, samples

from embedpipe.store import open_store


def read_text(group: h5py.Group, name: str) -> list[str]:
    data, offsets = group[f"{name}_bytes"][:].tobytes(), group[f"{name}_offsets"][:]
    return [data[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(offsets)]


def in_order(group: h5py.Group) -> list[tuple[str, Any]]:
    entries = sorted(group.values(), key=lambda entry: entry.attrs["position"])
    return [(unquote(entry.name.rpartition("/")[2], errors="surrogatepass"), entry) for entry in entries]


def read_store(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        assert file.attrs["format"] == b"embedpipe-store" and file.attrs["format_version"] == 1
        sentences, words = file["sentences"], file["words"]
        documents = read_text(file["documents"], "id")
        texts, spans = read_text(sentences, "text"), words["spans"][:]
        columns: dict[str, Any] = {
            "counts": tuple(int(file.attrs[f"num_{name}"]) for name in ("documents", "sentences", "words", "subwords")),
            "id": read_text(sentences, "id"),
            "document": [documents[index] for index in sentences["document_index"][:]],
            "text": texts,
            "flags": sentences["flags"][:].tolist(),
            "space_after": [bool(value) for value in sentences["space_after"][:]],
            "word_offsets": (offsets := sentences["word_offsets"][:]).tolist(),
            "subword_offsets": sentences["subword_offsets"][:].tolist(),
            "words": [[texts[i][a:b] for a, b in spans[offsets[i] : offsets[i + 1]]] for i in range(len(texts))],
            "word_subwords": words["subwords"][:].tolist(),
            "word_flags": words["flags"][:].tolist(),
            "subword_ids": file["subwords/ids"][:].tolist(),
            "provenance": json.loads(file["provenance"][:].tobytes()),
            "hashes": dict(zip(sentences["id_order"][:].tolist(), sentences["id_hashes"][:].tolist(), strict=True)),
            "hashes_ascend": bool((np.diff(sentences["id_hashes"][:].astype(object)) >= 0).all()),
            "views": {},
            "labels": {},
        }
        for name, view in in_order(file["views"]):
            info = {key: view.attrs[key].decode() for key in ("unit", "combination", "pooling") if key in view.attrs}
            columns["views"][name] = (
                view[:],
                {**info, "stacked": int(view.attrs["stacked"]), "layers": tuple(view.attrs["layers"].tolist())},
            )
            assert view.attrs["vector_size"] == view.shape[-1]
        for name, group in in_order(file["labels"]):
            vocabulary = read_text(group, "vocabulary")
            values = [None if code == -1 else vocabulary[code] for code in group["codes"][:]]
            if group.attrs["unit"] == b"word":
                values = [tuple(values[a:b]) for a, b in pairwise(offsets)]
            columns["labels"][name] = values
        return columns


@given(samples(), st.integers(1, 10), st.booleans())
@settings(max_examples=40, deadline=None)
def test_plain_h5py_reads_everything_as_the_format_says(sample: Sample, size: int, single_file: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = sample.write(Path(folder, "100%b.h5"), size=size, single_file=single_file, provenance={"é\ud800": [1, None]})
        found = read_store(path)
    given, views, labels, counts = sample.sentences, found.pop("views"), found.pop("labels"), found.pop("counts")
    hashes = [
        int.from_bytes(hashlib.blake2b(s.id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") for s in given
    ]
    assert found == {
        "id": [sentence.id for sentence in given],
        "document": [sentence.document for sentence in given],
        "text": [sentence.text for sentence in given],
        "flags": sample.sentence_flags.tolist(),
        "space_after": [sentence.space_after for sentence in given],
        "word_offsets": sample.word_offsets.tolist(),
        "subword_offsets": sample.subword_offsets.tolist(),
        "words": [list(sentence.words) for sentence in given],
        "word_subwords": sample.word_subwords.tolist(),
        "word_flags": sample.word_flags.tolist(),
        "subword_ids": sample.subword_ids.tolist(),
        "provenance": {"é\ud800": [1, None]},
        "hashes": dict(enumerate(hashes)),
        "hashes_ascend": True,
    }
    assert counts[1:] == (len(given), len(sample.word_flags), len(sample.subword_ids))
    assert list(views) == list(VIEWS)
    for name, (rows, attributes) in views.items():
        info = VIEWS[name]
        assert rows.dtype == info.dtype
        np.testing.assert_array_equal(rows, sample.rows[name])
        assert attributes == {
            "unit": info.unit,
            "combination": info.combination,
            **({"pooling": info.pooling} if info.pooling else {}),
            "stacked": int(info.stacked),
            "layers": info.layers,
        }
    assert set(labels) == {name for sentence in given for name in sentence.labels}
    for name, values in labels.items():
        for sentence, value in zip(given, values, strict=True):
            missing = (None,) * len(sentence.words) if any(isinstance(s.labels.get(name), tuple) for s in given) else None
            assert value == sentence.labels.get(name, missing)


def test_plain_h5py_reads_each_shard_as_a_store_of_its_sentences(tmp_path: Path) -> None:
    sample = fixed_sample()
    path = sample.write(tmp_path / "s.h5", size=5)
    whole = read_store(path)
    with h5py.File(path) as file:
        table = json.loads(file["shards"][:].tobytes())
    assert [(shard["start"], shard["stop"]) for shard in table["shards"]] == [(0, 5), (5, 10), (10, 12)]
    lines = (tmp_path / "s.h5.shards" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines[1:]] == table["shards"]
    assert json.loads(lines[0])["identity"] == table["identity"] == IDENTITY
    for shard in table["shards"]:
        file_path = tmp_path / "s.h5.shards" / shard["name"]
        part = read_store(file_path)
        sentences = slice(shard["start"], shard["stop"])
        for name in ("id", "document", "text", "flags", "space_after", "words"):
            assert part[name] == whole[name][sentences]
        assert part["labels"]["ner"] == whole["labels"]["ner"][sentences]
        np.testing.assert_array_equal(part["views"]["cls"][0], whole["views"]["cls"][0][sentences])
        assert part["provenance"] == {"identity": IDENTITY}
        assert part["counts"] == (
            shard["num_documents"],
            shard["stop"] - shard["start"],
            shard["num_words"],
            shard["num_subwords"],
        )
        assert hashlib.sha256(file_path.read_bytes()).hexdigest() == shard["sha256"]
        assert file_path.stat().st_size == shard["size_bytes"]


@pytest.mark.parametrize("stops", [(5, 12), (2, 7, 12)])
def test_plain_h5py_reads_a_store_that_has_grown_as_one_that_was_made_at_once(tmp_path: Path, stops: tuple[int, ...]) -> None:
    found = read_store(fixed_sample().grow(tmp_path / "grown.h5", stops, size=4))
    expected = read_store(fixed_sample().write(tmp_path / "once.h5"))
    assert found.pop("provenance") != expected.pop("provenance")
    for name, (rows, attributes) in expected.pop("views").items():
        np.testing.assert_array_equal(found["views"][name][0], rows)
        assert found["views"][name][1] == attributes
    del found["views"]
    assert found == expected
    with h5py.File(tmp_path / "grown.h5") as file:
        table = json.loads(file["shards"][:].tobytes())
    runs = [(run["num_sentences"], run["identity"]) for run in table["grown_from"]]
    assert [num_sentences for num_sentences, _ in runs] == list(stops[:-1])
    for shard in table["shards"]:
        identity = next((identity for end, identity in runs if shard["start"] < end), table["identity"])
        part = read_store(tmp_path / "grown.h5.shards" / shard["name"])
        assert part["provenance"] == {"identity": identity} and len(part["id"]) == shard["stop"] - shard["start"]


def test_sharded_store_is_read_by_plain_h5py_wherever_it_and_the_reader_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = fixed_sample()
    (tmp_path / "a").mkdir()
    sample.write(tmp_path / "a" / "s.h5", size=5)
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "link.h5").symlink_to(tmp_path / "b" / "s.h5")
    monkeypatch.delenv("HDF5_VDS_PREFIX", raising=False)
    for folder, path in [("/", tmp_path / "b" / "s.h5"), (tmp_path, "b/s.h5"), (tmp_path / "b", "s.h5"), (tmp_path, "link.h5")]:
        monkeypatch.chdir(folder)
        with h5py.File(path) as file:
            monkeypatch.chdir("/")
            np.testing.assert_array_equal(file["views/last"][:], sample.rows["last"])
        monkeypatch.chdir(folder)
        with open_store(path) as store:
            monkeypatch.chdir("/")
            np.testing.assert_array_equal(store.matrix("last"), sample.rows["last"])
    (tmp_path / "b" / "s.h5.shards" / "000001.h5").unlink()
    with h5py.File(tmp_path / "b" / "s.h5") as file:
        assert np.isnan(file["views/cls"][5:10]).all(), "h5py shows a missing shard"


def test_format_page_names_every_dataset_and_attribute() -> None:
    from embedpipe.store import format as names

    page = Path(names.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")
    texts = [part for text in names.TEXTS for part in (names.bytes_of(text), names.offsets_of(text))]
    attributes = [names.FORMAT, names.VERSION, names.WRITTEN_BY, *names.COUNTS, names.UNIT, names.POSITION, names.COMBINATION]
    attributes += [names.POOLING, names.LAYERS, names.STACKED, names.VECTOR_SIZE, names.LABEL_CODES, names.PROVENANCE]
    attributes += [names.FORMAT_NAME, names.SHARDS, names.MANIFEST, names.MANIFEST_NAME, names.LOCK]
    assert [name for name in (*names.COLUMNS, *texts, *attributes) if f"`{name}`" not in page and f'"{name}"' not in page] == []
    assert f"version {names.FORMAT_VERSION}" in page


def test_ordinary_names_are_links_as_they_are(tmp_path: Path) -> None:
    with h5py.File(fixed_sample().write(tmp_path / "s.h5")) as file:
        assert set(file["views"]) == {"last", "half%2Fall", "pieces", "cls", "%2E%2E"}
        assert file["views/last"].shape == (21, 5)


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_link_names_keep_every_name(name: str) -> None:
    from embedpipe.store.format import link_name, name_of_link

    link = link_name(name)
    assert name_of_link(link) == name
    assert "/" not in link and "\x00" not in link and link.strip(".")
