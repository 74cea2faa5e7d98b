from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import HIDDEN_SIZE, MAX_WINDOW, NUM_LAYERS

from embedpipe.batching import Batching
from embedpipe.dataflow import Sentence, SentenceFlag, WordFlag
from embedpipe.encoders import Transformer
from embedpipe.errors import ConfigError, EncoderError, NonFiniteError
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED, Layer
from embedpipe.subwords import DocumentContext, SentenceContext, SubwordTokenizer
from embedpipe.views import View

LAST = {"last": View(NAMED["last"]), "cls": View(NAMED["last"], "sentence", "cls"), "mean": View(NAMED["last"], "sentence")}


@pytest.fixture
def make_embedder(tiny_model):
    def make(name="bert", views=LAST, **settings):
        folder = tiny_model(name)
        encoder = Transformer(str(folder), device="cpu", precision=settings.pop("precision", "float32"))
        return Embedder(SubwordTokenizer(folder), encoder.load(encoder.find()), views, **settings)

    return make


@pytest.fixture
def embedder(make_embedder):
    return make_embedder()


def sentences_of(*texts, document="d"):
    return [Sentence.from_words(str(index), document, text.split(" ") if text else []) for index, text in enumerate(texts)]


def one_block(embedder, sentences):
    (block,) = embedder.embed(sentences)
    return block


ANY_WORD = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\u200b\ud800 \t\n[SEP]"), max_size=6)


