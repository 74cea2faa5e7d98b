from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
import threading

import pytest
from safetensors.torch import load_file, save_file

import embedpipe
from embedpipe.dataflow import Sentence
from embedpipe.subwords import SubwordTokenizer


def test_extract_writes_a_store_and_says_so_in_one_line(run, workplace):
    result = run("extract", workplace.config())
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"{workplace.folder / 'features.h5'}: 3 sentences, 1 view, in ")
    with embedpipe.open_store(workplace.folder / "features.h5") as store:
        assert [sentence.words for sentence in store] == [("the", "quick", "fox"), (), ("a", "dog")]
        assert store.matrix("last").shape == (5, 32)


def test_the_same_command_again_computes_nothing(run, workplace):
    config = workplace.config()
    run("extract", config)
    written = (workplace.folder / "features.h5").stat().st_mtime_ns
    assert "was there already, from the same config, corpus and model" in run("extract", config).out
    assert (workplace.folder / "features.h5").stat().st_mtime_ns == written


def test_another_store_is_not_replaced_without_restart(run, workplace):
    run("extract", workplace.config())
    other = workplace.config(views={"first": {"layers": "first"}})
    result = run("extract", other)
    assert result.status == 1
    assert "a finished store is there that was made otherwise:\n  config.views.first: was not there, is" in result.err
    assert "Give another --output, or replace it with --restart" in result.err
    assert run("extract", other, "--restart").status == 0
    with embedpipe.open_store(workplace.folder / "features.h5") as store:
        assert list(store.views) == ["first"]


def test_a_changed_corpus_makes_another_store(run, workplace):
    config = workplace.config()
    run("extract", config)
    workplace.corpus("changed\n")
    assert run("extract", config).status == 1


def test_output_overrides_and_ext_vars_reach_the_config(run, workplace):
    config = json.loads(workplace.config(store=None).read_text())
    config["corpus"]["path"] = "VARIABLE"
    text = json.dumps(config).replace('"VARIABLE"', 'std.extVar("corpus")')
    result = run(
        "extract", workplace.text_config(text), "-o", workplace.folder / "other.h5", "--ext-var", f"corpus={workplace.folder}/corpus.txt",
        "--overrides", '{"views.last.layers": "all", "store": {"dtype": "float16"}}', "--quiet",
    )  # fmt: skip
    assert (result.status, result.out, result.err) == (0, "", "")
    with embedpipe.open_store(workplace.folder / "other.h5") as store:
        assert store.views["last"].stacked and store.views["last"].dtype == "float16"


def test_warnings_of_the_corpus_are_shown_after_the_run(run, workplace):
    corpus = {"type": "conll2003", "path": str(workplace.corpus("the\tO\n\tO\n", "broken.conll"))}
    result = run("extract", workplace.config(corpus=corpus))
    assert result.status == 0
    assert "warning, 1 times: " in result.out and "broken.conll:2" in result.out


def test_info_is_a_table_for_people(run, workplace):
    corpus = {"type": "conll2003", "path": str(workplace.corpus("the O\n\u200b O\nAnn B-PER\n", "c.conll"))}
    run(
        "extract",
        workplace.config(corpus=corpus, views={"all": {"layers": "all"}, "s": {"layers": "last", "unit": "sentence"}}),
    )
    result = run("info", workplace.folder / "features.h5")
    assert result.status == 0
    for line in ("an embedpipe store, format 1", "ner (word): O, B-PER", "1 document, 1 sentence, 3 words", "NO_SUBWORDS"):
        assert line in result.out
    lines = result.out.splitlines()
    assert [line.split()[:4] for line in lines[-2:]] == [["all", "word", "3", "5"], ["s", "sentence", "1", "32"]]


def test_info_as_json_holds_everything(run, workplace):
    run("extract", workplace.config())
    facts = json.loads(run("info", workplace.folder / "features.h5", "--json").out)
    assert facts["counts"] == {"documents": 1, "sentences": 3, "words": 5, "subwords": facts["counts"]["subwords"]}
    assert facts["views"]["last"]["rows"] == 5
    assert facts["flags"] == {"EMPTY": 1}
    assert facts["provenance"]["encoder"]["architecture"] == "BertModel"


