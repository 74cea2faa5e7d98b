"""The sample corpus, read here with plain Python only, so that no reader of the package can hide a fault in the files."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter, defaultdict
from importlib.resources import files
from typing import NamedTuple

import pytest

SAMPLE = files("embedpipe") / "sample"
NAMES = ("sample.conllu", "sample.conll", "sample.jsonl", "sample.csv", "sample.txt", "README.md")
TOPICS = {"sport", "money", "nature", "travel", "music"}
UPOS = {"ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ"}
UPOS |= {"SYM", "VERB", "X"}
ENTITY_TYPES = {"PER", "LOC", "ORG", "MISC"}
FORMS = {
    "stick": "stick|sticks|stuck",
    "bank": "bank|banks|banked|banking",
    "spring": "spring|springs|sprang",
    "match": "match|matches|matched",
    "note": "note|notes|noted",
    "pitch": "pitch|pitched",
    "bass": "bass",
}


class Word(NamedTuple):
    form: str
    upos: str
    misc: dict[str, str]

    @property
    def ner(self) -> str:
        return self.misc.get("NER", "O")


class Sentence(NamedTuple):
    id: str
    document: str
    topic: str
    text: str
    words: list[Word]
    surface: list[tuple[str, bool]]
    """What the text is made of: a word, or the multiword token that stands for several; and whether a space follows."""


def read(name: str) -> str:
    return (SAMPLE / name).read_bytes().decode("utf-8")


def misc_of(column: str) -> dict[str, str]:
    return {} if column == "_" else dict(part.split("=", 1) for part in column.split("|"))


def conllu_sentence(block: str, document: str, topic: str) -> Sentence:
    comments = dict(line[2:].split(" = ", 1) for line in block.split("\n") if line.startswith("#"))
    document, topic = comments.get("newdoc id", document), comments.get("topic", topic)
    words: list[Word] = []
    surface: list[tuple[str, bool]] = []
    covered = 0
    for line in block.split("\n"):
        if line.startswith("#"):
            continue
        number, form, _, upos, *_, last = columns = line.split("\t")
        assert len(columns) == 10, line
        misc = misc_of(last)
        if "-" in number:
            first, covered = map(int, number.split("-"))
            assert first == len(words) + 1 < covered, line
        else:
            words.append(Word(form, upos, misc))
            assert int(number) == len(words), line
        if "-" in number or len(words) > covered:
            surface.append((form, misc.get("SpaceAfter") != "No"))
    return Sentence(comments["sent_id"], document, topic, comments["text"], words, surface)


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    found: list[Sentence] = []
    document = topic = ""
    for block in read("sample.conllu").removesuffix("\n\n").split("\n\n"):
        found.append(conllu_sentence(block, document, topic))
        document, topic = found[-1].document, found[-1].topic
    return found


def entities(sentence: Sentence) -> list[tuple[str, str]]:
    """The (type, words) of each entity; fails where the BIO tags do not follow one another rightly."""
    found: list[tuple[str, list[str]]] = []
    before = "O"
    for word in sentence.words:
        if word.ner != "O":
            prefix, type = word.ner.split("-")
            assert type in ENTITY_TYPES, (sentence.id, word)
            assert prefix == "B" or (prefix == "I" and before in {f"B-{type}", f"I-{type}"}), (sentence.id, word)
            if prefix == "B":
                found.append((type, []))
            found[-1][1].append(word.form)
        before = word.ner
    return [(type, " ".join(words)) for type, words in found]


def senses_by_lemma(sentences: list[Sentence]) -> dict[str, list[tuple[str, str, str]]]:
    """By lemma, the (sense, form, topic) of each marked word."""
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for sentence in sentences:
        for word in sentence.words:
            if "Sense" in word.misc:
                lemma, sense = word.misc["Sense"].split(".")
                found[lemma].append((sense, word.form.lower(), sentence.topic))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_file_is_utf8_with_lf_line_ends_and_no_byte_order_mark(name):
    data = (SAMPLE / name).read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert unicodedata.is_normalized("NFC", data.decode("utf-8"))


def test_conll_has_the_words_tags_and_documents_of_the_conllu(sentences):
    blocks = read("sample.conll").removesuffix("\n\n").split("\n\n")
    expected: list[str] = []
    document = ""
    for sentence in sentences:
        if sentence.document != document:
            expected.append("-DOCSTART- -X- -X- O")
            document = sentence.document
        expected.append("\n".join(f"{word.form} {word.upos} O {word.ner}" for word in sentence.words))
    assert blocks == expected


def test_csv_has_the_texts_and_topics_of_the_conllu(sentences):
    rows = list(csv.reader(io.StringIO(read("sample.csv"), newline=""), strict=True))
    assert rows[0] == ["id", "document", "topic", "text"]
    assert rows[1:] == [[s.id, s.document, s.topic, s.text] for s in sentences]


def test_txt_has_the_texts_of_the_conllu_with_a_blank_line_between_documents(sentences):
    documents: dict[str, list[str]] = defaultdict(list)
    for sentence in sentences:
        documents[sentence.document].append(sentence.text)
    assert read("sample.txt") == "\n\n".join("\n".join(texts) for texts in documents.values()) + "\n"


def test_text_is_its_words_and_their_space_after(sentences):
    for sentence in sentences:
        text = "".join(form + " " * space for form, space in sentence.surface)
        assert text.removesuffix(" ") == sentence.text
        assert sentence.text == " ".join(sentence.text.split())


def test_words_of_a_multiword_token_spell_its_form(sentences):
    multiword = [s for s in sentences if len(s.surface) < len(s.words)]
    assert len(multiword) >= 2
    for sentence in multiword:
        assert "".join(word.form for word in sentence.words) == "".join(form for form, _ in sentence.surface)


def test_ids_count_documents_by_topic_and_sentences_by_document(sentences):
    documents = list(dict.fromkeys((s.document, s.topic) for s in sentences))
    seen: Counter[str] = Counter()
    for document, topic in documents:
        seen[topic] += 1
        assert document == f"{topic}-{seen[topic]:02d}"
        ids = [s.id for s in sentences if s.document == document]
        assert ids == [f"{document}/{number}" for number in range(1, len(ids) + 1)]


def test_corpus_is_as_large_as_promised(sentences):
    topics = Counter(topic for _, topic in {(s.document, s.topic) for s in sentences})
    assert set(topics) == TOPICS
    assert min(topics.values()) >= 12
    assert sum(topics.values()) >= 60
    assert len(sentences) >= 300
    assert sum(word.ner != "O" for s in sentences for word in s.words) >= 450
    types = Counter(type for s in sentences for type, _ in entities(s))
    assert set(types) == ENTITY_TYPES
    assert min(types.values()) >= 60


def test_tags_are_universal_pos_and_punctuation_is_tagged_as_such(sentences):
    for word in (word for s in sentences for word in s.words):
        assert word.upos in UPOS
        assert (word.upos == "PUNCT") == (re.fullmatch(r'[.,;:!?"—]', word.form) is not None), word


def test_misc_fields_are_known_and_in_alphabetical_order(sentences):
    for word in (word for s in sentences for word in s.words):
        assert set(word.misc) <= {"NER", "Sense", "SpaceAfter"}
        assert list(word.misc) == sorted(word.misc)
        assert word.misc.get("NER") != "O"
        assert word.misc.get("SpaceAfter", "No") == "No"


def test_a_name_has_one_type_wherever_it_occurs(sentences):
    types: dict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        for type, name in entities(sentence):
            types[name].add(type)
    assert {name: found for name, found in types.items() if len(found) > 1} == {}


def test_a_proper_noun_outside_entities_is_a_date_or_a_form_of_address(sentences):
    days = {f"{day}day" for day in ("Mon", "Tues", "Thurs", "Fri", "Satur", "Sun")}
    months = {"February", "March", "April", "May", "June"}
    address = {"Dr.", "Mr", "Mrs", "Captain", "Coach", "Governor", "Grandpa", "Mum"}
    outside = {word.form for s in sentences for word in s.words if word.upos == "PROPN" and word.ner == "O"}
    assert outside == days | months | address


@pytest.mark.parametrize("lemma", ["stick", "bank", "spring"])
def test_sense_does_not_follow_from_topic(sentences, lemma):
    found = senses_by_lemma(sentences)[lemma]
    assert len(found) >= 12
    topics: dict[str, set[str]] = defaultdict(set)
    senses: dict[str, set[str]] = defaultdict(set)
    for sense, _, topic in found:
        topics[sense].add(topic)
        senses[topic].add(sense)
    assert sum(len(seen) >= 3 for seen in topics.values()) >= 3
    assert set(senses) == TOPICS
    assert min(map(len, senses.values())) >= 3


@pytest.mark.parametrize(("lemma", "forms"), FORMS.items())
def test_every_occurrence_of_an_ambiguous_word_has_a_sense_unless_it_is_in_a_name(sentences, lemma, forms):
    for word in (word for s in sentences for word in s.words):
        is_form = re.fullmatch(forms, word.form, re.IGNORECASE) is not None and word.ner == "O"
        assert is_form == word.misc.get("Sense", "").startswith(f"{lemma}."), word


def test_no_sense_is_so_rare_that_it_cannot_be_split(sentences):
    counts = Counter((lemma, sense) for lemma, found in senses_by_lemma(sentences).items() for sense, _, _ in found)
    assert {lemma for lemma, _ in counts} == set(FORMS)
    assert min(counts.values()) >= 2


def test_no_sentence_occurs_twice(sentences):
    assert [text for text, count in Counter(s.text.lower() for s in sentences).items() if count > 1] == []


def test_sentences_begin_and_end_as_sentences_do(sentences):
    for sentence in sentences:
        assert re.match(r'"?[A-ZÀ-Ž]', sentence.text), sentence.id
        assert re.search(r'[.?!:]"?$', sentence.text) or sentence.text.startswith("Yours sincerely,"), sentence.id


def test_readme_states_the_counted_sizes(sentences):
    readme = read("README.md")
    types = Counter(type for s in sentences for type, _ in entities(s))
    sizes = {
        "documents": len({s.document for s in sentences}),
        "sentences": len(sentences),
        "words": sum(len(s.words) for s in sentences),
        "words in entities": sum(word.ner != "O" for s in sentences for word in s.words),
        "multiword tokens": sum(len(s.words) > len(s.surface) for s in sentences),
        **types,
    }
    for what, count in sizes.items():
        assert f"| {what} | {count} |" in readme
    for lemma, found in senses_by_lemma(sentences).items():
        senses = Counter(sense for sense, _, _ in found).most_common()
        line = ", ".join(f"{sense} {count}" for sense, count in sorted(senses, key=lambda pair: (-pair[1], pair[0])))
        assert f"| {lemma} | {len(found)} | {line} |" in readme


def test_the_json_lines_hold_the_same_sentences_words_and_labels(sentences):
    objects = [json.loads(line) for line in read("sample.jsonl").splitlines()]
    assert [object.pop("text") for object in objects] == [sentence.text for sentence in sentences]
    assert objects == [
        {
            "id": sentence.id,
            "document": sentence.document,
            "topic": sentence.topic,
            "words": [word.form for word in sentence.words],
            "upos": [word.upos for word in sentence.words],
            "ner": [word.ner for word in sentence.words],
            "sense": [word.misc.get("Sense", "_") for word in sentence.words],
        }
        for sentence in sentences
    ]
