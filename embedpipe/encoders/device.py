"""Which device and precision a model runs in."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

from embedpipe.errors import EncoderError

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]


def choose_device(device: str, setting: str = "encoder.device") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that this machine has.

    :param setting: What named it, for the messages.
    :raises EncoderError: If the machine does not have it.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise EncoderError(f"{setting}: {device!r} is not a device; give auto, cpu, cuda, cuda:N or mps") from error
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            there = f"has cuda:0 to cuda:{count - 1}" if count else "has no CUDA device"
            raise EncoderError(f"{setting}: {device!r} was asked for, but this machine {there}; 'auto' takes the best there is")
    elif chosen.type == "mps":
        if not torch.backends.mps.is_available():
            raise EncoderError(f"{setting}: 'mps' was asked for, but this machine has none; 'auto' takes the best")
    elif chosen.type != "cpu":
        raise EncoderError(f"{setting}: {device!r} is not supported; give auto, cpu, cuda, cuda:N or mps")
    return chosen


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of a precision.

    :raises EncoderError: If the device cannot compute in it.
    """
    if precision == "float16" and device.type == "cpu":
        raise EncoderError(
            "encoder.precision: float16 is not for the CPU, where it overflows and is slow; take bfloat16 or float32"
        )
    if precision == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise EncoderError(f"encoder.precision: {torch.cuda.get_device_name(device)} has no bfloat16; take float16 or float32")
    dtype: torch.dtype = getattr(torch, precision)
    return dtype