def test_a_store_of_several_shards_says_so_and_reads_as_one(run, workplace):
    config = workplace.config(store={"path": str(workplace.folder / "features.h5"), "shard_size": 300})
    assert run("extract", config).status == 0
    assert "in 3 shards" in run("info", workplace.folder / "features.h5").out.splitlines()[0]
    with embedpipe.open_store(workplace.folder / "features.h5") as store:
        assert [sentence.words for sentence in store] == [("the", "quick", "fox"), (), ("a", "dog")]
        assert store.matrix("last")[:].shape == (5, 32)


def test_a_sentence_that_fails_is_recorded_flagged_and_shown(run, workplace):
    model = shutil.copytree(workplace.model, workplace.folder / "model")
    weights = load_file(model / "model.safetensors")
    (quick,) = SubwordTokenizer(model).tokenize([Sentence.from_words("s", "d", ["quick"])])
    weights["embeddings.word_embeddings.weight"][quick.subword_ids[0]] = float("nan")
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    encoder = {"type": "transformer", "model": str(model), "device": "cpu"}
    stopped = run("extract", workplace.config(encoder=encoder))
    assert stopped.status == 1 and "NonFiniteError: embedding sentence 'corpus.txt/1' for view 'last'" in stopped.err
    assert run("extract", workplace.config(encoder=encoder, on_error="record")).status == 0
    shown = run("info", workplace.folder / "features.h5").out
    assert "FAILED: 1" in shown and "corpus.txt/1: embedding sentence 'corpus.txt/1' for view 'last'" in shown
    with embedpipe.open_store(workplace.folder / "features.h5") as store:
        assert not store.vectors("last", 0).any() and store.vectors("last", 2).any()


def test_components_lists_every_type_and_says_all_about_one(run):
    overview = run("components").out
    for name in ("conll2003", "transformer", "document", "scalar_mix", "concat_last_four"):
        assert name in overview
    details = run("components", "scalar_mix").out
    assert "scalars: list of numbers, required" in details
    assert "gamma" in details and "default 1.0" in details


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys; from embedpipe.cli.main import commands; commands(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "h5py", "pandas", "sklearn", "pydantic", "numpy", "allennlp_light", "tqdm"}
    assert not heavy & set(done.stdout.split())


def test_import_embedpipe_offers_its_names_and_imports_nothing_heavy():
    code = "import sys, embedpipe; print(dir(embedpipe)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'extract'" in done.stdout and "'open_store'" in done.stdout
    assert not {"torch", "numpy", "h5py"} & set(done.stdout.split())


def test_ctrl_c_ends_with_130_and_leaves_nothing(run, workplace, monkeypatch):
    def interrupt(*_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("embedpipe.store.StoreWriter.append", interrupt)
    before = set(workplace.folder.iterdir()) | {workplace.folder / "config.jsonnet", workplace.folder / "corpus.txt"}
    result = run("extract", workplace.config())
    assert result.status == 130
    assert "What is sealed is kept; the same command goes on from there." in result.err
    assert set(workplace.folder.iterdir()) == before


def test_progress_is_shown_on_a_terminal_only(workplace):
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    shown = bytearray()

    def read():
        try:
            while data := os.read(main, 1024):
                shown.extend(data)
        except OSError:  # the terminal is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-m", "embedpipe", "extract", str(workplace.config())]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True, check=True)
    os.close(terminal)
    reader.join(10)
    os.close(main)
    before, bar = shown.index(b"loading the encoder"), shown.index(b"% |")
    assert before < shown.index(b"\x1b[K") < bar and b"left" in shown
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["extract"], ["extrct", "x"], ["extract", "x", "--no-such"], ["extract", "x", "--ext-var", "a"]]
)
def test_bad_usage_is_status_2(run, arguments):
    result = run(*arguments)
    assert result.status == 2
    assert "Error: " in result.err
