from __future__ import annotations

import itertools

import numpy as np
import pytest
from downstream_sentences import sentences as sample_sentences
from made_stores import BIO, make_store, random_tags, separable

import embedpipe
from embedpipe.dataflow import Sentence
from embedpipe.downstream import NerTagger
from embedpipe.downstream.heads import BiLstmCrfHead, BiLstmHead, LinearHead, MlpHead, Training
from embedpipe.downstream.heads.logistic_regression import LogisticRegressionHead
from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.downstream.metrics import score_tags
from embedpipe.errors import EncoderError, FeaturesError, ModelError
from embedpipe.layers import Concat
from embedpipe.store import StoreWriter

QUICK = Training(epochs=8, device="cpu", learning_rate=0.02, batch_sentences=8)
HEADS = {
    "linear": LinearHead(QUICK),
    "mlp": MlpHead(12, training=QUICK),
    "bilstm": BiLstmHead(7, training=QUICK),
    "bilstm_crf": BiLstmCrfHead(7, training=QUICK),
    "logistic_regression": LogisticRegressionHead(),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Train, dev and test stores of words with BIO tags."""
    generator, folder = np.random.default_rng(0), tmp_path_factory.mktemp("made")
    stores = {}
    for name, num_sentences in (("train", 120), ("dev", 30), ("test", 30)):
        tags = random_tags(generator, num_sentences)
        stores[name] = make_store(folder / f"{name}.h5", tags, separable(generator, tags, 10, noise=0.5))
    return stores


@pytest.mark.parametrize("name", HEADS)
def test_a_tagger_tags_sentence_by_sentence_and_says_how_good_it_is(made, name):
    head = HEADS[name]
    tagger = NerTagger(head, seed=1).fit(made["train"].path, made["dev"])
    predicted = tagger.predict(made["test"])
    gold = [sentence.labels["ner"] for sentence in made["test"]]
    assert [len(tags) for tags in predicted] == [len(tags) for tags in gold]
    scores = tagger.evaluate(made["test"].path)
    assert scores == score_tags(gold, predicted, BIO)
    assert scores["f1"] > 0.5
    assert tagger.tags == ("O", "B-LOC", "B-PER", "I-LOC", "I-PER")
    assert tagger.mix is None
    assert bool(tagger.epochs) == (name != "logistic_regression")


def test_a_name_of_a_head_means_its_defaults():
    assert NerTagger().head == BiLstmCrfHead()
    assert NerTagger("linear", device="cpu").head == LinearHead(Training(device="cpu"))
    with pytest.raises(FeaturesError, match="'lstm' is not the name of a head"):
        NerTagger("lstm")


def test_without_development_sentences_whole_documents_are_held_out(made, monkeypatch):
    seen = {}

    def fit(self, train, dev, *, fit=LinearHead.fit, **settings):
        seen["train"], seen["dev"] = train, dev
        return fit(self, train, dev, **settings)

    monkeypatch.setattr(LinearHead, "fit", fit)
    NerTagger(HEADS["linear"]).fit(made["train"])
    documents = {name: {made["train"][int(index)].document for index in seen[name].sentences} for name in seen}
    assert not documents["train"] & documents["dev"]
    together = sorted([*seen["train"].sentences, *seen["dev"].sentences])
    assert together == [index for index, sentence in enumerate(made["train"]) if len(sentence.words)]
    assert 0.05 < len(seen["dev"].sentences) / len(together) < 0.2
    first = seen["dev"].sentences.tolist()
    NerTagger(HEADS["linear"]).fit(made["train"])
    assert seen["dev"].sentences.tolist() == first
    NerTagger(HEADS["linear"], seed=5).fit(made["train"])
    assert seen["dev"].sentences.tolist() != first


@pytest.mark.parametrize("sentences_a_document", [20, 11])
def test_with_few_documents_sentences_are_held_out(tmp_path, sentences_a_document):
    generator = np.random.default_rng(0)
    tags = [["O", "B-LOC"] for _ in range(20)]
    with make_store(tmp_path / "s.h5", tags, separable(generator, tags, 5), sentences_a_document=sentences_a_document) as store:
        assert NerTagger(HEADS["linear"]).fit(store).epochs[-1].best_score > 0


def test_one_sentence_is_too_few_to_hold_one_out(tmp_path):
    with make_store(tmp_path / "s.h5", [["O", "B-LOC"], None], np.ones((5, 3), np.float32)) as store:
        with pytest.raises(FeaturesError, match="1 sentences with a label; at least two"):
            NerTagger(HEADS["linear"]).fit(store)


def test_any_word_label_can_be_learned(tmp_path):
    generator = np.random.default_rng(0)
    tags = [[str(generator.choice(["NOUN", "VERB", "X"])) for _ in range(5)] for _ in range(60)]
    with make_store(tmp_path / "pos.h5", tags, separable(generator, tags, 8), label="upos") as store:
        tagger = NerTagger(BiLstmCrfHead(7, training=QUICK), label="upos").fit(store)
        scores = tagger.evaluate(store)
    assert scores.keys() == {"accuracy", "macro_f1"}
    assert scores["accuracy"] > 0.8


def test_labels_of_sentences_give_one_tag_a_sentence(store):
    tagger = NerTagger(LinearHead(Training(epochs=40, device="cpu", learning_rate=0.1)), "mean", label="topic").fit(store)
    predicted = tagger.predict(store)
    assert {len(tags) for tags in predicted} == {1}
    assert tagger.evaluate(store)["accuracy"] > 0.8
    assert [len(tags) for tags in tagger.predict_texts(["The fox", [], "a bank"])] == [1, 1, 1]


def test_tags_that_training_has_not_seen_count_as_wrong_in_the_test(tmp_path, made):
    tags = [["B-MISC", "I-MISC"], ["B-LOC", "O"]]
    rows = separable(np.random.default_rng(0), random_tags(np.random.default_rng(0), 9), 10)[:4]
    with make_store(tmp_path / "s.h5", tags, rows) as store:
        tagger = NerTagger(HEADS["linear"]).fit(made["train"], store)  # they do no harm in dev either
        assert tagger.evaluate(store) == score_tags(tags, tagger.predict(store))


def test_rows_without_a_label_are_left_out_of_the_scores(tmp_path, made):
    tags = [["B-LOC", "O"], None, ["O"]]
    with make_store(tmp_path / "s.h5", tags, np.asarray(made["test"].matrix("vectors"))[:6]) as store:
        tagger = NerTagger(HEADS["linear"]).fit(made["train"], made["dev"])
        predicted = tagger.predict(store)
        assert [len(sentence) for sentence in predicted] == [2, 3, 1]
        gold = [["B-LOC", "O"], [None] * 3, ["O"]]
        assert tagger.evaluate(store) == score_tags(gold, [predicted[0], [None] * 3, predicted[2]], BIO)
    with make_store(tmp_path / "none.h5", [["O"]], np.ones((1, 10), np.float32), label="other") as store:
        assert len(tagger.predict(store)) == 1  # it need not have the label
        with pytest.raises(FeaturesError, match="no label 'ner'"):
            tagger.evaluate(store)


@pytest.mark.parametrize(
    ("view", "layers"),
    [
        ("last", None),
        ("all_layers", "sum_last_four"),
        ("ends", Concat((-1, 0))),
        ("all_layers", "learned_mix"),
        ("ends", LearnedMix()),
    ],
)
@pytest.mark.parametrize("name", ["linear", "bilstm_crf"])
def test_new_text_gets_the_tags_of_a_store_of_that_text(store, view, layers, name):
    tagger = NerTagger(HEADS[name], view, layers).fit(store)
    stored = tagger.predict(store)
    assert tagger.predict_texts([sentence.words for sentence in store]) == stored
    assert {tag for tags in stored for tag in tags} == {"O", "B-LOC"}
    assert (tagger.mix is not None) == (layers == "learned_mix" or isinstance(layers, LearnedMix))


def test_raw_text_is_split_as_the_tokenizer_does(store):
    tagger = NerTagger(HEADS["linear"], "last").fit(store)
    assert [len(tags) for tags in tagger.predict_texts(["Berlin is a fox.", "", "don't"])] == [5, 0, 3]
    assert tagger.predict_texts([]) == []
    with pytest.raises(FeaturesError, match="one string"):
        tagger.predict_texts("Berlin")


def test_a_stream_is_tagged_piece_by_piece(store, monkeypatch):
    monkeypatch.setattr("embedpipe.downstream.ner.tagger._BLOCK_BYTES", 2000)
    tagger = NerTagger(HEADS["linear"], "last").fit(store)
    num_taken = 0

    def endless():
        nonlocal num_taken
        for number in itertools.count():
            num_taken += 1
            yield Sentence.from_words(str(number), str(number), ["The", "fox", "near", "Berlin"])

    first = list(itertools.islice(tagger.predict_sentences(endless()), 3))
    assert [sentence.id for sentence, _ in first] == ["0", "1", "2"]
    assert [sentence.words for sentence, _ in first] == [("The", "fox", "near", "Berlin")] * 3
    assert {len(tags) for _, tags in first} == {4}
    assert num_taken < 2000  # the tokenizer takes some hundreds at a time


def test_a_stream_has_the_context_of_its_documents(config, write_store, tmp_path):
    config["context"] = {"type": "document"}
    with embedpipe.open_store(write_store(tmp_path / "context.h5", config)) as store:
        tagger = NerTagger(HEADS["mlp"], "last").fit(store)
        streamed = list(tagger.predict_sentences(sample_sentences()))
        assert [tags for _, tags in streamed] == tagger.predict(store)
        assert [sentence.id for sentence, _ in streamed] == list(store.ids)


def test_a_store_of_another_kind_is_refused(store, made, config, write_store, tmp_path):
    tagger = NerTagger(HEADS["linear"], "last").fit(store)
    config["views"]["last"] = {"layers": "second_to_last"}
    with embedpipe.open_store(write_store(tmp_path / "other.h5", config)) as other:
        for asked in (tagger.predict, tagger.evaluate, lambda other: NerTagger(HEADS["linear"], "last").fit(store, other)):
            with pytest.raises(FeaturesError, match="another kind of features"):
                asked(other)
    with pytest.raises(FeaturesError, match="no view 'last'"):
        tagger.predict(made["test"])


def test_an_encoder_with_other_files_is_refused(config, write_store, tiny_model, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_model("bert"), folder)
    config["encoder"]["model"] = str(folder)
    with embedpipe.open_store(write_store(tmp_path / "own.h5", config)) as store:
        tagger = NerTagger(HEADS["linear"], "last").fit(store)
    (folder / "vocab.txt").write_text("changed")
    with pytest.raises(FeaturesError, match=r"added: vocab\.txt|changed: vocab\.txt"):
        tagger.predict_texts(["Berlin"])
    shutil.rmtree(folder)
    with pytest.raises(EncoderError):
        tagger.predict_texts(["Berlin"])


def test_without_a_config_there_is_no_new_text(made):
    tagger = NerTagger(HEADS["linear"]).fit(made["train"])
    with pytest.raises(ModelError, match="does not say with which config"):
        tagger.predict_texts(["Berlin"])


def test_a_head_that_cannot_learn_a_mix_is_refused_before_training(store):
    with pytest.raises(FeaturesError, match="LogisticRegressionHead cannot learn a mix"):
        NerTagger(LogisticRegressionHead(), "all_layers", "learned_mix").fit(store)


def test_a_tagger_that_was_not_trained_says_so(made, tmp_path):
    tagger = NerTagger("linear")
    for asked in (
        lambda: tagger.predict(made["test"]),
        lambda: tagger.predict_texts(["a"]),
        lambda: tagger.save(tmp_path / "model"),
        lambda: tagger.epochs,
    ):
        with pytest.raises(ModelError, match=r"not been trained: call fit\(train, dev\) first"):
            asked()


def test_an_empty_store_gets_no_tags(tmp_path, made):
    tagger = NerTagger(HEADS["linear"]).fit(made["train"])
    info = made["train"].views
    with StoreWriter(tmp_path / "empty.h5", dict(info)) as writer:
        writer.finish({"encoder": {"num_layers": 1}})
    with embedpipe.open_store(tmp_path / "empty.h5") as store:
        assert tagger.predict(store) == []


def test_a_tagger_keeps_which_stores_it_was_trained_on(made):
    tagger = NerTagger(HEADS["linear"]).fit(made["train"], made["dev"])
    assert tagger.trained.stores == {"train": "train", "dev": "dev"}
