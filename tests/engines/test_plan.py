from __future__ import annotations

import json
import math
import shutil
from collections import namedtuple
from dataclasses import replace

import pytest
from tiny_models import HIDDEN_SIZE, MAX_WINDOW, NUM_LAYERS
from transformers import AutoTokenizer

import embedpipe
from embedpipe.config import load_config
from embedpipe.dataflow import ReadLog
from embedpipe.engines import disk
from embedpipe.engines.disk import measure_space, require_space
from embedpipe.engines.plan import make_plan
from embedpipe.engines.planned_time import SECONDS_A_COMMIT, PlannedTime
from embedpipe.engines.survey import survey
from embedpipe.errors import ConfigError, CorpusError, EncoderError, StoreError

LONG = ["the quick brown fox jumps over the lazy dog"] * 40
ROWS = [
    {"id": "a/0", "document": "a", "words": ["The", "quick", "fox", "."], "pos": ["D", "A", "N", "P"], "topic": "animals"},
    {"id": "a/1", "document": "a", "words": [], "pos": [], "topic": "nothing"},
    {"id": "a/2", "document": "a", "words": ["a", "\u200b", "dog", "\u200b"], "pos": ["D", "X", "N", "X"], "topic": "animals"},
    {"id": "b/ü", "document": "b", "words": " ".join(LONG).split(), "pos": ["N"] * 360, "topic": "long"},
    {"id": "b/1", "document": "b", "words": ["unbelievable", "tokenization"], "pos": ["A", "N"], "topic": "words"},
    {"id": "a/3", "document": "a", "words": ["Berlin", "."], "pos": ["N", "P"], "topic": "places"},
]
VIEWS = {
    "last": {"layers": "last"},
    "all": {"layers": "all", "unit": "subword"},
    "wide": {"layers": "concat_last_four", "unit": "sentence"},
}


@pytest.fixture
def config_of(tmp_path, tiny_model):
    def make(rows=ROWS, model="bert", **changes):
        corpus = tmp_path / "corpus.jsonl"
        corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        whole = {
            "corpus": {
                "type": "jsonl", "path": str(corpus), "words": "words", "id": "id", "document": "document", "labels": ["pos", "topic"],
            },
            "encoder": {"type": "transformer", "model": str(tiny_model(model)), "device": "cpu"},
            "views": VIEWS,
            "store": {"path": str(tmp_path / "features.h5")},
        }  # fmt: skip
        return load_config(whole | changes)

    return make


@pytest.fixture
def without_weights(tiny_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model("bert"), folder)
    (folder / "model.safetensors").write_bytes(b"")
    return str(folder)


