"""How fast ELMo is beside AllenNLP's loop, at the size of the original model and with random weights.

    python benchmarks/elmo.py [--turns 5] [--threads CORES] [--json FILE]

On sentences of the bundled sample, float32, on the CPU. The two take turns in one run, and the medians are compared:

- bilm, at batch size 1 and 32: the two layers of LSTMs alone, against the cell of AllenNLP (allennlp_light's
  LstmCellWithProjection, put together as AllenNLP's ElmoLstm does it)
- end to end, at batch size 32: words in, all three layers out, against the same with AllenNLP's character CNN before it
  (torch's convolutions, allennlp_light's Highway, every word of the padded batch)

Both get the same batches and the same threads: here a batch for each thread, as an extraction runs them; AllenNLP's loop
one batch after the other on all threads, as its command does, and also, where there are several, a batch for each thread.
The speedup is that over the faster of the two.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from allennlp_light.modules.highway import Highway
from allennlp_light.modules.lstm_cell_with_projection import LstmCellWithProjection
from torch import Tensor

from embedpipe import sample_path
from embedpipe.corpus import Conll2003
from embedpipe.dataflow import Batch, ReadLog
from embedpipe.encoders import Elmo
from embedpipe.encoders.elmo.loaded import LoadedElmo
from embedpipe.encoders.elmo.packed import Packing
from embedpipe.encoders.elmo.spelling import character_ids
from embedpipe.side_by_side import run_side_by_side

ORIGINAL: dict[str, Any] = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 512,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 4096,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}
LARGE_BATCH, NUM_LARGE = 32, 4
NUM_SINGLE = 32
Words = Sequence[str]
Run = Callable[[], list[Tensor]]


def write_random_weights(path: Path, options: dict[str, Any]) -> None:
    """A weights.hdf5 as AllenNLP publishes it."""
    random, lstm, cnn = np.random.default_rng(0), options["lstm"], options["char_cnn"]
    size, cell_size, characters = lstm["projection_dim"], lstm["dim"], cnn["embedding"]["dim"]
    num_filters = sum(count for _, count in cnn["filters"])
    shapes: dict[str, tuple[int, ...]] = {"char_embed": (261, characters)}
    for number, (width, count) in enumerate(cnn["filters"]):
        shapes |= {f"CNN/W_cnn_{number}": (1, width, characters, count), f"CNN/b_cnn_{number}": (count,)}
    for number in range(cnn["n_highway"]):
        for part in ("transform", "carry"):
            shapes |= {f"CNN_high_{number}/W_{part}": (num_filters,) * 2, f"CNN_high_{number}/b_{part}": (num_filters,)}
    shapes |= {"CNN_proj/W_proj": (num_filters, size), "CNN_proj/b_proj": (size,)}
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            shapes |= {f"{cell}/W_0": (2 * size, 4 * cell_size), f"{cell}/B": (4 * cell_size,)}
            shapes |= {f"{cell}/W_P_0": (cell_size, size)}
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            scale = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.1
            file[name] = random.standard_normal(shape, dtype=np.float32) * np.float32(scale)


class AllenNlpElmo(torch.nn.Module):
    """ELMo in the way of AllenNLP, from the weights of one that is loaded."""

    def __init__(self, elmo: LoadedElmo, options: dict[str, Any]) -> None:
        super().__init__()
        cnn = elmo._cnn
        self.characters, self.projection, self.bias = cnn.characters, cnn.projection, cnn.bias
        self.convolutions = torch.nn.ModuleList([_convolution(filters) for filters in cnn.filters])
        self.highways = Highway(len(self.projection), len(cnn.highways), activation=torch.relu)
        for layer, highway in zip(self.highways._layers, cnn.highways, strict=True):
            half = len(self.projection)
            layer.weight.data = highway.weight.t().clone()
            layer.bias.data = highway.bias.clone()
            layer.weight.data[half:] *= -1
            layer.bias.data[half:] *= -1
        lstm = options["lstm"]
        self.layers = torch.nn.ModuleList(
            [torch.nn.ModuleList([_cell(each, lstm) for each in lstms]) for lstms in elmo._bilm.layers]
        )

    def words(self, ids: Tensor) -> Tensor:
        """The character CNN. *Shape:* ``(num_sentences, length, max_characters)`` to ``(num_sentences, length, size)``."""
        embedded = torch.nn.functional.embedding(ids.flatten(0, 1), self.characters).transpose(1, 2)
        greatest = [torch.relu(convolution(embedded).max(dim=-1).values) for convolution in self.convolutions]
        return (self.highways(torch.cat(greatest, dim=-1)) @ self.projection + self.bias).view(*ids.shape[:2], -1)

    def bilm(self, words: Tensor, lengths: list[int]) -> list[Tensor]:
        """*Shape:* ``(num_sentences, length, size)``, the longest sentence first, to twice the size, of each layer."""
        outputs, inputs = [], [words, words]
        for number, cells in enumerate(self.layers):
            both = [cell(each, lengths)[0] for cell, each in zip(cells, inputs, strict=True)]
            inputs = [output + each for output, each in zip(both, inputs, strict=True)] if number else both
            outputs.append(torch.cat(inputs, dim=-1))
        return outputs

    def forward(self, sentences: Sequence[Words]) -> list[Tensor]:
        """From words to layers 0, 1, 2, without the sentences' boundaries; the longest sentence first."""
        lengths = [len(words) + 2 for words in sentences]
        ids = torch.zeros(len(sentences), max(lengths), 50, dtype=torch.int64)
        for row, words in enumerate(sentences):
            spelled = [chr(256), *(word.encode()[:48].decode("latin-1") for word in words), chr(257)]
            ids[row, : len(spelled)] = torch.from_numpy(character_ids(spelled, 50))
        words = self.words(ids)
        return [torch.cat([words, words], dim=-1), *self.bilm(words, lengths)]


