"""Tiny ELMos with random weights, and what AllenNLP's own parts make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from allennlp_light.modules.highway import Highway
from allennlp_light.modules.lstm_cell_with_projection import LstmCellWithProjection

from embedpipe.batching import Batching
from embedpipe.dataflow import Sentence
from embedpipe.encoders import Elmo
from embedpipe.extraction import Embedder
from embedpipe.layers import NAMED
from embedpipe.subwords import WordTokenizer
from embedpipe.views import View

SIZE = 6


def options(**changes: Any) -> dict[str, Any]:
    """Options of a tiny ELMo; keys are ``lstm__dim`` and the like."""
    made: dict[str, Any] = {
        "lstm": {
            "cell_clip": 1.5,
            "proj_clip": 0.6,
            "use_skip_connections": True,
            "n_layers": 2,
            "projection_dim": SIZE,
            "dim": 10,
        },
        "char_cnn": {
            "embedding": {"dim": 3},
            "filters": [[1, 4], [2, 5], [4, 3]],
            "n_highway": 2,
            "n_characters": 262,
            "max_characters_per_token": 50,
            "activation": "relu",
        },
    }
    for key, value in changes.items():
        part, name = key.split("__")
        made[part][name] = value
    return made


def shapes(made: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    lstm, cnn = made["lstm"], made["char_cnn"]
    num_filters = sum(count for _, count in cnn["filters"])
    found: dict[str, tuple[int, ...]] = {"char_embed": (261, cnn["embedding"]["dim"])}
    for number, (width, count) in enumerate(cnn["filters"]):
        found[f"CNN/W_cnn_{number}"] = (1, width, cnn["embedding"]["dim"], count)
        found[f"CNN/b_cnn_{number}"] = (count,)
    for number in range(cnn["n_highway"]):
        for part in ("carry", "transform"):
            found[f"CNN_high_{number}/W_{part}"] = (num_filters, num_filters)
            found[f"CNN_high_{number}/b_{part}"] = (num_filters,)
    found |= {"CNN_proj/W_proj": (num_filters, lstm["projection_dim"]), "CNN_proj/b_proj": (lstm["projection_dim"],)}
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            name = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            found[f"{name}/W_0"] = (2 * lstm["projection_dim"], 4 * lstm["dim"])
            found[f"{name}/B"] = (4 * lstm["dim"],)
            found[f"{name}/W_P_0"] = (lstm["dim"], lstm["projection_dim"])
    return found


def write_elmo(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Write options.json and weights.hdf5."""
    folder.mkdir(parents=True, exist_ok=True)
    made, rng = options(**changes), np.random.default_rng(5)
    (folder / "options.json").write_text(json.dumps(made))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, shape in shapes(made).items():
            scale = min(0.6, 1.9 / shape[-2] ** 0.5) if len(shape) == 2 else 0.6  # larger ones make chaos of rounding errors
            file[name] = rng.normal(scale=scale, size=shape).astype(np.float32)
    return folder / "options.json", folder / "weights.hdf5"


def settings_of(files: tuple[Path, Path], **more: Any) -> Elmo:
    return Elmo(str(files[0]), str(files[1]), device="cpu", **more)


def embedder_of(settings: Elmo, budget: int = 4096, **more: Any) -> Embedder:
    encoder = settings.load(settings.find())
    views = {"all": View(NAMED["all"]), "mean": View(NAMED["last"], "sentence", "mean")}
    return Embedder(WordTokenizer(encoder.vocabulary), encoder, views, batching=Batching(budget), **more)


def sentences_of(texts: list[list[str]]) -> list[Sentence]:
    return [Sentence.from_words(str(number), "d", words) for number, words in enumerate(texts)]


def embed(embedder: Embedder, texts: list[list[str]], **more: Any) -> list[np.ndarray]:
    """The stacked layers of each sentence. *Shape:* ``(num_words, num_layers + 1, hidden_size)``."""
    rows = [block.views["all"] for block in embedder.embed(sentences_of(texts), **more)]
    lengths = [len(words) for words in texts[more.get("start", 0) :]]
    return np.split(np.concatenate(rows), np.cumsum(lengths)[:-1])


