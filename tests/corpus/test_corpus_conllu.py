"""CoNLL-U: spacing, multiword tokens, documents, labels."""

import pytest
from corpus_contract import fault, read, write

from embedpipe.corpus import Conllu
from embedpipe.dataflow import ReadLog, SentenceFlag


def row(id, form, upos="_", feats="_", misc="_"):
    return "\t".join([str(id), form, "_", upos, "_", feats, "_", "_", "_", misc])


def block(*rows):
    return "\n".join(rows) + "\n\n"


@pytest.fixture
def conllu(tmp_path):
    return lambda *blocks, **fields: Conllu(write(tmp_path / "a.conllu", "".join(blocks)), **fields)


DONT = block(
    row(1, "I", "PRON"), row("2-3", "don't", misc="SpaceAfter=No"), row(2, "do", "AUX"), row(3, "n't", "PART"), row(4, "!")
)
DU = block(
    row("1-2", "du"),
    row(1, "de", "ADP", misc="SpaceAfter=No"),
    row(2, "le", "DET"),
    row(3, "lac", "NOUN", misc="X=1|SpaceAfter=No"),
)


def test_the_original_spacing_comes_back(conllu):
    (sentence,) = read(conllu(DONT))
    assert sentence.text == "I don't!"
    assert sentence.words == ("I", "do", "n't", "!")
    assert sentence.labels == {"upos": ("PRON", "AUX", "PART", "_")}
    assert sentence.space_after


def test_syntactic_words_that_do_not_make_up_the_surface_form_stand_apart(conllu):
    (sentence,) = read(conllu(DU))
    assert (sentence.words, sentence.text) == (("de", "le", "lac"), "de le lac")
    assert not sentence.space_after


def test_surface_words_join_the_labels_of_their_syntactic_words(conllu):
    (sentence,) = read(conllu(DU, words="surface"))
    assert (sentence.words, sentence.text) == (("du", "lac"), "du lac")
    assert sentence.labels == {"upos": ("ADP+DET", "NOUN")}


def test_empty_nodes_are_skipped(conllu):
    (sentence,) = read(
        conllu(
            block(row("0.1", "x"), row(1, "a"), row("1.1", "y"), row("2-3", "bc"), row(2, "b"), row("2.1", "z"), row(3, "c"))
        )
    )
    assert (sentence.words, sentence.text) == (("a", "b", "c"), "a bc")


def test_a_word_may_hold_spaces(conllu):
    assert read(conllu(block(row(1, "3 000"), row(2, "kr"))))[0].words == ("3 000", "kr")


def test_single_features_and_misc_entries_are_labels(conllu):
    content = block(row(1, "a", feats="Case=Nom|Number[psor]=Sing", misc="NER=B-X=Y|SpaceAfter=No"), row(2, "b"))
    (sentence,) = read(conllu(content, labels=("feats.Case", "feats.Number[psor]", "misc.NER", "feats", "upos")))
    assert sentence.labels == {
        "feats.Case": ("Nom", "_"),
        "feats.Number[psor]": ("Sing", "_"),
        "misc.NER": ("B-X=Y", "_"),
        "feats": ("Case=Nom|Number[psor]=Sing", "_"),
        "upos": ("_", "_"),
    }


def test_space_after_must_be_an_entry_of_its_own(conllu):
    assert read(conllu(block(row(1, "a", misc="Note=SpaceAfter=No"), row(2, "b"))))[0].text == "a b"


def test_comments_name_documents_and_sentences(conllu):
    a = block(row(1, "a"))
    corpus = conllu(
        a, "# newdoc id = d\n# sent_id = s1\n", a, "# sent_id = s2\n", a, "# newdoc\n", a, a, "# newdoc id = d\n", a
    )
    log = ReadLog()
    sentences = list(corpus.sentences(log))
    assert [(s.document, s.id) for s in sentences] == [
        ("doc-1", "doc-1/1"),
        ("d", "s1"),
        ("d", "s2"),
        ("doc-2", "doc-2/1"),
        ("doc-2", "doc-2/2"),
        ("d", "d/3"),
    ]
    assert log.warnings["document-again"].count == 1
    assert [bool(s.flags & SentenceFlag.SOURCE_WARNING) for s in sentences] == [False] * 5 + [True]


def test_sentence_labels_come_from_the_sentence_or_its_document(conllu):
    a = block(row(1, "a"))
    corpus = conllu(
        "# newdoc id = d\n# topic = sport\n", a, a, "# topic = news\n", a, a, "# newdoc id = e\n", a, sentence_labels=("topic",)
    )
    log = ReadLog()
    assert [s.labels["topic"] for s in corpus.sentences(log)] == ["sport", "sport", "news", "sport", "_"]
    assert log.warnings["no-topic"].places == [f"{corpus.path}:13"]


def test_a_comment_alone_is_no_sentence(conllu):
    a = block(row(1, "a"))
    assert [s.id for s in read(conllu("# newdoc id = d\n# sent_id = lost\n\n", a))] == ["d/1"]


def test_a_separator_of_white_space_is_recorded(conllu):
    log = ReadLog()
    corpus = conllu(row(1, "a") + "\n\t\n" + row(1, "b") + "\n")
    assert [(s.text, bool(s.flags)) for s in corpus.sentences(log)] == [("a", True), ("b", False)]
    assert log.warnings["blank-separator"].places == [f"{corpus.path}:2"]


def test_an_id_given_twice_names_both_lines(conllu):
    corpus = conllu("# sent_id = s\n", block(row(1, "a")), "# sent_id = s\n", block(row(1, "b")))
    assert fault(corpus) == f"{corpus.path}:5: the id 's' is used twice, first at {corpus.path}:2; ids must be unique"


def test_an_unknown_label_names_the_nearest_column():
    with pytest.raises(
        ValueError, match=r"^labels: 'upo' is not a column of CoNLL-U. Did you mean 'upos'\? Known: lemma, upos"
    ):
        Conllu("a.conllu", labels=("upo",))


@pytest.mark.parametrize("name", ["feats.", "upos.x", "form", "id", "", "."])
def test_what_is_no_label_is_refused(name):
    with pytest.raises(ValueError, match=r"^labels: "):
        Conllu("a.conllu", labels=(name,))


def test_a_name_cannot_label_both_words_and_sentences():
    with pytest.raises(ValueError, match=r"^sentence_labels: 'upos'"):
        Conllu("a.conllu", sentence_labels=("upos",))
