from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_stores import BIO, make_store, random_tags, separable

from embedpipe.downstream.examples import NO_CODE, Examples, read_examples
from embedpipe.downstream.heads import BiLstmCrfHead, BiLstmHead, LinearHead, MlpHead, Training
from embedpipe.downstream.heads.judge import rank
from embedpipe.downstream.heads.packed import Batches
from embedpipe.downstream.learned_mix import LearnedMix
from embedpipe.downstream.selection import select
from embedpipe.errors import EncoderError, FeaturesError
from embedpipe.layers import Sum

SIZE = 10
QUICK = Training(epochs=4, device="cpu", batch_sentences=16, learning_rate=0.02)
HEADS = {
    "linear": LinearHead(QUICK),
    "mlp": MlpHead(12, training=QUICK),
    "bilstm": BiLstmHead(7, training=QUICK),
    "bilstm_crf": BiLstmCrfHead(7, training=QUICK),
}


def examples_of(folder, tags, vectors, name="store", layers=None, **settings) -> Examples:
    store = make_store(folder / f"{name}.h5", tags, vectors, **settings)
    return read_examples(store, select(name, store.views, None, layers, vectors.shape[1]), settings.get("label", "ner"))


def split(examples, num_dev=20):
    everything = np.arange(len(examples.sentences))
    return examples.take(everything[num_dev:]), examples.take(everything[:num_dev])


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Train and dev: BIO of words, with noise enough that no epoch is perfect."""
    generator = np.random.default_rng(1)
    tags = random_tags(generator, 70)
    return split(examples_of(tmp_path_factory.mktemp("words"), tags, separable(generator, tags, SIZE, noise=1.5)))


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """The same with three layers, to be mixed."""
    generator = np.random.default_rng(2)
    tags = random_tags(generator, 60)
    rows = np.stack([separable(generator, tags, SIZE, noise=noise) for noise in (3, 1, 2)], 1)
    return split(examples_of(tmp_path_factory.mktemp("layers"), tags, rows, layers=LearnedMix()))


def weights(fitted):
    return {name: tensor.numpy().tobytes() for name, tensor in fitted.network.state_dict().items()}


def assert_same(fitted, other):
    assert weights(fitted) == weights(other)
    assert fitted.epochs == other.epochs
    assert fitted.mix == other.mix


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns_tags_that_can_be_told_apart(tmp_path, name):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 120)
    train, dev = split(examples_of(tmp_path, tags, separable(generator, tags, SIZE)))
    epochs = []
    head = replace(HEADS[name], training=replace(QUICK, epochs=12))
    fitted = head.fit(train, dev, seed=0, on_epoch=epochs.append)
    assert fitted.epochs == tuple(epochs)
    assert [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert max(epoch.score for epoch in epochs) == epochs[-1].best_score > 0.95
    assert epochs[-1].loss < epochs[0].loss
    assert (fitted.predict(dev) == dev.codes).mean() > 0.97
    assert rank(fitted.network, _batches(dev), 0.0)[0] == epochs[-1].best_score


def _batches(examples):
    from embedpipe.downstream.heads.packed import Batches

    return Batches(examples.labelled(), torch.device("cpu"))


@pytest.mark.parametrize("name", HEADS)
def test_the_same_seed_gives_the_same_model_bit_for_bit(words, name):
    assert_same(HEADS[name].fit(*words, seed=3), HEADS[name].fit(*words, seed=3))
    assert weights(HEADS[name].fit(*words, seed=3)) != weights(HEADS[name].fit(*words, seed=4))


def test_training_leaves_the_global_generators_as_they_were(words):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3).tolist(), np.random.random(3).tolist()
    torch.manual_seed(5)
    np.random.seed(5)
    HEADS["bilstm"].fit(*words, seed=0)
    assert (torch.rand(3).tolist(), np.random.random(3).tolist()) == expected


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("data", ["words", "layers"])
def test_vectors_in_memory_and_read_from_the_store_give_the_same_model(name, data, request):
    train, dev = request.getfixturevalue(data)
    one_layer = 4 * train.num_rows * SIZE
    budgets = [2**30, 0, one_layer * train.selection.shape[0] if data == "layers" else one_layer]
    first, *others = [
        replace(HEADS[name], training=replace(QUICK, memory_bytes=budget)).fit(train, dev, seed=0) for budget in budgets
    ]
    for other in others:
        assert_same(first, other)


@pytest.mark.parametrize("layers", [LearnedMix(), Sum((0, 1))])
def test_vectors_of_half_precision_are_kept_in_it(tmp_path, layers):
    generator = np.random.default_rng(2)
    tags = random_tags(generator, 60)
    rows = np.stack([separable(generator, tags, SIZE, noise=noise) for noise in (3, 1)], 1)
    train, dev = split(examples_of(tmp_path, tags, rows, layers=layers, dtype="float16"))
    num_values = train.num_rows * int(np.prod(train.selection.shape))
    kept = Batches(train, torch.device("cpu"), 2 * num_values)
    assert kept.kept_bytes == (2 * num_values if train.selection.learned else 0)  # a sum of them has more digits
    head = LinearHead(replace(QUICK, memory_bytes=4 * num_values * 2))
    assert_same(head.fit(train, dev, seed=0), LinearHead(replace(QUICK, memory_bytes=0)).fit(train, dev, seed=0))


def test_vectors_that_fit_are_read_once_and_others_for_each_batch(words, monkeypatch):
    num_read = []
    monkeypatch.setattr(
        Examples,
        "vectors_of",
        lambda self, chosen, read=Examples.vectors_of: num_read.append(len(chosen)) or read(self, chosen),
    )
    train, dev = (examples.labelled() for examples in words)
    both = len(train.sentences) + len(dev.sentences)
    HEADS["linear"].fit(*words, seed=0)
    assert sum(num_read) == both
    num_read.clear()
    LinearHead(replace(QUICK, memory_bytes=0)).fit(*words, seed=0)
    assert sum(num_read) == 4 * both + len(train.sentences)  # once for the statistics
    assert max(num_read) <= 256


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("data", ["words", "layers"])
def test_a_resumed_training_gives_the_model_of_an_undisturbed_one(name, data, request, tmp_path):
    train, dev = request.getfixturevalue(data)
    undisturbed, file = HEADS[name].fit(train, dev, seed=1), tmp_path / "states" / "run.safetensors"
    for stop_at in range(1, 5):
        done = []

        def stop(epoch, done=done, stop_at=stop_at):
            done.append(epoch.number)
            if epoch.number == stop_at:
                raise Stop

        with pytest.raises(Stop):
            HEADS[name].fit(train, dev, seed=1, on_epoch=stop, checkpoint=file)
        assert done == [stop_at]  # those before it were not done again
    assert_same(HEADS[name].fit(train, dev, seed=1, checkpoint=file), undisturbed)
    assert list(file.parent.iterdir()) == []


def test_a_killed_training_goes_on_to_the_same_model(words, tmp_path):
    train, dev = words
    head = BiLstmHead(7, training=replace(QUICK, epochs=6, patience=6))
    program = textwrap.dedent(f"""
        import sys, numpy as np, os, signal
        from pathlib import Path
        from embedpipe.downstream.examples import read_examples
        from embedpipe.downstream.heads import BiLstmHead, Training
        from embedpipe.downstream.selection import select
        from embedpipe.store import open_store
        import torch
        torch.set_num_threads(1)
        store = open_store({str(train.store.path)!r})
        examples = read_examples(store, select("it", store.views, None, None, 1), "ner")
        def epoch_done(epoch):
            if epoch.number == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
        BiLstmHead(7, training={head.training!r}).fit(
            examples.take(np.arange(20, 70)), examples.take(np.arange(20)), seed=9, on_epoch=epoch_done,
            checkpoint=Path({str(tmp_path / "run")!r}),
        )
    """)
    killed_at = int(np.random.default_rng().integers(1, 7))
    ended = subprocess.run([sys.executable, "-c", program, str(killed_at)], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "run").exists()
    num_left = []
    resumed = head.fit(train, dev, seed=9, checkpoint=tmp_path / "run", on_epoch=lambda epoch: num_left.append(epoch.number))
    assert num_left == list(range(killed_at + 1, 7))
    assert_same(resumed, head.fit(train, dev, seed=9))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["seed", "settings", "data"])
def test_the_state_of_another_training_is_refused(words, tmp_path, change):
    train, dev = words

    def stop(epoch):
        raise Stop

    with pytest.raises(Stop):
        HEADS["linear"].fit(train, dev, seed=0, on_epoch=stop, checkpoint=tmp_path / "run")
    head = replace(HEADS["linear"], training=replace(QUICK, learning_rate=0.5)) if change == "settings" else HEADS["linear"]
    if change == "data":
        train = train.take(np.arange(40))
    with pytest.raises(FeaturesError, match="another training"):
        head.fit(train, dev, seed=int(change == "seed"), checkpoint=tmp_path / "run")


def test_the_best_epoch_is_kept_and_the_earlier_one_of_equals(words):
    train, dev = words
    long = LinearHead(replace(QUICK, epochs=30, patience=4, min_updates=0, learning_rate=0.03))
    fitted = long.fit(train, dev, seed=0)
    scores = [epoch.score for epoch in fitted.epochs]
    best = int(np.argmax(scores)) + 1  # the first of equals
    assert len(scores) == best + 4 < 30
    assert [epoch.best_score for epoch in fitted.epochs] == list(np.maximum.accumulate(scores))
    until_best = replace(long, training=replace(long.training, epochs=best)).fit(train, dev, seed=0)
    assert weights(until_best) == weights(fitted)


def test_patience_ends_nothing_before_the_least_number_of_updates(words):
    train, dev = words
    an_epoch = -(-len(train.sentences) // QUICK.batch_sentences)
    impatient = replace(QUICK, epochs=40, patience=1, learning_rate=0.05)
    ends = {}
    for least in (0, 12 * an_epoch - 1, 12 * an_epoch, 10**6):
        head = LinearHead(replace(impatient, min_updates=least))
        ends[least] = len(head.fit(train, dev, seed=0).epochs)
    assert ends[0] < 12  # its patience alone would end it
    assert 12 <= ends[12 * an_epoch - 1] == ends[12 * an_epoch] < 40
    assert ends[10**6] == 40


@pytest.mark.parametrize("name", HEADS)
def test_without_entities_to_find_the_loss_decides_which_epoch_is_best(tmp_path, name):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 40)
    train = examples_of(tmp_path, tags, separable(generator, tags, SIZE))
    only_o = [["O"] * 4] * 6
    dev = examples_of(tmp_path, only_o, generator.normal(size=(24, SIZE)).astype(np.float32), "dev")
    dev = replace(dev, tags=train.tags)
    fitted = HEADS[name].fit(train, dev, seed=0)
    assert {epoch.score for epoch in fitted.epochs} == {0.0}
    network, losses = fitted.network, []
    for number in range(1, len(fitted.epochs) + 1):
        shorter = replace(HEADS[name], training=replace(QUICK, epochs=number, patience=50)).fit(train, dev, seed=0)
        losses.append(-rank(shorter.network, _batches(dev), 0.0)[1])
    assert -rank(network, _batches(dev), 0.0)[1] == min(losses)


def test_without_development_sentences_the_training_loss_decides(words):
    train, _ = words
    fitted = HEADS["linear"].fit(train, train.take(np.zeros(0, np.int64)), seed=0)
    assert [epoch.score for epoch in fitted.epochs] == [0.0] * 4


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("rare", [1, 12])
def test_one_tag_may_have_nearly_all_words(tmp_path, name, rare):
    generator = np.random.default_rng(0)
    tags = [["O"] * 10 for _ in range(120)]
    for number in range(rare):
        tags[30 + number][3] = "B-LOC"
    train, dev = split(examples_of(tmp_path, tags, separable(generator, tags, SIZE)))
    fitted = HEADS[name].fit(train, dev, seed=0)
    assert all(np.isfinite(epoch.loss) for epoch in fitted.epochs)
    assert all(np.isfinite(tensor.numpy()).all() for tensor in fitted.network.state_dict().values())
    assert set(fitted.predict(dev)) <= {0, 1}


@pytest.mark.parametrize("name", HEADS)
def test_rows_without_a_label_are_neither_trained_on_nor_scored(tmp_path, name):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 60)
    vectors = separable(generator, tags, SIZE, noise=1.0)
    whole = examples_of(tmp_path, [*tags, None, None], np.concatenate([vectors, 1000 * np.ones((6, SIZE), np.float32)]))
    train, dev = split(whole)
    assert (train.codes[-6:] == NO_CODE).all()
    without = train.take(np.arange(40))
    # What the sentences without the label hold has no influence on anything.
    assert_same(HEADS[name].fit(train, dev, seed=0), HEADS[name].fit(without, dev, seed=0))


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_single_rows_without_a_label_do_not_change_what_is_learned_from_the_others(tmp_path, name):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 60)
    train, dev = split(examples_of(tmp_path, tags, separable(generator, tags, SIZE)))
    hidden = train.codes.copy()
    hidden[::3] = NO_CODE
    fitted = replace(HEADS[name], training=replace(QUICK, standardize=False)).fit(replace(train, codes=hidden), dev, seed=0)
    garbled = replace(train, codes=hidden)
    broken = Path(tmp_path / "garbled")
    broken.mkdir()
    rows = np.asarray(train.store.matrix("vectors")).copy()
    first = train.starts[0]
    rows[first:][::3] = 77.0
    garbled = replace(garbled, store=make_store(broken / "store.h5", tags, rows))
    other = replace(HEADS[name], training=replace(QUICK, standardize=False)).fit(garbled, dev, seed=0)
    assert weights(fitted) == weights(other)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("layers", [None, "learned_mix"])
def test_rows_may_be_sentences(tmp_path, name, layers):
    generator = np.random.default_rng(0)
    tags = [[str(generator.choice(["ham", "spam"]))] for _ in range(120)]
    vectors = separable(generator, tags, SIZE)
    vectors = np.stack([vectors, vectors], 1) if layers else vectors
    examples = examples_of(tmp_path, tags, vectors, layers=layers, label="topic", unit="sentence")
    assert set(examples.lengths) == {1}
    train, dev = split(examples)
    fitted = replace(HEADS[name], training=replace(QUICK, epochs=10)).fit(train, dev, seed=0)
    assert fitted.epochs[-1].best_score > 0.9
    assert fitted.predict(dev).shape == (20,)


@pytest.mark.parametrize("name", HEADS)
def test_any_labels_are_scored_by_accuracy(tmp_path, name):
    generator = np.random.default_rng(0)
    tags = [[str(generator.choice(["NOUN", "VERB", "X"])) for _ in range(5)] for _ in range(60)]
    train, dev = split(examples_of(tmp_path, tags, separable(generator, tags, SIZE, noise=1.0)))
    codes = np.where(np.arange(dev.num_rows) % 3 == 0, NO_CODE, dev.codes)  # these rows do not count
    fitted = HEADS[name].fit(train, replace(dev, codes=codes), seed=0)
    right = (fitted.predict(dev) == dev.codes)[codes != NO_CODE]
    assert max(epoch.score for epoch in fitted.epochs) == pytest.approx(right.mean())


def test_tags_are_told_within_their_group(tmp_path):
    generator = np.random.default_rng(0)
    groups = [["bank", "stick"][number % 2] for number in range(120)]
    tags = [[f"{group}-{generator.integers(2)}"] for group in groups]
    directions = {"bank-0": 1, "bank-1": -1, "stick-0": -1, "stick-1": 1}  # one sense of each lemma looks like one of the other
    vectors = np.array([[directions[tag]] * SIZE for (tag,) in tags], np.float32)
    examples = examples_of(
        tmp_path, tags, vectors + 0.3 * generator.normal(size=vectors.shape).astype(np.float32), unit="sentence"
    )
    examples = replace(examples, groups=np.array(groups, dtype=object))
    train, dev = split(examples)
    fitted = replace(HEADS["linear"], training=replace(QUICK, epochs=20)).fit(train, dev, seed=0)
    assert (fitted.predict(dev) == dev.codes).all()
    unknown = replace(dev, groups=np.array(["river"] * 20, dtype=object))
    assert set(fitted.predict(unknown)) <= set(range(4))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([["O", "O"]] * 5, "all of them are 'O'"),
        ([None] * 4 + [["O"]], "all of them are 'O'"),
        ([[]] * 5, "no row has a label"),
    ],
)
@pytest.mark.parametrize("name", HEADS)
def test_nothing_to_learn_is_an_error(tmp_path, name, tags, message):
    num_rows = sum(3 if of_sentence is None else len(of_sentence) for of_sentence in tags)
    examples = examples_of(tmp_path, tags, np.zeros((num_rows, SIZE), np.float32))
    with pytest.raises(FeaturesError, match=f"nothing to learn .*{message}"):
        HEADS[name].fit(examples, examples, seed=0)


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_do(tmp_path):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 40)
    train, dev = split(examples_of(tmp_path, tags, 1e30 * separable(generator, tags, SIZE)))
    training = replace(QUICK, standardize=False, learning_rate=1e30, epochs=30, patience=30)
    with pytest.raises(FeaturesError, match=r"epoch \d+: the loss is no finite number .*learning_rate"):
        MlpHead(training=training).fit(train, dev, seed=0)


def test_constant_dimensions_and_huge_scales_do_no_harm(tmp_path):
    generator = np.random.default_rng(0)
    tags = random_tags(generator, 100)
    vectors = separable(generator, tags, SIZE)
    scaled = np.concatenate([1e4 * vectors + 3e4, np.full((len(vectors), 2), 7.0)], 1).astype(np.float32)
    train, dev = split(examples_of(tmp_path, tags, scaled, "scaled"))
    found = HEADS["linear"].fit(train, dev, seed=0).predict(dev)
    assert (found == dev.codes).mean() > 0.95


def test_empty_sentences_keep_their_place(words):
    train, dev = words
    assert (dev.lengths == 0).any()
    for head in HEADS.values():
        fitted = head.fit(train, dev, seed=0)
        assert fitted.predict(dev).shape == (dev.num_rows,)
        empty = dev.take(np.flatnonzero(dev.lengths == 0))
        assert fitted.predict(empty).shape == (0,)


def test_a_device_that_is_not_there_is_named_as_the_setting_that_it_is(words):
    with pytest.raises(EncoderError, match=r"training\.device: 'tpu'"):
        LinearHead(replace(QUICK, device="tpu")).fit(*words, seed=0)


def test_settings_are_importable_without_torch_and_documented():
    program = "import sys, embedpipe.downstream.heads, embedpipe.downstream.learned_mix; print({'torch', 'sklearn'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"
    for cls in (Training, LearnedMix, *map(type, HEADS.values())):
        for field in dataclasses.fields(cls):
            assert f":param {field.name}:" in cls.__doc__


def test_crf_heads_give_legal_tags_only(words):
    train, dev = words
    head = BiLstmCrfHead(7, training=replace(QUICK, epochs=1))
    for sentence in dev.by_sentence(head.fit(train, dev, seed=0).predict(dev)):
        for before, tag in zip(["O", *sentence], sentence, strict=False):
            assert not tag.startswith("I-") or before in (tag, f"B-{tag[2:]}")
    assert set(train.tags) == set(BIO)
