"""Pairs of texts: what the encoder sees of them, and whose vectors they get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import HIDDEN_SIZE, MAX_WINDOW, NUM_LAYERS
from tokenizers import Tokenizer, processors
from transformers import AutoModel, AutoTokenizer

from embedpipe.batching import Batching, collate
from embedpipe.dataflow import Block, Encoder, PairSubwords, Sentence, SentenceFlag, SpecialSubwords, SubwordSentence, Window
from embedpipe.downstream.fine_tuning.inputs import Reader
from embedpipe.downstream.fine_tuning.model import as_tensors
from embedpipe.encoders import Transformer
from embedpipe.encoders.inputs import inputs_of
from embedpipe.errors import ConfigError, EncoderError
from embedpipe.extraction import Embedder
from embedpipe.layers import Layer
from embedpipe.subwords import DocumentContext, SentenceContext, SubwordTokenizer, WindowSize, WordTokenizer, pair_windows
from embedpipe.views import View

TOLERANCE = 1e-5
BERT_LIKE = ("albert", "bert", "distilbert", "electra")
"""Their tiny tokenizers know no pairs: the template of BERT is given to them."""
PAIR_MODELS = (*BERT_LIKE, "bart", "modernbert", "mpnet", "roberta", "t5")
PAIRS = [
    ("The quick brown fox jumps over the lazy dog .", "She went to the bank , and waited ."),
    ("Berlin .", "a"),
    ("don't re-entry 3.14", "café naïve ß ﬁne 😀 — “quoted”"),
    ("you and I", ""),
    ("", "the river bank"),
    ("", ""),
]
LONG = " ".join(["She put the stick in the spring and waited"] * 12)
SPECIAL = SpecialSubwords((101,), (102,), 0, 0, PairSubwords((102,), (0, 0, 1), (0, 1)))

TinyModel = Callable[[str], Path]


def sentence_of(first: str, second: str, id: str = "s") -> Sentence:
    return Sentence.pair(Sentence.from_text(id, "d", first), Sentence.from_text(id, "d", second))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_model: TinyModel) -> TinyModel:
    """Tiny models whose tokenizers were made for pairs."""
    made: dict[str, Path] = {}

    def model(name: str) -> Path:
        if name not in made:
            made[name] = _for_pairs(name, tiny_model(name), tmp_path_factory.mktemp("pairs") / name)
        return made[name]

    return model


def _for_pairs(name: str, folder: Path, copy: Path) -> Path:
    if name not in BERT_LIKE:
        return folder
    shutil.copytree(folder, copy)
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    ids = [(piece, tokenizer.token_to_id(piece)) for piece in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    tokenizer.save(str(copy / "tokenizer.json"))
    config = json.loads((copy / "tokenizer_config.json").read_text(encoding="utf-8"))
    if name != "distilbert":
        config["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (copy / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return copy


def embed(
    folder: Path, views: dict[str, View], sentences: list[Sentence], *, budget: int = 4096, window: int | None = None
) -> Block:
    tokenizer, encoder = _loaded(folder)
    embedder = Embedder(tokenizer, encoder, views, SentenceContext(window=window), Batching(budget))
    (block,) = embedder.embed(sentences)
    return block


@cache
def _loaded(folder: Path) -> tuple[SubwordTokenizer, Encoder]:
    settings = Transformer(model=str(folder), device="cpu")
    return SubwordTokenizer(folder), settings.load(settings.find())


def oracle(folder: Path, first: str, second: str) -> tuple[list[np.ndarray], list[int | None]]:
    """All hidden states of transformers' own reading of the pair, and which of the texts each position is of."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    encoded = tokenizer([first], [second], return_tensors="pt")  # in a list, as an empty second text alone counts for none
    whole = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    model = whole.get_encoder() if whole.config.is_encoder_decoder else whole
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states], encoded.sequence_ids(0)