def _convolution(filters: Any) -> torch.nn.Conv1d:
    size = filters.weight.shape[0] // filters.width
    convolution = torch.nn.Conv1d(size, filters.weight.shape[1], filters.width)
    convolution.weight.data = filters.weight.view(filters.width, size, -1).permute(2, 1, 0).contiguous()
    convolution.bias.data = filters.bias.clone()
    return convolution


def _cell(lstm: Any, options: dict[str, Any]) -> LstmCellWithProjection:
    size, cell_size = options["projection_dim"], options["dim"]
    cell = LstmCellWithProjection(
        size,
        size,
        cell_size,
        go_forward=not lstm.backward,
        memory_cell_clip_value=options["cell_clip"],
        state_projection_clip_value=options["proj_clip"],
    )
    input, forget, output, new = torch.arange(4 * cell_size).chunk(4)
    order = torch.cat([input, forget, new, output])
    cell.input_linearity.weight.data = lstm.of_input.matrix.t()[order].contiguous()
    cell.state_linearity.weight.data = lstm.of_state.matrix.t()[order].contiguous()
    cell.state_linearity.bias.data = lstm.bias[order].contiguous()
    cell.state_projection.weight.data = lstm.projection.t().contiguous()
    return cell


def batch_of(elmo: LoadedElmo, sentences: Sequence[Words]) -> Batch:
    """The batch as an extraction makes it."""
    special, longest = elmo.vocabulary.special, max(len(words) for words in sentences) + 2
    ids, mask = torch.zeros(2, len(sentences), longest, dtype=torch.int64)
    for row, words in enumerate(sentences):
        units = [id for word in words for id in elmo.vocabulary.units(word).inputs]
        ids[row, : len(units) + 2] = torch.tensor([*special.prefix, *units, *special.suffix])
        mask[row, : len(units) + 2] = 1
    return Batch(ids, mask)


def bilm_runs(elmo: LoadedElmo, theirs: AllenNlpElmo, batches: Sequence[Sequence[Words]]) -> dict[str, Run]:
    """The LSTMs alone, on ready-made vectors of words."""
    prepared = []
    for sentences in batches:
        batch = batch_of(elmo, sentences)
        packing = Packing.of(batch.attention_mask)
        packed = elmo._vectors(batch.input_ids.flatten()[packing.places])
        prepared.append((packing, packed, packing.unpack(packed), batch.attention_mask.sum(dim=1).tolist()))

    def ours(number: int) -> list[Tensor]:
        packing, packed, _, _ = prepared[number]
        states = elmo._bilm.new_states(len(packing.order))
        return [packing.unpack(layer) for layer in elmo._bilm(packed, packing.num_active, states)]

    return runs(ours, lambda number: theirs.bilm(*prepared[number][2:]), len(batches))


