"""What fine-tuning learns, from what, and what it says where it cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fine_tuning_samples import LONGER, NO_SUBWORDS, QUICK, sentence, sentences, trained, without_dropout

from embedpipe.dataflow import Sentence
from embedpipe.downstream.fine_tune import FineTune, fine_tune
from embedpipe.errors import EncoderError, FeaturesError
from embedpipe.subwords import DocumentContext, SentenceContext

TinyModel = Callable[[str], Path]


@pytest.fixture
def learner(tiny_model: TinyModel, tmp_path: Path) -> TinyModel:
    """Tiny models without dropout."""
    return lambda name: without_dropout(tiny_model(name), tmp_path / name)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small are not worth a second one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "deberta-v2", "modernbert"])
def test_learns_the_tags_of_words_whatever_the_architecture(learner: TinyModel, architecture: str) -> None:
    model = trained(learner(architecture), sentences(128), sentences(20, seed=1), LONGER)
    assert model.epochs[-1].best_score > 0.95
    assert model.predict([sentence(["the", "fox", "over", "Berlin"])]) == [["O", "B-ANIMAL", "O", "B-PLACE"]]


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])  # with and without a classification subword
def test_learns_labels_of_sentences(learner: TinyModel, architecture: str) -> None:
    train, dev = sentences(256, longest=3), sentences(40, seed=1, longest=3)
    model = trained(learner(architecture), train, dev, LONGER, label="kind", unit="sentence")
    assert model.epochs[-1].best_score > 0.95
    found = model.predict([sentence(["the", "fox"]), sentence(["river", "bank"])])
    assert found == ["animal", "none"]


def test_every_word_of_a_sentence_over_the_window_is_tagged(learner: TinyModel) -> None:
    long = sentences(6, seed=5, longest=400)
    assert min(len(one.words) for one in long) > 12
    model = trained(learner("bert"), sentences(128), long, LONGER, context=SentenceContext(window=12))
    assert model.epochs[-1].best_score > 0.95
    assert [len(tags) for tags in model.predict(long)] == [len(one.words) for one in long]


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_a_sentence_over_the_window_gets_one_label(tiny_model: TinyModel, architecture: str) -> None:
    short, long = sentences(16), sentences(3, seed=5, longest=400)
    model = trained(tiny_model(architecture), [*short, *long], settings=QUICK, label="kind", unit="sentence")
    assert len(model.predict(long)) == 3


def test_words_without_subwords_are_outside_or_of_the_most_frequent_tag(tiny_model: TinyModel) -> None:
    with_nothing = [sentence([NO_SUBWORDS, "fox"]), sentence([NO_SUBWORDS]), sentence([])]
    model = trained(tiny_model("bert"), [*sentences(32), *with_nothing])
    tags = model.predict(with_nothing)
    assert (tags[0][0], tags[1], tags[2]) == ("O", ["O"], [])
    nouns = [sentence(one.words, one.id, pos=tuple("NV"[word == "over"] for word in one.words)) for one in sentences(16)]
    model = trained(tiny_model("bert"), nouns, label="pos")
    assert model.predict([sentence([NO_SUBWORDS])]) == [["N"]]


def test_a_sentence_of_which_the_encoder_sees_nothing_gets_the_most_frequent_label(tiny_model: TinyModel) -> None:
    train = [sentence(["fox"], "a"), sentence(["fox"], "b"), sentence(["bank"], "c")]
    model = trained(tiny_model("gpt2"), train, label="kind", unit="sentence")
    assert model.predict([Sentence.from_words("e", "d", [])]) == ["animal"]


def test_labels_that_are_not_among_the_tags_are_not_learned(learner: TinyModel) -> None:
    partly = [
        sentence(
            one.words, one.id, tag=tuple("?" if (number + at) % 3 == 0 else tag for at, tag in enumerate(one.labels["tag"]))
        )
        for number, one in enumerate(sentences(192))
    ]
    unlabelled = [sentence(["the", "fox"], "u", tag=None)]
    tags = ("O", "B-ANIMAL", "B-PLACE")
    model = trained(learner("bert"), partly + unlabelled, sentences(20, seed=1), LONGER, tags=tags)
    assert model.tags == tags
    assert model.epochs[-1].best_score > 0.95


def test_a_context_of_documents_is_seen(learner: TinyModel) -> None:
    """The tag of the only word is decided by the sentence before, in the same document."""
    train = [
        sentence(words, f"{number}-{part}", answer=answer)
        for number in range(60)
        for part, (words, answer) in enumerate(
            [(["fox"] if number % 2 else ["river"], None), (["Berlin"], ("NY"[number % 2],))]
        )
    ]
    train = [replace(one, document=one.id.split("-")[0]) for one in train]
    folder, settings = learner("bert"), LONGER
    seen = trained(folder, train, settings=settings, label="answer", context=DocumentContext(window=32))
    unseen = trained(folder, train, settings=replace(settings, epochs=1), label="answer", context=SentenceContext())
    assert seen.epochs[-1].best_score > 0.95
    assert unseen.epochs[-1].best_score == 0.5


def test_prediction_does_not_depend_on_the_company(tiny_model: TinyModel) -> None:
    model = trained(tiny_model("roberta"), sentences(32))
    asked = sentences(12, seed=3, longest=60)
    assert model.predict(asked) == [model.predict([one])[0] for one in asked]


def test_words_that_the_tokenizer_finds_are_tagged(tiny_model: TinyModel) -> None:
    model = trained(tiny_model("bert"), sentences(32))
    assert len(model.predict([Sentence.from_text("t", "d", "The fox, over Berlin.")])[0]) == 6


@pytest.mark.parametrize(
    ("train", "asked", "message"),
    [
        ([], {}, "there are no training sentences"),
        ([sentence(["fox"])], {"label": "ner"}, r"none of the 1 training sentences has a label 'ner'. They have: kind, tag"),
        ([sentence(["fox"])], {}, "every labelled row of the training sentences is 'B-ANIMAL'"),
        (
            [sentence(["fox", "the"])],
            {"tags": ("X", "Y")},
            r"no label of .* \('B-ANIMAL', 'O'\) is one of the tags \['X', 'Y'\]",
        ),
        ([sentence(["fox"])], {"label": "kind"}, "the label 'kind' of sentence 's' is one a sentence; expected one a word"),
        ([sentence(["fox", "the"], tag=("O",))], {}, "sentence 's' has 2 words and 1 values of the label 'tag'"),
    ],
)
def test_nothing_to_learn_from_is_said(tiny_model: TinyModel, train: list[Sentence], asked: dict, message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        trained(tiny_model("bert"), train, **asked)


def test_development_sentences_without_labels_are_refused(tiny_model: TinyModel) -> None:
    with pytest.raises(FeaturesError, match=r"none of the 1 development sentences has a label 'tag'. They have: none"):
        trained(tiny_model("bert"), sentences(4), [Sentence.from_words("u", "d", ["fox"])])


def test_an_encoder_that_cannot_be_trained_is_refused() -> None:
    with pytest.raises(FeaturesError, match="type object cannot be fine-tuned; expected the type 'transformer'"):
        fine_tune(FineTune(), object(), [], [], label="tag", unit="word", seed=0)  # type: ignore[arg-type]


def test_a_window_longer_than_the_encoder_takes_is_refused(tiny_model: TinyModel) -> None:
    with pytest.raises(EncoderError, match=r"context\.window: 500 subwords, but the encoder takes at most 96"):
        trained(tiny_model("bert"), sentences(4), context=SentenceContext(window=500))


def test_settings_are_there_without_torch() -> None:
    script = "import sys, embedpipe.downstream.fine_tune as f; f.FineTune(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