@pytest.mark.parametrize("name", PAIR_MODELS)
def test_a_pair_gets_the_vectors_that_transformers_itself_computes(name: str, models: TinyModel) -> None:
    folder, has_cls = models(name), name != "t5"
    views = {f"subword {layer}": View(Layer(layer), "subword") for layer in range(NUM_LAYERS + 1)}
    views |= {
        f"{pooling} {of}": View(Layer(-1), "sentence", pooling, of)  # type: ignore[arg-type]
        for pooling in ("mean", "max")
        for of in ("both", "first", "second")
    }
    if has_cls:
        views["cls both"] = View(Layer(-1), "sentence", "cls")
    block = embed(folder, views, [sentence_of(*pair, id=str(n)) for n, pair in enumerate(PAIRS)], budget=40)
    expected: dict[str, list[np.ndarray]] = {view: [] for view in views}
    for first, second in PAIRS:
        states, texts = oracle(folder, first, second)
        of = {name: np.array([text is not None and text in wanted for text in texts]) for name, wanted in SIDES.items()}
        for layer, state in enumerate(states):
            expected[f"subword {layer}"] += [*state[of["first"]], *state[of["second"]]]
        for name_of, chosen in of.items():
            own = states[-1][chosen] if chosen.any() else np.zeros((1, HIDDEN_SIZE))
            expected[f"mean {name_of}"].append(own.mean(axis=0))
            expected[f"max {name_of}"].append(own.max(axis=0))
        if has_cls:
            expected["cls both"].append(states[-1][0])
    for view, rows in expected.items():
        np.testing.assert_allclose(block.views[view], np.stack(rows), atol=TOLERANCE, rtol=TOLERANCE, err_msg=view)


def test_a_published_bert_gets_its_segments_from_its_own_tokenizer() -> None:
    folder = Transformer().find().folder
    assert SubwordTokenizer(folder).special.pair == PairSubwords((102,), (0, 0, 1), (0, 1))
    for first, second in PAIRS[:3]:
        states, texts = oracle(folder, first, second)
        block = embed(folder, {"last": View(Layer(-1), "subword")}, [sentence_of(first, second)])
        own = [position for position, text in enumerate(texts) if text is not None]
        np.testing.assert_allclose(block.views["last"], states[-1][own], atol=TOLERANCE)


SIDES = {"both": (0, 1), "first": (0,), "second": (1,)}


def test_the_two_segments_of_bert_make_a_difference(models: TinyModel) -> None:
    folder, sentence = models("bert"), sentence_of("the dog", "the dog")
    (rows,) = embed(folder, {"e": View(Layer(0), "subword")}, [sentence]).views.values()
    tokenizer = SubwordTokenizer(folder)
    (windowed,) = SentenceContext().windows(tokenizer.tokenize([sentence]), WindowSize(None, 0), tokenizer.special)
    (window,) = windowed.windows
    assert window.segment_ids is not None
    assert window.segment_ids.tolist() == [0] * (len(rows) // 2 + 2) + [1] * (len(rows) // 2 + 1)
    assert SubwordTokenizer(models("roberta")).special.pair == PairSubwords((2, 2))  # </s></s>, and no segments
    assert SubwordTokenizer(models("distilbert")).special.pair == PairSubwords((3,))


@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_the_vectors_of_a_pair_do_not_depend_on_its_batch(data: st.DataObject, models: TinyModel) -> None:
    views = {"word": View(Layer(-1), "word", "mean"), "cls": View(Layer(2), "sentence", "cls")}
    order = data.draw(st.permutations(range(4)))
    together = embed(
        models("bert"), views, [sentence_of(*PAIRS[n], id=str(n)) for n in order], budget=data.draw(st.integers(1, 200))
    )
    ends = np.cumsum([0, *(len(sentence.words) for sentence in together.sentences)])
    for place, n in enumerate(order):
        alone = embed(models("bert"), views, [sentence_of(*PAIRS[n])])
        np.testing.assert_allclose(together.views["cls"][place], alone.views["cls"][0], atol=TOLERANCE)
        np.testing.assert_allclose(together.views["word"][ends[place] : ends[place + 1]], alone.views["word"], atol=TOLERANCE)


def test_each_text_is_cut_by_itself_and_its_words_are_those_that_it_has_alone(models: TinyModel) -> None:
    for name in ("bert", "roberta", "t5"):
        tokenizer = SubwordTokenizer(models(name))
        for first, second in PAIRS:
            (pair,) = tokenizer.tokenize([sentence_of(first, second)])
            alone = list(tokenizer.tokenize([Sentence.from_text("1", "d", first), Sentence.from_text("2", "d", second)]))
            assert pair.subword_ids.tolist() == [id for each in alone for id in each.subword_ids]
            assert pair.sentence.words == tuple(word for each in alone for word in each.sentence.words)
            assert pair.sentence.texts == (first, second)
            assert pair.sentence.second_from == len(alone[0].sentence.words)
            assert pair.num_first == len(alone[0].subword_ids)
            offsets = np.concatenate([alone[0].word_offsets, alone[1].word_offsets + len(alone[0].subword_ids)])
            assert pair.word_offsets.tolist() == offsets.tolist()
            assert pair.word_flags.tolist() == [flag for each in alone for flag in each.word_flags]


def test_words_of_the_corpus_keep_their_rows_on_both_sides(models: TinyModel) -> None:
    first = Sentence.from_words("s", "d", ["Berlin", "", "."], spaces=[True, False, True])
    pair = Sentence.pair(first, Sentence.from_words("s", "d", ["", "a", "\u200b", "dog"]))
    assert (pair.text, pair.second_from, pair.second_start) == ("Berlin . " + " a \u200b dog", 3, 9)
    block = embed(models("bert"), {"word": View(Layer(-1), "word", "mean")}, [pair])
    assert block.sentences[0].words == ("Berlin", "", ".", "", "a", "\u200b", "dog")
    assert (block.views["word"] != 0).any(axis=1).tolist() == [True, False, True, False, True, False, True]


def subwords_of(num_first: int, num_second: int) -> SubwordSentence:
    ids = np.arange(1000, 1000 + num_first + num_second)
    none = np.zeros((0, 2), np.int64)
    return SubwordSentence(sentence_of("a", "b"), ids, none, none[:, 0], num_first=num_first)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(3, 30), st.data())
