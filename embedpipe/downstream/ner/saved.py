"""A tagger to a folder and back. Nothing in the folder is trusted: names come from tables, shapes from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from embedpipe.downstream.heads.fitted import FittedNetwork
from embedpipe.downstream.heads.head import Epoch, MixWeights
from embedpipe.downstream.heads.names import TRAINED_HEADS
from embedpipe.downstream.ner.layers_setting import layers_from_plain, layers_to_plain
from embedpipe.downstream.ner.model_folder import damaged, read_model, write_model
from embedpipe.downstream.ner.plain import from_plain
from embedpipe.downstream.ner.trained import Trained
from embedpipe.encoders.device import choose_device
from embedpipe.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.downstream.heads.network import Network
    from embedpipe.downstream.heads.trained import TrainedHead
    from embedpipe.downstream.ner.tagger import NerTagger

T = TypeVar("T", bound="NerTagger")
K = TypeVar("K")


def save(tagger: NerTagger, folder: Path) -> None:
    """Write a tagger.

    :raises ModelError: If it cannot be written, or its head or layers cannot be saved.
    """
    trained, fitted = tagger.trained, tagger.trained.fitted
    name = next((name for name, cls in TRAINED_HEADS.items() if type(tagger.head) is cls), None)
    if name is None or not isinstance(fitted, FittedNetwork):
        raise ModelError(
            f"head: a {type(tagger.head).__name__} cannot be saved; these can: {', '.join(TRAINED_HEADS)}. Keep the store and "
            "train again where it is needed."
        )
    description = {
        "head": {"type": name} | asdict(tagger.head),  # type: ignore[call-overload]
        "layers": layers_to_plain(tagger.layers),
        "label": tagger.label,
        "seed": tagger.seed,
        "tags": list(trained.tags),
        "view": trained.view,
        "row_shape": list(fitted.network.inputs.mean.shape),
        "mix": None if fitted.mix is None else asdict(fitted.mix),
        "epochs": [asdict(epoch) for epoch in fitted.epochs],
        "features": dict(trained.kind),
        "stores": dict(trained.stores),
        "config": None if trained.config is None else dict(trained.config),
        "model_files": dict(trained.model_files),
    }
    write_model(folder, description, fitted.network.state_dict())


def load(cls: type[T], folder: Path, device: str | None) -> T:
    """Read a tagger.

    :raises ModelError: If the folder holds no tagger, or a damaged one.
    :raises EncoderError: If the machine does not have the device.
    """
    description, tensors = read_model(folder)
    try:
        head = _read_head(description.get("head"))
        layers, view = layers_from_plain(description.get("layers")), _text(description, "view")
        tagger = cls(head, view, layers, _text(description, "label"), _whole(description, "seed"), device=device)
        tagger._trained = _read_trained(description, tensors, tagger.head)  # type: ignore[arg-type]
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise damaged(folder, " ".join(str(error).split())) from error
    return tagger


def _read_head(plain: Any) -> TrainedHead:
    if not isinstance(plain, Mapping) or plain.get("type") not in TRAINED_HEADS:
        raise ValueError(f"head: expected an object with the type of a head, found {plain!r:.60}")
    fields = {name: value for name, value in plain.items() if name != "type"}
    return from_plain(TRAINED_HEADS[plain["type"]], fields, "head")


def _read_trained(description: Mapping[str, Any], tensors: dict[str, Tensor], head: TrainedHead) -> Trained:
    tags = tuple(_list_of(description, "tags", str))
    if len(tags) < 2 or len(set(tags)) < len(tags):
        raise ValueError("tags: expected two or more different ones")
    plain_mix = description.get("mix")
    mix = None if plain_mix is None else from_plain(MixWeights, plain_mix, "mix")
    shape = tuple(_list_of(description, "row_shape", int))
    if not all(0 < size < 2**20 for size in shape) or len(shape) != (1 if mix is None else 2):
        raise ValueError(f"row_shape: found {list(shape)!r:.60}")
    if mix is not None and not len(mix.layers) == len(mix.weights) == len(mix.scalars) == shape[0]:
        raise ValueError("mix: expected a number for each layer")
    epochs = tuple(from_plain(Epoch, epoch, "epochs") for epoch in _list_of(description, "epochs", dict))
    device = choose_device(head.training.device, "device")
    network = _network(head, shape, tags, tensors).to(device)
    config = description.get("config")
    if config is not None and not isinstance(config, dict):
        raise ValueError(f"config: expected an object, found {config!r:.60}")
    kind, stores, files = (_texts(description, name) for name in ("features", "stores", "model_files"))
    fitted = FittedNetwork(head, network, tags, device, mix, epochs)
    return Trained(fitted, tags, _text(description, "view"), kind, stores, config, files)


def _network(head: TrainedHead, shape: tuple[int, ...], tags: tuple[str, ...], tensors: dict[str, Tensor]) -> Network:
    """Put the weights into a network without any, which takes no memory however large the settings say it is."""
    with torch.device("meta"):
        network = head.network(shape, tags)
    for name, expected in network.state_dict().items():
        if name in tensors and tensors[name].dtype != expected.dtype:
            raise ValueError(f"{name}: has dtype {tensors[name].dtype}, expected {expected.dtype}")
        if name in tensors and not bool(tensors[name].isfinite().all()):
            raise ValueError(f"{name}: has a number that is not finite")
    network.load_state_dict(tensors, assign=True)
    network.eval().requires_grad_(False)
    return network


def _text(description: Mapping[str, Any], name: str) -> str:
    return _of(str, description.get(name), name)


def _whole(description: Mapping[str, Any], name: str) -> int:
    return _of(int, description.get(name), name)


def _list_of(description: Mapping[str, Any], name: str, kind: type[K]) -> list[K]:
    return [_of(kind, item, name) for item in _of(list, description.get(name), name)]


def _texts(description: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: _of(str, value, name) for key, value in _of(dict, description.get(name), name).items()}


def _of(kind: type[K], value: Any, name: str) -> K:
    if type(value) is not kind:
        raise ValueError(f"{name}: expected {kind.__name__}, found {value!r:.60}")
    return value