def test_every_count_is_what_plain_python_and_the_tokenizer_say(config_of, tiny_model):
    surveyed = make_plan(config_of(), calibrates=False).survey
    tokenizer = AutoTokenizer.from_pretrained(tiny_model("bert"))
    subwords = [
        [len(tokenizer(word, add_special_tokens=False, padding=False)["input_ids"]) for word in row["words"]] for row in ROWS
    ]
    lengths = [sum(words) for words in subwords]
    content = MAX_WINDOW - 2
    num_windows = [1 + max(0, math.ceil((length - content) / (content - content // 4))) for length in lengths]
    assert max(num_windows) > 2
    assert surveyed.num_documents == 3  # "a" comes back after "b"
    assert surveyed.num_sentences == 6
    assert surveyed.num_words == sum(len(row["words"]) for row in ROWS)
    assert surveyed.num_subwords == sum(lengths)
    assert surveyed.num_windows == sum(num_windows)
    assert surveyed.num_window_subwords == sum(
        count * MAX_WINDOW if count > 1 else length + 2 for count, length in zip(num_windows, lengths, strict=True)
    )
    assert surveyed.num_windowed_sentences == 1
    assert surveyed.num_empty_sentences == 1
    assert surveyed.num_words_without_subwords == sum(words.count(0) for words in subwords) == 2
    assert surveyed.longest == ("b/ü", 360, max(lengths))
    assert surveyed.labels == {"pos": "word", "topic": "sentence"}
    assert surveyed.num_text_bytes == sum(len(" ".join(row["words"]).encode()) for row in ROWS)
    assert surveyed.num_id_bytes == len("".join(row["id"] for row in ROWS).encode()) + len("aba")
    assert surveyed.num_vocabulary_bytes == len("DANPX" + "animalsnothinglongwordsplaces")


@pytest.mark.parametrize("model", ["bert", "roberta", "gpt2"])
@pytest.mark.parametrize("context", [{"type": "sentence"}, {"type": "document", "window": 24}])
def test_counts_and_bytes_of_views_are_those_of_the_store_that_is_made(config_of, model, context):
    config = config_of(model=model, context=context)
    plan = make_plan(config, calibrates=False)
    with embedpipe.extract(config) as store:
        summary = store.summary()
        matrices = {name: store.matrix(name) for name in store.views}
        infos = dict(store.views)
    planned = plan.survey
    assert summary.counts == {
        "documents": planned.num_documents,
        "sentences": planned.num_sentences,
        "words": planned.num_words,
        "subwords": planned.num_subwords,
    }
    flags = {"EMPTY": planned.num_empty_sentences, "WINDOWED": planned.num_windowed_sentences}
    flags["NO_SUBWORDS"] = planned.num_words_without_subwords
    assert {name: summary.flags.get(name, 0) for name in flags} == flags
    assert {name: view.info for name, view in plan.views.items()} == infos
    for name, matrix in matrices.items():
        view = plan.views[name]
        assert (view.num_rows, *view.info.row_shape) == matrix.shape
        assert view.size_bytes == math.prod(matrix.shape) * matrix.dtype.itemsize


class Watched:
    """An encoder that counts what it is given."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.counts = []

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, batch, layers):
        self.counts.append(int(batch.attention_mask.sum()))
        return self._encoder.encode(batch, layers)


@pytest.mark.parametrize("context", [{"type": "sentence"}, {"type": "document", "window": 24}])
def test_window_subwords_are_what_the_encoder_computes(config_of, context, monkeypatch):
    monkeypatch.setattr("embedpipe.extraction.group_equal", lambda windows: [[index] for index in range(len(windows))])
    config = config_of(context=context)
    embedder = config.job.load()
    watched = Watched(embedder.encoder)
    list(replace(embedder, encoder=watched).embed(config.job.corpus.sentences(ReadLog())))
    assert make_plan(config, calibrates=False).survey.num_window_subwords == sum(watched.counts)


@pytest.mark.parametrize("store", [{}, {"single_file": False}, {"shard_size": "400 KB"}], ids=str)
def test_the_rest_of_the_store_is_estimated_within_ten_percent(config_of, tmp_path, store):
    rows = [
        {
            "id": f"doc-{n // 20}/{n}",
            "document": f"doc-{n // 20}",
            "words": f"The quick brown fox {n} jumps".split(),
            "pos": list("DAANNV"),
            "topic": f"t{n % 7}",
        }
        for n in range(4000)
    ]
    path = tmp_path / "features.h5"
    view = {"unit": "sentence", "layers": "embeddings", "pooling": "mean"}
    config = config_of(rows, views={"mean": view}, store={"path": str(path), **store})
    plan = make_plan(config, calibrates=False)
    embedpipe.extract(config).close()
    files = [file for file in [path, *tmp_path.glob("features.h5.*/**/*")] if file.is_file()]
    assert (len(files) == 1) == (not store)
    stored = sum(file.stat().st_size for file in files)
    assert plan.beside_bytes > plan.views["mean"].size_bytes  # or the test would be of nothing
    assert plan.beside_bytes == pytest.approx(stored - plan.views["mean"].size_bytes, rel=0.1)
    assert plan.total_bytes == plan.beside_bytes + plan.views["mean"].size_bytes


@pytest.mark.parametrize(("store", "num_files"), [({}, 1), ({"single_file": False}, 2)], ids=str)
def test_where_second_texts_start_is_counted(store, num_files, config_of, tmp_path):
    rows = [{"id": f"{n}", "first": "The quick brown fox", "second": f"jumps {n}"} for n in range(3000)]
    rows = [row | {"both": f"{row['first']} {row['second']}"} for row in rows]
    reading = {"type": "jsonl", "path": str(tmp_path / "corpus.jsonl"), "id": "id"}
    unplanned, planned = [], []
    for fields in ({"text": "both"}, {"text": "first", "second": "second"}):
        path = tmp_path / f"{len(fields)}.h5"
        view = {"unit": "sentence", "layers": "embeddings", "pooling": "mean"}
        config = config_of(
            rows, model="roberta", corpus=reading | fields, views={"mean": view}, store={"path": str(path), **store}
        )
        plan = make_plan(config, calibrates=False)
        assert plan.survey.num_pairs == (3000 if "second" in fields else 0)
        embedpipe.extract(config).close()
        files = [file for file in [path, *tmp_path.glob(f"{path.name}.*/**/*.h5")] if file.is_file()]
        stored = sum(file.stat().st_size for file in files)
        planned.append(plan.total_bytes - 4 * plan.survey.num_subwords)
        unplanned.append(stored - plan.total_bytes)
    assert len(files) == num_files
    assert planned[1] - planned[0] == num_files * 4 * 3000
    assert unplanned[1] - unplanned[0] < 600 * num_files  # what HDF5 and the checksums take for one column more


def test_no_weights_are_read_without_calibration(config_of, without_weights):
    encoder = {"type": "transformer", "model": without_weights, "device": "cpu"}
    plan = make_plan(config_of(encoder=encoder), calibrates=False)
    assert (plan.time, plan.num_layers, plan.hidden_size, plan.window) == (None, NUM_LAYERS, HIDDEN_SIZE, MAX_WINDOW - 2)
    assert plan.survey == replace(make_plan(config_of(), calibrates=False).survey, seconds=plan.survey.seconds)
    assert make_plan(config_of(encoder=encoder), device_rate=100).time is not None
    with pytest.raises(EncoderError, match="weights"):
        make_plan(config_of(encoder=encoder))


def test_an_encoder_type_without_an_outline_is_loaded_for_its_shape(config_of):
    class PlugIn:
        """An encoder of somebody else's."""

        def __init__(self, settings):
            self.find, self._load, self.num_loads = settings.find, settings.load, 0

        def load(self, files):
            self.num_loads += 1
            return self._load(files)

    config = config_of()
    plug_in = PlugIn(config.job.encoder)
    plan = make_plan(replace(config, job=replace(config.job, encoder=plug_in)))
    assert plan.num_layers == NUM_LAYERS
    assert plan.time is not None
    assert plug_in.num_loads == 1


def test_a_view_that_the_encoder_does_not_have_is_a_mistake_in_the_config(config_of):
    config = config_of(views={"ninth": {"layers": {"type": "layer", "index": 9}}, "cls": VIEWS["wide"]})
    with pytest.raises(ConfigError, match=r"views\.ninth\.layers: ") as caught:
        make_plan(config, calibrates=False)
    assert caught.value.source == config.source


def test_a_projection_is_in_proportion(config_of):
    here = make_plan(config_of(), device_rate=1000)
    there = make_plan(config_of(), num_sentences=6_000_000, device_rate=1000)
    assert there.is_projected
    assert there.surveyed.num_sentences == 6
    for name in ("documents", "words", "subwords", "windows", "window_subwords", "words_without_subwords", "text_bytes"):
        assert getattr(there.survey, f"num_{name}") == 1_000_000 * getattr(here.survey, f"num_{name}")
    for name, view in here.views.items():
        assert there.views[name].size_bytes == 1_000_000 * view.size_bytes
        assert there.views[name].info == view.info
    assert there.time.encoding_seconds == pytest.approx(1_000_000 * here.time.encoding_seconds)
    assert there.time.reading_seconds == pytest.approx(1_000_000 * there.surveyed.seconds)
    assert there.survey.longest == here.survey.longest
    assert there.space.needed_bytes == pytest.approx(1.05 * there.total_bytes)


def test_counts_of_a_projection_are_whole_and_rounded_up(config_of):
    surveyed = make_plan(config_of(), num_sentences=1, calibrates=False)
    assert surveyed.survey.num_sentences == 1
    assert surveyed.survey.num_windowed_sentences == 1
    assert surveyed.survey.num_words == math.ceil(surveyed.surveyed.num_words / 6)


def test_a_given_rate_and_workers_give_the_time(config_of):
    plan = make_plan(config_of(), device_rate=50, num_workers=4)
    assert plan.time.source == "device_rate"
    assert plan.time.encoding_seconds == pytest.approx(plan.survey.num_window_subwords / 50)
    assert plan.time.reading_seconds == plan.survey.seconds
    assert plan.time.num_bytes == plan.total_bytes and plan.time.num_shards == 1
    assert plan.time.seconds == max(plan.time.limits.values())


@pytest.mark.parametrize(
    ("num_workers", "disk_rate", "seconds", "limited_by", "enough"),
    [
        (1, None, 1100, "workers", None),
        (4, None, 275, "workers", 11),
        (20, None, 100, "reading", 11),
        (4, 1e6, 400, "disk", 3),
        (1, 1e6, 1100, "workers", 3),
        (1, 1e5, 4000, "disk", 1),
    ],
)
def test_what_takes_longest_is_how_long_it_takes(num_workers, disk_rate, seconds, limited_by, enough):
    time = PlannedTime(100, 1000, 50, "device_rate", num_workers, 2000, 400_000_000, disk_rate)
    assert (time.seconds, time.limited_by, time.enough_workers) == (seconds, limited_by, enough)


def test_a_great_many_shards_are_held_up_by_the_one_who_commits_them():
    time = PlannedTime(100, 1e6, 50, "device_rate", 2000, 10**6, 10**12)
    assert (time.limited_by, time.seconds) == ("committing", 10**6 * SECONDS_A_COMMIT)


def test_calibration_times_the_real_encoder(config_of):
    time = make_plan(config_of()).time
    assert time.source == "calibration"
    assert time.subwords_per_second > 10


class Empty:
    """A corpus of somebody else's that has no sentence; embedpipe's own readers refuse such files."""

    files = ()

    def sentences(self, log):
        return iter(())


def test_an_empty_corpus_is_planned_and_not_projected(config_of):
    config = config_of()
    empty = replace(config, job=replace(config.job, corpus=Empty()))
    plan = make_plan(empty)
    assert (plan.survey.num_sentences, plan.survey.longest, plan.time) == (0, None, None)
    assert all(view.size_bytes == 0 for view in plan.views.values())
    with pytest.raises(CorpusError, match="no sentence"):
        make_plan(empty, num_sentences=10, calibrates=False)


def test_what_is_wrong_in_the_corpus_is_found_while_planning(config_of, tmp_path):
    config = config_of()
    with (tmp_path / "corpus.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(CorpusError, match=r"corpus\.jsonl:7"):
        make_plan(config, calibrates=False)


def test_progress_ends_at_the_end_of_the_corpus(config_of, tmp_path):
    config, seen = config_of([{**ROWS[0], "id": str(n)} for n in range(1100)]), []
    plan = make_plan(config, calibrates=False, on_progress=seen.append)
    size = (tmp_path / "corpus.jsonl").stat().st_size
    assert [progress.num_sentences for progress in seen] == [512, 1024, 1100]
    assert (seen[-1].done_bytes, seen[-1].size_bytes, seen[-1].num_words) == (size, size, plan.survey.num_words)


def test_labels_of_endless_variety_are_not_all_remembered(config_of, monkeypatch):
    monkeypatch.setattr("embedpipe.engines.survey._KNOWN_VALUES", 3)
    config = config_of(
        [{**ROWS[0], "id": str(n), "topic": "abcd"[n]} for n in range(4)] + [{**ROWS[0], "id": "x", "topic": "d"}]
    )
    surveyed = survey(config.job.corpus, config.job.load(), ReadLog())
    assert surveyed.num_vocabulary_bytes == len("DANP") + len("abcdd")  # the second d is taken for a new value


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    asked = []

    def set_free(num_bytes):
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: asked.append(folder) or Usage(2**60, 0, num_bytes))
        return asked

    return set_free


def test_a_store_fits_with_five_percent_to_spare_and_not_with_less(free, tmp_path):
    free(1050)
    require_space(tmp_path / "store.h5", 1000)
    with pytest.raises(StoreError, match=r"needs about 1,051 bytes \(5 % to spare\), but only 1,050 bytes are free") as caught:
        require_space(tmp_path / "store.h5", 1001)
    assert str(tmp_path / "store.h5") in str(caught.value)
    assert "1 bytes are missing" in str(caught.value)
    assert "--output" in str(caught.value)


def test_large_numbers_are_said_in_larger_units(free, tmp_path):
    free(300 * 2**30)
    with pytest.raises(StoreError, match=r"needs about 1,050\.0 GiB .* only 300\.0 GiB .* 750\.0 GiB are missing"):
        require_space(tmp_path / "store.h5", 1000 * 2**30)


def test_the_disk_is_that_of_the_nearest_folder_that_exists(free, tmp_path):
    asked = free(1)
    assert measure_space(tmp_path / "not" / "yet" / "store.h5", 100).folder == tmp_path.resolve()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.h5").symlink_to(tmp_path / "elsewhere" / "store.h5")
    assert measure_space(tmp_path / "link.h5", 100).folder == (tmp_path / "elsewhere").resolve()
    assert asked == [tmp_path.resolve(), (tmp_path / "elsewhere").resolve()]


def test_a_disk_that_cannot_be_asked_is_an_error_of_the_store(monkeypatch, tmp_path):
    def fail(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk.shutil, "disk_usage", fail)
    with pytest.raises(StoreError, match="Permission denied"):
        require_space(tmp_path / "store.h5", 1)


def test_a_plan_without_a_path_looks_at_the_current_folder(config_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(config_of(store={}), calibrates=False)
    assert plan.path is None
    assert plan.space.folder == tmp_path.resolve()
    assert make_plan(config_of(store={}), tmp_path / "x.h5", calibrates=False).path == tmp_path / "x.h5"