def test_every_subword_of_a_pair_is_kept_by_one_window_and_every_window_has_both_texts(
    num_first: int, num_second: int, content: int, data: st.DataObject
) -> None:
    size = WindowSize(content, data.draw(st.integers(0, content // 2)))
    windows = pair_windows(subwords_of(num_first, num_second), size, SPECIAL)
    room, lengths = content - 1, (num_first, num_second)
    kept = [id for side in (0, 1) for window in windows for id in window.input_ids[slice(*window.parts[side][0])].tolist()]
    assert kept == list(range(1000, 1000 + num_first + num_second))
    for window in windows:
        assert len(window.input_ids) <= content + SPECIAL.num_special
        assert window.segment_ids is not None and len(window.segment_ids) == len(window.input_ids)
        ids = window.input_ids.tolist()
        border = ids.index(102)
        assert (ids[0], ids[-1]) == (101, 102)
        texts = ids[1:border], ids[border + 1 : -1]
        assert window.segment_ids.tolist() == [0] * (border + 1) + [1] * (len(ids) - border - 1)
        assert all(text or not length for text, length in zip(texts, lengths, strict=True))
        shorter = int(num_second < num_first)
        if lengths[shorter] <= room // 2:
            assert len(texts[shorter]) == lengths[shorter]
        for (start, end), first_subword in window.parts:
            assert ids[start:end] == list(range(1000 + first_subword, 1000 + first_subword + end - start))
    assert (len(windows) == 1) == (sum(lengths) <= room)


@pytest.mark.parametrize("texts", [("the dog", LONG), (LONG, "the dog"), (LONG, LONG + " near the river bank")])
def test_a_pair_longer_than_the_window_is_covered_and_flagged_and_loses_nothing(
    texts: tuple[str, str], models: TinyModel
) -> None:
    views = {
        "subword": View(Layer(-1), "subword"),
        "cls": View(Layer(-1), "sentence", "cls"),
        "second": View(Layer(-1), "sentence", "mean", "second"),
    }
    folder = models("bert")
    block = embed(folder, views, [sentence_of(*texts)], budget=50)
    assert block.sentence_flags.tolist() == [SentenceFlag.WINDOWED]
    assert len(block.views["subword"]) > MAX_WINDOW
    assert (block.views["subword"] != 0).any(axis=1).all()
    tokenizer = SubwordTokenizer(folder)
    (subwords,) = tokenizer.tokenize([sentence_of(*texts)])
    size = WindowSize(MAX_WINDOW - 2, (MAX_WINDOW - 2) // 4)
    windows = pair_windows(subwords, size, tokenizer.special)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    rows = np.zeros_like(block.views["subword"])
    cls = []
    for window in windows:
        batch = collate([window], pad_id=0)
        with torch.no_grad():
            state = model(batch.input_ids, batch.attention_mask, token_type_ids=batch.segment_ids).last_hidden_state[0].numpy()
        cls.append(state[0])
        for (start, end), first in window.parts:
            rows[first : first + end - start] = state[start:end]
    np.testing.assert_allclose(block.views["subword"], rows, atol=TOLERANCE)
    np.testing.assert_allclose(block.views["cls"][0], np.mean(cls, axis=0), atol=TOLERANCE)
    np.testing.assert_allclose(block.views["second"][0], rows[subwords.num_first :].mean(axis=0), atol=TOLERANCE)


def test_fine_tuning_picks_every_word_of_a_long_pair_once_and_tells_the_segments(models: TinyModel) -> None:
    folder = models("bert")
    tokenizer, _ = _loaded(folder)
    model = AutoModel.from_pretrained(folder)
    size = WindowSize(30, 7)
    for unit in ("word", "sentence"):
        reader = Reader(tokenizer, SentenceContext(), size, unit)  # type: ignore[arg-type]
        inputs = reader.read([sentence_of(LONG, "the dog , the river")])
        (parts,) = inputs.parts
        rows = sorted(row for part in parts for row in part.rows.tolist())
        assert rows == (list(range(inputs.num_rows[0])) if unit == "word" else [0])
        piece = as_tensors(parts, 0, torch.device("cpu"))
        assert inputs_of(model, piece.batch, torch.device("cpu"))["token_type_ids"].any(dim=1).all()
        if unit == "word":
            taken = piece.batch.input_ids.flatten()[piece.picked]
            (subwords,) = tokenizer.tokenize([sentence_of(LONG, "the dog , the river")])
            firsts = subwords.subword_ids[subwords.word_offsets[:, 0]]
            found = dict(zip([row for part in parts for row in part.rows.tolist()], taken.tolist(), strict=True))
            assert [found[row] for row in rows] == firsts.tolist()


def test_batches_have_segments_only_where_a_window_says_so() -> None:
    plain = Window(np.array([5, 6]), (0, 2), 0)
    told = Window(np.array([5, 6, 7]), (0, 1), 0, ((1, 3), 1), np.array([0, 1, 1]))
    assert collate([plain], pad_id=0).segment_ids is None
    segment_ids = collate([plain, told], pad_id=9).segment_ids
    assert segment_ids is not None and segment_ids.tolist() == [[0, 0, 0], [0, 1, 1]]


def test_what_cannot_take_pairs_refuses_them_by_the_name_of_the_field(models: TinyModel, tiny_model: TinyModel) -> None:
    class Words:
        special = SPECIAL
        description = {}

        def units(self, word: str) -> None:
            raise AssertionError(word)

    pair = sentence_of("a", "b", id="it")
    with pytest.raises(EncoderError, match=r"sentence 'it' is a pair of texts \(corpus.second\), and this encoder takes words"):
        list(WordTokenizer(Words()).tokenize([pair]))
    with pytest.raises(
        EncoderError, match=r"context: \{type: document\}, but sentence 'it' is a pair of texts \(corpus.second\)"
    ):
        list(DocumentContext().windows([SubwordSentence(pair, *_nothing(), num_first=0)], WindowSize(9, 2), SPECIAL))
    with pytest.raises(EncoderError, match=r"'it' is a pair of texts \(corpus.second\), but .* puts nothing between two texts"):
        embed(tiny_model("gpt2"), {"last": View(Layer(-1))}, [pair])
    with pytest.raises(EncoderError, match=r"context.window: 4 subwords leave no room for a pair"):
        embed(models("bert"), {"last": View(Layer(-1))}, [pair], window=4)


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.int64)


def test_a_view_of_one_text_is_for_mean_max_or_last_of_sentences_that_are_pairs(models: TinyModel) -> None:
    with pytest.raises(ValueError, match=r"^of: 'first' is for a view of sentences whose pooling is mean, max or last"):
        View(Layer(-1), "sentence", "cls", "first")
    with pytest.raises(ValueError, match=r"^of: 'second' is for a view of sentences"):
        View(Layer(-1), "word", "mean", "second")
    view = View(Layer(-1), "sentence", "mean", "second")
    assert view.info(num_layers=4, hidden_size=32, dtype="float32").pooling == "mean of second"
    with pytest.raises(ConfigError, match=r"views.x.of: 'second', but sentence '1' is no pair of texts"):
        embed(models("bert"), {"x": view}, [sentence_of("a", "b"), Sentence.from_text("1", "d", "a")])