@given(st.lists(st.lists(ANY_WORD, max_size=6), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_any_sentences_come_back_with_a_row_for_every_word_and_zeros_where_there_is_no_subword(embedder, corpus):
    block = one_block(embedder, [Sentence.from_words(str(i), "d", words) for i, words in enumerate(corpus)])
    assert [len(sentence.words) for sentence in block.sentences] == [len(words) for words in corpus]
    assert len(block.views["last"]) == len(block.word_flags) == sum(map(len, corpus))
    assert len(block.views["cls"]) == len(corpus)
    empty = (block.word_flags & WordFlag.NO_SUBWORDS) > 0
    assert (block.views["last"] == 0).all(axis=1).tolist() == empty.tolist()
    for sentence, flags in zip(block.sentences, block.sentence_flags, strict=True):
        assert bool(flags & SentenceFlag.EMPTY) == (not sentence.words)


def test_empty_sentences_keep_their_row(embedder):
    block = one_block(embedder, sentences_of("the dog", "", "the fox"))
    assert block.sentence_flags.tolist() == [0, SentenceFlag.EMPTY, 0]
    assert len(block.views["last"]) == 4
    assert block.views["cls"][1].any()  # [CLS] [SEP] is something to encode
    assert not block.views["mean"][1].any()


def test_a_decoder_without_special_subwords_gives_an_empty_sentence_zeros(make_embedder):
    embedder = make_embedder("gpt2", {"mean": View(NAMED["last"], "sentence")})
    block = one_block(embedder, sentences_of("", "the dog", ""))
    assert block.views["mean"].any(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("length", [MAX_WINDOW - 2, MAX_WINDOW - 1, 3 * MAX_WINDOW])
def test_windows_put_together_equal_each_subwords_own_window_and_flag_the_sentence(length, embedder):
    words = [chr(ord("a") + index % 26) for index in range(length)]
    block = one_block(embedder, [Sentence.from_words("s", "d", words)])
    (windowed,) = embedder.context.windows(
        embedder.tokenizer.tokenize([Sentence.from_words("s", "d", words)]), embedder.window_size, embedder.tokenizer.special
    )
    rows, cls = [], []
    for window in windowed.windows:
        ids = torch.from_numpy(window.input_ids)[None]
        state = embedder.encoder._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].numpy()
        rows.append(state[slice(*window.kept)])
        cls.append(state[0])
    np.testing.assert_allclose(block.views["last"], np.concatenate(rows), atol=1e-5)
    np.testing.assert_allclose(block.views["cls"][0], np.mean(cls, axis=0), atol=1e-5)
    assert bool(block.sentence_flags[0] & SentenceFlag.WINDOWED) == (length > MAX_WINDOW - 2)


def test_a_long_sentence_is_the_same_whether_its_windows_share_batches_or_not(make_embedder):
    sentences = sentences_of("the dog", " ".join("a" * 300), "a b c", " ".join("bc" * 200))
    together = one_block(make_embedder(batching=Batching(100_000)), sentences)
    alone = one_block(make_embedder(batching=Batching(1)), sentences)
    for view in LAST:
        np.testing.assert_allclose(together.views[view], alone.views[view], atol=1e-5)


def test_a_word_longer_than_the_window_is_pooled_over_all_its_subwords(make_embedder):
    embedder = make_embedder("roberta", {"word": View(NAMED["last"], pooling="mean"), "sub": View(NAMED["last"], "subword")})
    block = one_block(embedder, [Sentence.from_words("s", "d", ["x7" * 5000, "the"])])
    start, end = block.word_offsets[0]
    assert end - start > 1000
    np.testing.assert_allclose(block.views["word"][0], block.views["sub"][start:end].mean(axis=0), atol=1e-4)


def test_document_context_equals_the_whole_document_in_one_pass(make_embedder):
    embedder = make_embedder("roberta", {"last": View(NAMED["last"], "subword")}, context=DocumentContext())
    texts = ["the quick fox", "She went .", "a dog"]
    block = one_block(embedder, sentences_of(*texts))
    whole = embedder.tokenizer._tokenizer.encode(" ".join(texts), add_special_tokens=False).ids
    ids = torch.tensor([[*embedder.tokenizer.special.prefix, *whole, *embedder.tokenizer.special.suffix]])
    states = embedder.encoder._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 1:-1].numpy()
    np.testing.assert_allclose(block.views["last"], states, atol=1e-5)


def test_document_context_does_not_cross_documents(make_embedder):
    embedder = make_embedder(context=DocumentContext())
    alone = sentences_of("the dog")
    followed = [*alone, Sentence.from_words("x", "other", ["fox"])]
    np.testing.assert_allclose(
        one_block(embedder, followed).views["last"][:2], one_block(embedder, alone).views["last"], atol=1e-5
    )
    same = [*alone, Sentence.from_words("x", "d", ["fox"])]
    assert not np.allclose(one_block(embedder, same).views["last"][:2], one_block(embedder, alone).views["last"], atol=1e-3)


def test_duplicate_texts_are_sentences_of_their_own(embedder):
    block = one_block(embedder, sentences_of("the dog", "the dog"))
    np.testing.assert_allclose(block.views["last"][:2], block.views["last"][2:], atol=1e-6)


def test_a_corpus_comes_in_blocks_that_together_hold_every_sentence_in_order(make_embedder):
    embedder = make_embedder(batching=Batching(64))
    sentences = sentences_of(*["the quick dog"] * 50, " ".join("a" * 200), "", "b")
    whole = one_block(embedder, sentences)
    blocks = list(make_embedder(batching=Batching(64), block_bytes=10_000).embed(sentences))
    assert len(blocks) > 2
    assert [sentence.id for block in blocks for sentence in block.sentences] == [sentence.id for sentence in sentences]
    np.testing.assert_allclose(np.concatenate([block.views["last"] for block in blocks]), whole.views["last"], atol=1e-5)


def test_equal_input_gives_equal_bytes(make_embedder):
    sentences = sentences_of("the dog", "a fox jumps", " ".join("a" * 200))
    one, other = (one_block(make_embedder(), sentences) for _ in range(2))
    assert all(one.views[view].tobytes() == other.views[view].tobytes() for view in LAST)


def test_every_subword_is_reported_as_progress(embedder):
    calls = []
    (block,) = embedder.embed(
        sentences_of("the dog", "", " ".join("a" * 200)), lambda part, whole, num_sentences: calls.append((part, whole))
    )
    assert calls[-1] == (len(block.subword_ids), len(block.subword_ids))
    assert calls == sorted(calls)


def test_float16_vectors_are_the_float32_ones_rounded(make_embedder):
    sentences = sentences_of("the dog", "a fox")
    half, whole = (one_block(make_embedder(dtype=dtype), sentences).views["last"] for dtype in ("float16", "float32"))
    assert half.dtype == np.float16
    assert (half == whole.astype(np.float16)).all()


def test_an_overflow_in_float16_names_view_layer_and_sentence(make_embedder):
    embedder = make_embedder(dtype="float16", views={"sum": View(NAMED["sum_last_four"]), "first": View(Layer(1))})
    with torch.no_grad():
        embedder.encoder._model.encoder.layer[2].output.LayerNorm.weight.mul_(1e6)
    with pytest.raises(
        NonFiniteError, match=r"sentence '0' for view 'sum': a value does not fit float16 .* layer 3 reaches \d+\."
    ):
        one_block(embedder, sentences_of("the dog"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_names_the_first_layer_that_has_it(bad, make_embedder):
    embedder = make_embedder(views={"all": View(NAMED["all"])})
    with torch.no_grad():
        embedder.encoder._model.encoder.layer[1].output.LayerNorm.bias.fill_(bad)
    with pytest.raises(
        NonFiniteError, match="sentence '0' for view 'all': layer 2 of the encoder has values that are not finite"
    ):
        one_block(embedder, sentences_of("the dog"))


def test_views_that_the_encoder_cannot_serve_are_all_named_at_once(make_embedder):
    views = {"high": View(Layer(NUM_LAYERS + 1)), "fine": View(Layer(0)), "cls": View(Layer(0), "sentence", "cls")}
    with pytest.raises(ConfigError) as raised:
        make_embedder("gpt2", views)
    assert [mistake.split(": ")[0] for mistake in raised.value.mistakes] == ["views.high.layers", "views.cls.pooling"]


def test_a_window_longer_than_the_encoders_is_refused(make_embedder):
    with pytest.raises(EncoderError, match=f"context.window: 4096 subwords, but the encoder takes at most {MAX_WINDOW}"):
        make_embedder(context=SentenceContext(window=4096))


def test_the_store_is_told_what_each_view_holds(make_embedder):
    infos = make_embedder(views={"all": View(NAMED["all"]), "cat": View(NAMED["concat_last_four"], pooling="mean")}).view_infos
    assert infos["all"].row_shape == (NUM_LAYERS + 1, HIDDEN_SIZE)
    assert infos["cat"].row_shape == (4 * HIDDEN_SIZE,)
    assert (infos["cat"].combination, infos["cat"].pooling, infos["cat"].layers) == ("concat_last_four", "mean", (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("unit", "pooling", "message"),
    [
        ("word", "cls", "pooling: 'cls' is not for a view of words; choose one of first, last, mean, max"),
        ("sentence", "first", "pooling: 'first' is not for a view of sentences; choose one of mean, max, cls, last"),
        ("subword", "mean", "pooling: 'mean', but a view of subwords is not pooled; leave it out"),
    ],
)
def test_a_pooling_that_is_not_for_the_unit_is_refused(unit, pooling, message):
    with pytest.raises(ValueError, match=message):
        View(Layer(0), unit, pooling)


@pytest.mark.parametrize("context", [SentenceContext(), DocumentContext()])
@pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 5), (4, None), (6, 7), (7, None)])
def test_a_part_of_a_corpus_has_the_same_vectors_as_in_the_whole(context, start, stop, make_embedder):
    embedder = make_embedder("roberta", {"last": View(NAMED["last"], "sentence")}, context=context)
    first = sentences_of("the dog", "a fox", "", "She went .", "a b c")
    corpus = [*first, *(Sentence.from_words(f"e{i}", "e", ["the", "bank"] * i) for i in range(3))]
    whole = one_block(embedder, corpus)
    part = next(embedder.embed(corpus, start=start, stop=stop))
    assert [sentence.id for sentence in part.sentences] == [sentence.id for sentence in corpus[start:stop]]
    np.testing.assert_allclose(part.views["last"], whole.views["last"][start:stop], atol=1e-5)


def refuse(monkeypatch, embedder, refuses):
    """Let the encoder refuse batches as a device without enough memory would."""
    encode, asked = embedder.encoder.encode, []

    def encode_some(batch, layers):
        asked.append(batch.input_ids.shape)
        if refuses(batch.input_ids):
            raise EncoderError("out of memory")
        return encode(batch, layers)

    monkeypatch.setattr(embedder.encoder, "encode", encode_some)
    return asked


def test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does(embedder, monkeypatch):
    sentences = sentences_of("the dog", "a fox", "a b", "She went", " ".join("a" * 200))
    whole = one_block(embedder, sentences)
    asked = refuse(monkeypatch, embedder, lambda ids: len(ids) > 2)
    halved = one_block(embedder, sentences)
    assert max(rows for rows, _ in asked) > 2
    for view in LAST:
        np.testing.assert_allclose(halved.views[view], whole.views[view], atol=1e-5)


def test_a_sentence_that_the_encoder_cannot_take_stops_the_run_and_is_named(embedder, monkeypatch):
    refuse(monkeypatch, embedder, lambda ids: ids.shape[1] > 20)
    with pytest.raises(EncoderError, match="embedding sentence '1': out of memory"):
        one_block(embedder, sentences_of("the dog", " ".join("a" * 60), "a fox"))


def test_a_sentence_that_fails_can_be_recorded_instead(make_embedder, monkeypatch):
    embedder = make_embedder(on_error="record")
    sentences = sentences_of("the dog", " ".join("a" * 300), "a fox")
    whole = one_block(embedder, sentences)
    refuse(monkeypatch, embedder, lambda ids: ids.shape[1] > 20)
    block = one_block(embedder, sentences)
    assert block.failures == {"1": "embedding sentence '1': out of memory"}
    assert [bool(flags & SentenceFlag.FAILED) for flags in block.sentence_flags] == [False, True, False]
    assert not block.views["last"][2:302].any() and not block.views["cls"][1].any()
    np.testing.assert_allclose(block.views["last"][302:], whole.views["last"][302:], atol=1e-5)


def test_a_sentence_whose_vectors_are_not_finite_can_be_recorded_instead(make_embedder):
    embedder = make_embedder(on_error="record")
    (known,) = embedder.tokenizer.tokenize(sentences_of("the"))
    with torch.no_grad():
        embedder.encoder._model.embeddings.word_embeddings.weight[known.subword_ids[0]] = float("nan")
    block = one_block(embedder, sentences_of("a dog", "the dog", "a fox"))
    assert list(block.failures) == ["1"] and "layer 4 of the encoder has values that are not finite" in block.failures["1"]
    assert block.views["last"].any(axis=1).tolist() == [True, True, False, False, True, True]
    assert np.isfinite(block.views["cls"]).all()


MANY = [" ".join(["the", "dog", "a", "fox", "sat", "."][number % 5 :]) + f" {number}" * (number % 7) for number in range(60)]


def counted(monkeypatch, embedder):
    """Count the windows that the encoder is given."""
    encode, given = embedder.encoder.encode, []
    monkeypatch.setattr(
        embedder.encoder, "encode", lambda batch, layers: given.append(len(batch.input_ids)) or encode(batch, layers)
    )
    return given


def test_repeated_sentences_go_through_the_encoder_once_and_have_equal_rows(embedder, monkeypatch):
    texts = ["the dog", "a fox", " ".join("a b" * 90), "", "She went ."]
    alone = one_block(embedder, sentences_of(*texts))
    num_windows = len(embedder_windows(embedder, sentences_of(*texts)))
    given = counted(monkeypatch, embedder)
    (block,) = embedder.embed(sentences_of(*texts * 3))
    assert sum(given) < num_windows + 1
    for view, rows in block.views.items():
        first, second, third = np.split(rows, 3)
        assert first.tobytes() == second.tobytes() == third.tobytes()
        np.testing.assert_allclose(first, alone.views[view], atol=1e-5)


def embedder_windows(embedder, sentences):
    windowed = embedder.context.windows(
        embedder.tokenizer.tokenize(sentences), embedder.window_size, embedder.tokenizer.special
    )
    return [window for sentence in windowed for window in sentence.windows]


def test_the_same_subwords_as_other_words_are_pooled_as_those_words(embedder, monkeypatch):
    given = counted(monkeypatch, embedder)
    whole = Sentence.from_text("0", "d", "a fox's")
    spans = ((0, 1), (2, 5), (5, 7))
    cut = Sentence("1", "d", "a fox's", spans)
    one = Sentence("2", "d", "a fox's", ((0, 7),))
    (block,) = embedder.embed([whole, cut, one])
    assert sum(given) == 1
    assert [len(sentence.words) for sentence in block.sentences][1:] == [3, 1]
    last = block.views["last"][-4:]
    np.testing.assert_array_equal(last[0], last[3])  # pooling first: the first subword of "a" and of all of it
    assert np.abs(last[0] - last[1]).max() > 1e-3


CUTS = {"dog": ((0, 3), (4, 9)), "as one": ((0, 9),), "fox": ((0, 2), (2, 9)), "nothing": ()}
EVERY_UNIT = LAST | {"subwords": View(NAMED["last"], "subword")}


@given(
    st.lists(st.sampled_from([("the", "dog"), ("a", "dog's", "fox"), ("",), "dog", "as one", "fox", "nothing"]), max_size=12)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_a_sentence_among_others_that_are_like_it_has_the_rows_that_it_has_alone(embedder, drawn):
    embedder = replace(embedder, views=EVERY_UNIT)

    def sentence(number, kind):
        if isinstance(kind, tuple):
            return Sentence.from_words(str(number), "d", kind)
        return Sentence(str(number), "d", "the fox's", CUTS[kind])

    together = list(embedder.embed([sentence(number, kind) for number, kind in enumerate(drawn)]))
    apart = [one_block(embedder, [sentence(0, kind)]) for kind in drawn]
    for view in EVERY_UNIT:
        for block in together:
            expected = np.concatenate([each.views[view] for each in apart])
            np.testing.assert_allclose(block.views[view], expected, atol=1e-5)


@pytest.mark.parametrize(
    "texts", [["the dog", "a fox", "the dog", "a fox"], ["the dog", "a fox", "the dog", "a b c", "the", "a fox", "the dog"]]
)
def test_of_repeated_sentences_that_fail_each_is_recorded_and_the_others_keep_their_rows(texts, make_embedder):
    embedder = make_embedder(on_error="record", views=EVERY_UNIT)
    fails = [text.startswith("the") for text in texts]
    fine = one_block(embedder, sentences_of(*(text for text in texts if not text.startswith("the"))))
    (known,) = embedder.tokenizer.tokenize(sentences_of("the"))
    with torch.no_grad():
        embedder.encoder._model.embeddings.word_embeddings.weight[known.subword_ids[0]] = float("nan")
    block = one_block(embedder, sentences_of(*texts))
    assert [bool(flags & SentenceFlag.FAILED) for flags in block.sentence_flags] == fails
    assert sorted(block.failures) == [str(number) for number, failed in enumerate(fails) if failed]
    assert all(f"sentence {id!r}" in reason for id, reason in block.failures.items())
    tokenized = list(embedder.tokenizer.tokenize(sentences_of(*texts)))
    num_rows = {
        "sentence": 1,
        "word": [len(each.word_offsets) for each in tokenized],
        "subword": [len(each.subword_ids) for each in tokenized],
    }
    for view, info in embedder.view_infos.items():
        failed = np.repeat(fails, num_rows[info.unit])
        assert not block.views[view][failed].any()
        np.testing.assert_allclose(block.views[view][~failed], fine.views[view], atol=1e-5)


def test_equal_sentences_in_different_places_of_a_document_have_rows_of_their_own(make_embedder):
    embedder = make_embedder(context=DocumentContext(), views=EVERY_UNIT)
    joined = make_embedder(views=EVERY_UNIT)
    for view in ("last", "subwords"):
        rows = one_block(embedder, sentences_of("the dog", "the dog", "the dog")).views[view]
        np.testing.assert_allclose(rows, one_block(joined, sentences_of("the dog the dog the dog")).views[view], atol=1e-5)


def test_sentences_are_not_taken_for_equal_in_other_documents_that_they_see(make_embedder):
    embedder = make_embedder(context=DocumentContext())
    texts = [["the dog", "sat ."], ["the dog", "ran away"], ["the dog", "sat ."]]
    corpus = [
        Sentence.from_words(f"{number}/{place}", str(number), text.split())
        for number, document in enumerate(texts)
        for place, text in enumerate(document)
    ]
    first, other, again = np.split(one_block(embedder, corpus).views["mean"], 3)
    assert first.tobytes() == again.tobytes()
    assert np.abs(first[0] - other[0]).max() > 1e-3


def test_how_many_batches_run_side_by_side_changes_no_byte(make_embedder, monkeypatch):
    def embed(num_threads):
        monkeypatch.setattr(Embedder, "num_threads", num_threads)
        (block,) = make_embedder(batching=Batching(40), dtype="float32").embed(sentences_of(*MANY, " ".join("a b c" * 90)))
        return {view: rows.tobytes() for view, rows in block.views.items()}

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert embed(1) == embed(2) == embed(7)
    finally:
        torch.set_num_threads(before)


def test_only_an_encoder_that_says_so_runs_in_several_threads(embedder, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert embedder.num_threads == 3
    monkeypatch.setattr(type(embedder.encoder), "is_thread_safe", False)
    assert embedder.num_threads == 1


def test_of_several_sentences_that_fail_the_one_of_the_first_batch_is_named(embedder, monkeypatch):
    monkeypatch.setattr(Embedder, "num_threads", 4)
    refuse(monkeypatch, embedder, lambda ids: ids.shape[1] > 20)
    texts = [" ".join("abcdefgh"[: 2 + number % 6]) * 9 for number in range(20)]
    longest = max(range(20), key=lambda number: len(embedder_windows(embedder, sentences_of(texts[number]))[0].input_ids))
    for _ in range(5):
        with pytest.raises(EncoderError, match=f"embedding sentence '{longest}'"):
            one_block(replace(embedder, batching=Batching(1)), sentences_of(*texts))
