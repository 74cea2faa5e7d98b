"""Public corpora as they are published, each counted here in another way; skipped where they are not at hand."""

import csv
from pathlib import Path

import pytest
from corpus_contract import read

from embedpipe.corpus import Conll2003, Conllu, Csv, Lines, Tsv, Words
from embedpipe.dataflow import ReadLog, SentenceFlag

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the corpora of ../shared/data")


def raw_lines(name):
    return (DATA / name).read_bytes().decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")


def count(sentences):
    return len(sentences), sum(len(sentence.words) for sentence in sentences)


@pytest.mark.parametrize(
    ("name", "num_sentences", "warnings"),
    [
        ("ner/btc/btc.train", 6338, {"space-in-word": 17}),
        ("ner/btc/btc.dev", 1001, {"space-in-word": 5, "empty-word": 3}),
        ("ner/btc/btc.test", 2001, {"space-in-word": 119, "empty-word": 2, "blank-separator": 1}),
        ("ner/wnut17/wnut17train.conll", 3394, {"blank-separator": 2394}),
        ("ner/wnut17/emerging.dev.conll", 1009, {}),
        ("ner/wnut17/emerging.test.annotated", 1287, {}),
        ("ner/crossner/ai/dev.txt", 350, {}),
    ],
)
def test_tabbed_ner_files_lose_no_row(name, num_sentences, warnings):
    log = ReadLog()
    sentences = list(Conll2003(str(DATA / name)).sentences(log))
    rows = [line.split("\t") for line in raw_lines(name) if line.strip(" \t")]
    assert len(sentences) == num_sentences
    assert [word for s in sentences for word in s.words] == [row[0] for row in rows]
    assert [tag for s in sentences for tag in s.labels["ner"]] == [row[1] for row in rows]  # BIO already: nothing changes
    assert {kind: warning.count for kind, warning in log.warnings.items()} == warnings
    assert any(s.flags & SentenceFlag.SOURCE_WARNING for s in sentences) == bool(warnings)


def test_wikigold_has_its_documents_and_becomes_bio():
    sentences = read(Conll2003(str(DATA / "ner/wikigold/wikigold.conll.txt")))
    rows = [line.split(" ") for line in raw_lines("ner/wikigold/wikigold.conll.txt") if line and "-DOCSTART-" not in line]
    assert count(sentences) == (1696, len(rows))
    assert len({s.document for s in sentences}) == 145
    tags = [tag for s in sentences for tag in s.labels["ner"]]
    assert [tag.replace("B-", "I-") for tag in tags] == [tag for _, tag in rows]
    assert sum(tag.startswith("B-") for tag in tags) == 3558


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_uner_has_an_index_column_comments_and_ids(split):
    name = f"ner/uner_zh_gsdsimp/zh_gsdsimp-ud-{split}.iob2"
    sentences = read(Conll2003(str(DATA / name), labels={"ner": 2}))
    rows = [line.split("\t") for line in raw_lines(name) if "\t" in line]
    assert [(w, t) for s in sentences for w, t in zip(s.words, s.labels["ner"], strict=True)] == [(r[1], r[2]) for r in rows]
    ids = [line.removeprefix("# sent_id = ") for line in raw_lines(name) if line.startswith("# sent_id")]
    assert [s.id for s in sentences] == ids
    assert len({s.document for s in sentences}) == sum(line.startswith("# newdoc") for line in raw_lines(name))


@pytest.mark.parametrize(("name", "num_sentences", "num_words"), [("pos/ud_en_ewt/en_ewt-ud-dev", 2001, 25147)])
def test_english_web_treebank_gives_back_its_own_text(name, num_sentences, num_words):
    name += ".conllu"
    sentences = read(Conllu(str(DATA / name), labels=("upos", "xpos")))
    assert count(sentences) == (num_sentences, num_words)
    rows = [line.split("\t") for line in raw_lines(name) if line.split("\t")[0].isdigit()]
    assert [word for s in sentences for word in s.words] == [row[1] for row in rows]
    assert [label for s in sentences for label in s.labels["xpos"]] == [row[4] for row in rows]
    texts = [line.removeprefix("# text = ") for line in raw_lines(name) if line.startswith("# text = ")]
    assert [s.text for s in sentences] == texts
    surface = read(Conllu(str(DATA / name), words="surface"))
    assert [s.text for s in surface] == texts


def test_chinese_treebank_gives_back_its_own_text():
    name = "pos/ud_zh_gsdsimp/zh_gsdsimp-ud-test.conllu"
    texts = [line.removeprefix("# text = ") for line in raw_lines(name) if line.startswith("# text = ")]
    assert [s.text for s in read(Conllu(str(DATA / name)))] == texts


def test_sms_spam_is_a_tsv_without_header():
    rows = [line.split("\t") for line in raw_lines("cls/sms_spam/SMSSpamCollection")]
    sentences = read(Tsv(str(DATA / "cls/sms_spam/SMSSpamCollection"), header=False, text=1, labels={"label": 0}))
    assert len(sentences) == 5574
    assert [[s.labels["label"], s.text] for s in sentences] == rows


@pytest.mark.parametrize(("split", "num_rows"), [("train", 10003), ("test", 3080)])
def test_banking77_is_a_csv_with_line_ends_in_its_fields(split, num_rows):
    path = DATA / f"cls/banking77/{split}.csv"
    sentences = read(Csv(str(path), labels=("category",)))
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    assert [(s.text, s.labels["category"]) for s in sentences] == rows
    assert len(rows) == num_rows
    assert len({category for _, category in rows}) == 77


def test_moby_dick_keeps_every_line():
    sentences = read(Lines(str(DATA / "text/gutenberg/2701-moby-dick.txt")))
    assert [s.text for s in sentences] == raw_lines("text/gutenberg/2701-moby-dick.txt")


def test_wikitext_keeps_every_word():
    sentences = read(Words(str(DATA / "text/wikitext-2/test.txt")))
    assert [list(s.words) for s in sentences] == [line.split() for line in raw_lines("text/wikitext-2/test.txt")]
