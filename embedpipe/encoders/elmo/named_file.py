"""Files that a config names one by one."""

from __future__ import annotations

from pathlib import Path

from embedpipe.errors import EncoderError


def require_file(setting: str, name: str, expected: str) -> Path:
    """The path of a file that must be there.

    :param setting: What named it, for the message.
    :param expected: What it should be, for the message.
    :raises EncoderError: If it is not there, or not a file.
    """
    if "://" in name:
        raise EncoderError(f"{setting}: {name!r} is an address; download it, and give the path of the file: {expected}")
    path = Path(name).expanduser()
    try:
        if path.is_file():
            return path
        found = "is a folder" if path.is_dir() else "does not exist" if not path.exists() else "is not a file"
    except (OSError, ValueError) as error:
        raise EncoderError(f"{setting}: {name!r} cannot be opened: {error}; expected {expected}") from error
    raise EncoderError(f"{setting}: {name!r} {found}; expected {expected}")
