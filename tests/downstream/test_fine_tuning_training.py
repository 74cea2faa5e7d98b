"""How the weights move: the gradient, the batches, the best epoch, interruptions, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fine_tuning_samples import QUICK, sentence, sentences, trained, training, without_dropout
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, BertModel

from embedpipe.downstream.fine_tuning import training as training_module
from embedpipe.downstream.fine_tuning.batches import learning_rate_share, shuffled_batches
from embedpipe.downstream.fine_tuning.fine_tuned import FineTuned
from embedpipe.downstream.fine_tuning.inputs import Part
from embedpipe.downstream.fine_tuning.model import FineTunedModel
from embedpipe.downstream.fine_tuning.targets import read_targets
from embedpipe.downstream.fine_tuning.training import Training
from embedpipe.downstream.heads.head import Epoch
from embedpipe.errors import EncoderError, FeaturesError, NonFiniteError
from embedpipe.subwords import SentenceContext

TinyModel = Callable[[str], Path]
SENTENCE = ["the", "fox", "over", "Berlin", "unbelievable", "dog"]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small are not worth a second one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Interrupted(Exception):
    """A training's end before its time."""


def all_parts(begun: Training) -> list[Part]:
    return [part for parts in begun._parts for part in parts]


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], **tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_loss_and_gradient_are_those_of_transformers_by_hand(tiny_model: TinyModel, unit: Any) -> None:
    folder = tiny_model("bert")
    train = [sentence(SENTENCE, "a"), sentence(["quick", "river", "bank", "dog", *SENTENCE[4:]], "b"), sentence(["the"], "c")]
    begun, reader = training(folder, train, label="tag" if unit == "word" else "kind", unit=unit)
    begun.model.eval()
    parts = all_parts(begun)[:2]
    loss = begun.gradient(parts)

    encoder = AutoModel.from_pretrained(folder).eval()
    linear = torch.nn.Linear(32, len(begun._targets.tags))
    linear.load_state_dict(begun.model.linear.state_dict())
    chosen, gold = [], []
    for part, one in zip(parts, reader.tokenizer.tokenize(train[:2]), strict=True):
        ids = [*reader.special.prefix, *one.subword_ids.tolist(), *reader.special.suffix]
        states = encoder(input_ids=torch.tensor([ids])).last_hidden_state[0]
        firsts = [0] if unit == "sentence" else [1 + start for start, _ in one.word_offsets.tolist()]
        chosen.append(states[firsts])
        gold.extend(begun._targets.codes[part.sentence].tolist())
    expected = torch.nn.functional.cross_entropy(linear(torch.cat(chosen)), torch.tensor(gold))
    expected.backward()

    assert loss == pytest.approx(expected.item(), abs=1e-6)
    by_hand = {f"encoder.{name}": grad for name, grad in gradients(encoder).items()}
    by_hand |= {f"linear.{name}": grad for name, grad in gradients(linear).items()}
    assert_same(gradients(begun.model), by_hand, rtol=1e-4, atol=1e-6)


def test_a_batch_in_pieces_has_the_same_gradient(tiny_model: TinyModel) -> None:
    train = sentences(12)
    results = []
    for budget in (4096, 20):
        begun, _ = training(tiny_model("bert"), train, replace(QUICK, budget_subwords=budget))
        begun.model.eval()
        results.append((begun.gradient(all_parts(begun)), gradients(begun.model)))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-6)
    assert_same(results[1][1], results[0][1], rtol=1e-4, atol=1e-6)


def test_every_word_with_subwords_is_picked_once_at_its_first_subword(tiny_model: TinyModel) -> None:
    _, reader = training(tiny_model("bert"), sentences(4), context=SentenceContext(window=12, overlap=4))
    inputs = reader.read(sentences(6, seed=2, longest=60))
    for number, parts in enumerate(inputs.parts):
        assert sorted(np.concatenate([part.rows for part in parts])) == list(range(inputs.num_rows[number]))
        subwords = next(iter(reader.tokenizer.tokenize([inputs.sentences[number]])))
        for part in parts:
            (window,) = part.windows
            first_ids = subwords.subword_ids[subwords.word_offsets[part.rows, 0]]
            assert window.input_ids[part.picked[:, 1]].tolist() == first_ids.tolist()