class Oracle:
    """ELMo written down from its definition, out of allennlp_light's parts, one sentence at a time."""

    def __init__(self, files: tuple[Path, Path]) -> None:
        self.options = json.loads(files[0].read_text())
        lstm, cnn = self.options["lstm"], self.options["char_cnn"]
        with h5py.File(files[1]) as file:
            arrays: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: arrays.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
        self.table = torch.from_numpy(np.concatenate([np.zeros_like(arrays["char_embed"][:1]), arrays["char_embed"]]))
        self.convolutions = []
        for number, (width, count) in enumerate(cnn["filters"]):
            convolution = torch.nn.Conv1d(cnn["embedding"]["dim"], count, width)
            convolution.weight.data = torch.from_numpy(arrays[f"CNN/W_cnn_{number}"].squeeze(0).transpose(2, 1, 0).copy())
            convolution.bias.data = torch.from_numpy(arrays[f"CNN/b_cnn_{number}"])
            self.convolutions.append(convolution)
        self.highways = Highway(sum(count for _, count in cnn["filters"]), cnn["n_highway"])
        for number, layer in enumerate(self.highways._layers):
            part = {name: arrays[f"CNN_high_{number}/{name}"] for name in ("W_carry", "W_transform", "b_carry", "b_transform")}
            layer.weight.data = torch.from_numpy(np.concatenate([part["W_transform"].T, -part["W_carry"].T]))
            layer.bias.data = torch.from_numpy(np.concatenate([part["b_transform"], -part["b_carry"]]))
        self.projection = torch.from_numpy(arrays["CNN_proj/W_proj"]), torch.from_numpy(arrays["CNN_proj/b_proj"])
        self.cells = [[self._cell(arrays, layer, direction) for direction in range(2)] for layer in range(lstm["n_layers"])]

    def _cell(self, arrays: dict[str, np.ndarray], layer: int, direction: int) -> LstmCellWithProjection:
        lstm = self.options["lstm"]
        size, cell_size = lstm["projection_dim"], lstm["dim"]
        cell = LstmCellWithProjection(
            size, size, cell_size, direction == 0, memory_cell_clip_value=lstm["cell_clip"], state_projection_clip_value=lstm["proj_clip"]
        )  # fmt: skip
        weights = {
            name: arrays[f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/{name}"] for name in ("W_0", "B", "W_P_0")
        }
        order = np.concatenate([np.arange(4 * cell_size).reshape(4, -1)[gate] for gate in (0, 2, 1, 3)])
        bias = weights["B"].copy()
        bias[2 * cell_size : 3 * cell_size] += 1
        cell.input_linearity.weight.data = torch.from_numpy(weights["W_0"].T[order, :size].copy())
        cell.state_linearity.weight.data = torch.from_numpy(weights["W_0"].T[order, size:].copy())
        cell.state_linearity.bias.data = torch.from_numpy(bias[order])
        cell.state_projection.weight.data = torch.from_numpy(weights["W_P_0"].T.copy())
        return cell

    def character_ids(self, word: str) -> list[int]:
        most = self.options["char_cnn"]["max_characters_per_token"]
        letters = {"<S>": [256], "</S>": [257]}.get(word) or list(word.encode("utf-8"))[: most - 2]
        ids = [258, *letters, 259]
        return [id + 1 for id in [*ids, *[260] * (most - len(ids))]]

    @torch.no_grad()
    def __call__(self, words: list[str], states: dict[Any, Any] | None = None) -> np.ndarray:
        """*Shape:* ``(num_words, num_layers + 1, hidden_size)``.

        :param states: Those that the sentence goes on from, and then those that it has left.
        """
        states = {} if states is None else states
        ids = torch.tensor([self.character_ids(word) for word in ["<S>", *words, "</S>"]])
        embedded = torch.nn.functional.embedding(ids, self.table).transpose(1, 2)
        activation = {"relu": torch.relu, "tanh": torch.tanh}[self.options["char_cnn"]["activation"]]
        filtered = torch.cat([activation(each(embedded).max(dim=-1).values) for each in self.convolutions], dim=-1)
        vectors = (self.highways(filtered) @ self.projection[0] + self.projection[1])[None]
        layers, inputs = [torch.cat([vectors, vectors], dim=-1)], [vectors, vectors]
        for number, cells in enumerate(self.cells):
            outputs = []
            for direction, cell in enumerate(cells):
                output, states[number, direction] = cell(inputs[direction], [len(ids)], states.get((number, direction)))
                outputs.append(
                    output + inputs[direction] if number and self.options["lstm"]["use_skip_connections"] else output
                )
            inputs = outputs
            layers.append(torch.cat(outputs, dim=-1))
        return torch.stack(layers, dim=2)[0, 1:-1].numpy()
