"""Makes the numbers of this folder with fastai 2.8.12, in an environment of its own (torch 2.13.0, spacy 3.8): python make_golden.py

Small random models in fastai's own files, what fastai makes of texts and words, and the output of each of its layers.
"""

import json
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import spacy
import torch
from fastai.learner import save_model
from fastai.optimizer import Adam
from fastai.text.core import BaseTokenizer, TokenizeWithRules, defaults, lowercase
from fastai.text.data import Numericalize, make_vocab, reverse_text
from fastai.text.models.awdlstm import AWD_LSTM
from fastai.text.models.core import get_language_model
from fastcore.basics import compose

HERE = Path(__file__).parent
CONFIG = {
    "emb_sz": 12,
    "n_hid": 20,
    "n_layers": 3,
    "pad_token": 1,
    "bidir": False,
    "output_p": 0.1,
    "hidden_p": 0.15,
    "input_p": 0.25,
    "embed_p": 0.02,
    "weight_p": 0.2,
    "tie_weights": True,
    "out_bias": True,
}
TEXTS = [
    "Berlin is the capital of Germany .",
    "NATO said no",
    "sooooo good ! ! and/or #1",
    "I live in Berlin",
    "A",
    "the zebra saw Germany in the sea of sea and ice",
]
WORDS = list(json.loads((HERE / "words.json").read_text(encoding="utf-8")))  # add one, with anything behind it, and run this


def language_model(seed, vocab_sz):
    torch.manual_seed(seed)
    model = get_language_model(AWD_LSTM, vocab_sz, CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6 if parameter.shape == (vocab_sz, CONFIG["emb_sz"]) else 1.7)
    return model


def train_a_step(model, ids):
    """One step with dropout, so that the optimizer has a state, and the wrapped module a dropped-out weight."""
    opt = Adam(list(model.parameters()), lr=1e-3)
    model.train()
    model.reset()
    out = model(ids)[0]
    torch.nn.functional.cross_entropy(out[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    opt.step()
    return opt


def layers_of(model, ids):
    """What comes out of the embedding and of each LSTM, for one text."""
    encoder, outputs = model.eval()[0], []
    handles = [
        part.register_forward_hook(
            lambda _m, _i, out: outputs.append((out[0] if isinstance(out, tuple) else out)[0].numpy().copy())
        )
        for part in [encoder.encoder_dp, *encoder.rnns]
    ]
    with torch.no_grad():
        encoder.reset()
        encoder(ids[None])
    for handle in handles:
        handle.remove()
    return outputs


def main():
    rules = compose(*defaults.text_proc_rules[:-1], lambda text: lowercase(text, add_bos=False))
    split = spacy.blank("en").tokenizer
    (HERE / "words.json").write_text(
        json.dumps(
            {word: {"rules": rules(word).split(), "spacy": [str(w) for w in split(rules(word)) if str(w).strip()]} for word in WORDS},
            ensure_ascii=False, indent=0,
        )
    )  # fmt: skip
    texts = [list(words) for words in TokenizeWithRules(BaseTokenizer())(TEXTS)]
    words = [word for text in texts for word in text if word]
    vocab = make_vocab(Counter(word for word in words if word != "zebra"), min_freq=1)
    with (HERE / "itos.pkl").open("wb") as file:
        pickle.dump(vocab, file)
    forward, backward = (language_model(seed, len(vocab)) for seed in (7, 8))
    numericalize = Numericalize(vocab=vocab)
    ids = [torch.tensor([int(i) for i in numericalize([word for word in text if word])]) for text in texts]
    save_model(HERE / "forward.pth", forward, train_a_step(forward, torch.stack([ids[0][:8]])), with_opt=True)
    save_model(HERE / "backward.pth", backward, None)
    numbers = {}
    for number, text in enumerate(ids):
        numbers[f"{number}.ids"] = text.numpy()
        for layer, out in enumerate(layers_of(forward, text)):
            numbers[f"{number}.forward.{layer}"] = out
        for layer, out in enumerate(layers_of(backward, reverse_text(text))):
            numbers[f"{number}.backward.{layer}"] = out[::-1]
    np.savez_compressed(HERE / "layers.npz", **numbers)
    (HERE / "texts.json").write_text(json.dumps(TEXTS))


main()