def end_to_end_runs(elmo: LoadedElmo, theirs: AllenNlpElmo, batches: Sequence[Sequence[Words]]) -> dict[str, Run]:
    """From words to all layers."""
    return runs(
        lambda number: list(elmo.encode(batch_of(elmo, batches[number]), range(3)).values()),
        lambda number: theirs(batches[number]),
        len(batches),
    )


def runs(ours: Callable[[int], list[Tensor]], theirs: Callable[[int], list[Tensor]], num_batches: int) -> dict[str, Run]:
    """Ways to run all batches, of each of which the functions are told the number."""
    threads = torch.get_num_threads()
    by_name = {"embedpipe": (ours, threads), "allennlp": (theirs, 1)}
    if threads > 1:
        by_name["allennlp_side_by_side"] = (theirs, threads)

    def run(function: Callable[[int], list[Tensor]], num_side_by_side: int) -> list[Tensor]:
        def without_gradients(number: int) -> list[Tensor]:
            with torch.inference_mode():  # a setting of the thread
                return function(number)

        return [
            layer for layers in run_side_by_side(without_gradients, range(num_batches), num_side_by_side) for layer in layers
        ]

    return {name: functools.partial(run, *way) for name, way in by_name.items()}


def compare(ways: dict[str, Run], turns: int, num_words: int) -> dict[str, Any]:
    """Medians of runs that take turns, and how far their results are apart."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    difference = 0.0
    for turn in range(turns + 1):
        results = []
        for name, run in ways.items():
            started = time.perf_counter()
            results.append(run())
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - started)
        for ours, *others in zip(*results, strict=True):
            real = (ours != 0).any(dim=-1, keepdim=True)  # no padding
            difference = max(difference, *(float(((ours - theirs) * real).abs().max()) for theirs in others))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    best = min(value for name, value in medians.items() if name != "embedpipe")
    return {
        "num_words": num_words,
        "seconds": {name: round(value, 4) for name, value in medians.items()},
        "words_per_second": {name: round(num_words / value, 1) for name, value in medians.items()},
        "speedup": round(best / medians["embedpipe"], 2),
        "largest_difference": difference,
    }


def measure(turns: int) -> dict[str, Any]:
    sample = [sentence.words for sentence in Conll2003(str(sample_path("sample.conll"))).sentences(ReadLog())]
    by_length = sorted(sample, key=len, reverse=True)
    single = [[words] for words in by_length[:: len(sample) // NUM_SINGLE][:NUM_SINGLE]]
    middle = by_length[(len(sample) - NUM_LARGE * LARGE_BATCH) // 2 :]
    large = [middle[start : start + LARGE_BATCH] for start in range(0, NUM_LARGE * LARGE_BATCH, LARGE_BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        options, weights = Path(folder) / "options.json", Path(folder) / "weights.hdf5"
        options.write_text(json.dumps(ORIGINAL), encoding="utf-8")
        write_random_weights(weights, ORIGINAL)
        settings = Elmo(str(options), str(weights), device="cpu")
        elmo = settings.load(settings.find())
    theirs = AllenNlpElmo(elmo, ORIGINAL)
    num_single, num_large = (sum(len(words) for batch in batches for words in batch) for batches in (single, large))
    with torch.inference_mode():
        return {
            "threads": torch.get_num_threads(),
            "turns": turns,
            "bilm_batch_1": compare(bilm_runs(elmo, theirs, single), turns, num_single),
            "bilm_batch_32": compare(bilm_runs(elmo, theirs, large), turns, num_large),
            "end_to_end_batch_32": compare(end_to_end_runs(elmo, theirs, large), turns, num_large),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = measure(arguments.turns)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