def test_out_of_memory_halves_the_batch_and_changes_nothing_else(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = training(tiny_model("bert"), sentences(12))
    whole.model.eval()
    loss = whole.gradient(all_parts(whole))
    begun, _ = training(tiny_model("bert"), sentences(12))
    begun.model.eval()
    forward, seen = FineTunedModel.forward, []

    def short_of_memory(self: FineTunedModel, piece: Any) -> torch.Tensor:
        seen.append(len(piece.batch.input_ids))
        if len(piece.batch.input_ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, piece)

    monkeypatch.setattr(FineTunedModel, "forward", short_of_memory)
    assert begun.gradient(all_parts(begun)) == pytest.approx(loss, abs=1e-6)
    assert_same(gradients(begun.model), gradients(whole.model), rtol=1e-4, atol=1e-6)
    first = len(seen)
    begun.gradient(all_parts(begun))
    assert max(seen[first:]) <= 3  # it is not tried again


def test_out_of_memory_with_one_window_is_an_error(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(self: FineTunedModel, piece: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    monkeypatch.setattr(FineTunedModel, "forward", no_memory)
    with pytest.raises(
        EncoderError, match=r"one window of \d+ subwords, alone, does not fit into memory; lower context.window"
    ):
        trained(tiny_model("bert"), sentences(8))


def test_other_errors_of_the_encoder_are_not_taken_for_missing_memory(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: FineTunedModel, piece: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(FineTunedModel, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trained(tiny_model("bert"), sentences(8))


def test_a_training_that_diverges_names_batch_and_epoch(tiny_model: TinyModel) -> None:
    with pytest.raises(
        NonFiniteError, match=r"batch \d of 4, epoch 1: the loss is .* Lower fine_tune.learning_rate \(now 1e\+38\)"
    ):
        trained(tiny_model("bert"), sentences(16), settings=replace(QUICK, learning_rate=1e38, warmup=0.0))


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_the_same_seed_gives_the_same_model_and_another_seed_another(tiny_model: TinyModel, architecture: str) -> None:
    folder, settings = tiny_model(architecture), replace(QUICK, dropout=0.1)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (trained(folder, sentences(24), settings=settings, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)  # the caller's random numbers are left alone
    assert one.epochs == same.epochs
    assert_same(one._model.tensors(), same._model.tensors())
    assert one.epochs != other.epochs


@pytest.mark.parametrize("interrupted_after", [1, 2])
@pytest.mark.parametrize("scores", [(0.9, 0.5, 0.6), (0.5, 0.9, 0.1), (0.1, 0.2, 0.3)])
def test_a_resumed_training_ends_with_the_same_bits(
    tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_after: int, scores: tuple[float, ...]
) -> None:
    """Whichever epoch is the best one."""
    settings, path = replace(QUICK, epochs=3, dropout=0.1), tmp_path / "new" / "state"
    left: Iterator[float]
    monkeypatch.setattr(training_module, "score_tags", lambda *_: {"accuracy": next(left)})

    def stop(epoch: Epoch) -> None:
        if epoch.number == interrupted_after:
            raise Interrupted

    def train(**more: Any) -> FineTuned:
        return trained(tiny_model("bert"), sentences(16), settings=settings, **more)

    left = iter(scores)
    whole = train()
    left = iter(scores)
    with pytest.raises(Interrupted):
        train(on_epoch=stop, checkpoint=path)
    assert path.exists()
    seen: list[Epoch] = []
    resumed = train(on_epoch=seen.append, checkpoint=path)
    assert [epoch.number for epoch in seen] == list(range(interrupted_after + 1, 4))
    assert resumed.epochs == whole.epochs
    assert resumed.best_epoch == scores.index(max(scores)) + 1
    assert_same(resumed._model.tensors(), whole._model.tensors())
    assert list(path.parent.iterdir()) == []


def test_a_model_whose_file_lacks_the_pooler_can_be_resumed(tiny_model: TinyModel, tmp_path: Path) -> None:
    """The pooler is random then, and nothing uses it."""
    folder, path = without_dropout(tiny_model("bert"), tmp_path / "bare"), tmp_path / "state"
    BertModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(folder)

    def stop(_: Epoch) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        trained(folder, sentences(8), on_epoch=stop, checkpoint=path)
    assert len(trained(folder, sentences(8), checkpoint=path).epochs) == 2


def test_the_model_is_that_of_the_best_epoch(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter((0.5, 0.9, 0.9))  # of equals the first
    monkeypatch.setattr(training_module, "score_tags", lambda *_: {"f1": next(left)})
    begun, reader = training(tiny_model("bert"), sentences(16), replace(QUICK, epochs=3))
    after: list[dict[str, torch.Tensor]] = []
    dev = reader.read(sentences(4))
    targets = read_targets(dev, "tag", "word", begun._targets.tags, purpose="development")

    def keep(_: Epoch) -> None:
        after.append({name: tensor.clone() for name, tensor in begun.model.tensors().items()})

    epochs = begun.run(dev, targets, keep, None)
    assert [(epoch.number, epoch.score, epoch.best_score) for epoch in epochs] == [(1, 0.5, 0.5), (2, 0.9, 0.9), (3, 0.9, 0.9)]
    assert_same(begun.model.tensors(), after[1])
    assert not torch.equal(after[1]["linear.weight"], after[2]["linear.weight"])


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"settings": replace(QUICK, learning_rate=1e-3)}, {"dev": sentences(3, seed=9)}]
)
def test_the_state_of_another_training_is_refused(tiny_model: TinyModel, tmp_path: Path, change: dict[str, Any]) -> None:
    def stop(_: Epoch) -> None:
        raise Interrupted

    path = tmp_path / "state"
    with pytest.raises(Interrupted):
        trained(tiny_model("bert"), sentences(8), on_epoch=stop, checkpoint=path)
    with pytest.raises(FeaturesError, match=r"state is the state of another training .* Delete it to train anew"):
        trained(tiny_model("bert"), sentences(8), checkpoint=path, **change)


def test_a_damaged_state_is_refused_and_an_unwritable_one_said(tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"nonsense")
    with pytest.raises(FeaturesError, match=r"reading the training's state in .*state: .* Delete the file to train anew"):
        trained(tiny_model("bert"), sentences(8), checkpoint=path)
    with pytest.raises(FeaturesError, match=r"keeping the training's state in .*Make room, or train without a checkpoint"):
        trained(tiny_model("bert"), sentences(8), checkpoint=path / "below")


@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=200),
    batch_sentences=st.integers(1, 9),
    seed=st.integers(0, 2**40),
)
def test_batches_hold_every_sentence_once_in_an_order_of_each_epoch(
    lengths: list[int], batch_sentences: int, seed: int
) -> None:
    first, again, second = (shuffled_batches(lengths, batch_sentences, seed=seed, epoch=epoch) for epoch in (1, 1, 2))
    assert first == again
    assert sorted(index for batch in first for index in batch) == list(range(len(lengths)))
    assert len(first) == len(second) == -(-len(lengths) // batch_sentences)
    assert max(map(len, first)) <= batch_sentences


def test_batches_differ_from_epoch_to_epoch_and_waste_little() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=1000).tolist()
    first, second = (shuffled_batches(lengths, 16, seed=0, epoch=epoch) for epoch in (1, 2))
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in first)
    assert padded < 1.1 * sum(lengths)


@given(num_steps=st.integers(1, 300), warmup=st.floats(0, 0.99))
def test_the_learning_rate_rises_and_falls_in_lines(num_steps: int, warmup: float) -> None:
    shares = [learning_rate_share(step, num_steps, warmup) for step in range(num_steps)]
    peak = shares.index(max(shares))
    assert max(shares) == 1
    assert all(0 < share <= 1 for share in shares)
    assert shares[:peak] == sorted(shares[:peak])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_moments_of_subwords_that_do_not_occur_do_not_become_denormal() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.grad = torch.tensor([1.0, 1e-39])
    optimizer.step()
    training_module._clear_vanished(optimizer)
    state = optimizer.state[parameter]
    assert (state["exp_avg"] != 0).tolist() == [True, False]
    assert (state["step"].item(), parameter[1].item() != 1) == (1, True)
