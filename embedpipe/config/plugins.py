"""Importing the modules that register components of their own."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from embedpipe.errors import ConfigError

GROUP = "embedpipe.components"
"""Entry points of this group are modules (or classes in them) that register components; each is loaded once."""

_loaded: set[EntryPoint] = set()


def load_plugins(packages: Sequence[str] = ()) -> None:
    """Import the installed plug-ins, then the given packages with all their modules, so that they register their components.

    A package is looked for where Python looks, and then in the working directory.

    :param packages: Names as in ``import NAME``; the command line's ``--include-package``.
    :raises ConfigError: If there is no such package, or it fails while it is imported.
    """
    for entry_point in entry_points(group=GROUP):
        if entry_point not in _loaded:
            _load(entry_point)
            _loaded.add(entry_point)
    with _working_directory_importable():
        for package in packages:
            _import_with_submodules(package)


def _load(entry_point: EntryPoint) -> None:
    distribution = entry_point.dist.name if entry_point.dist is not None else "of an unknown distribution"
    try:
        entry_point.load()
    except Exception as error:
        mistake = f"its entry point {entry_point.name!r} ({entry_point.value}) failed while it was loaded: {_in_short(error)}"
        raise ConfigError(f"the installed plug-in {distribution}", [f"{mistake}; repair or uninstall it."]) from error


def _import_with_submodules(package: str) -> None:
    source = f"--include-package {package}"
    if package.endswith(".py") or not all(part.isidentifier() for part in package.split(".")):
        raise ConfigError(source, [f"{package!r} is not the name of a package; name it as in 'import NAME', not by its path."])
    try:
        module = importlib.import_module(package)
        for name in _submodules(module.__name__, getattr(module, "__path__", ())):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{package}.".startswith(f"{error.name}."):
            mistake = f"there is no package {error.name!r}: neither installed, nor on PYTHONPATH, nor in the working directory."
            raise ConfigError(source, [mistake]) from error
        raise ConfigError(source, [f"it failed while it was imported: {_in_short(error)}."]) from error
    except Exception as error:
        raise ConfigError(source, [f"it failed while it was imported: {_in_short(error)}."]) from error


def _submodules(package: str, path: Sequence[str]) -> Iterator[str]:
    """All modules below a package, a package before its own; those called ``__main__`` are programs."""
    for module in pkgutil.walk_packages(path, f"{package}."):
        if not module.name.endswith(".__main__"):
            yield module.name


@contextmanager
def _working_directory_importable() -> Iterator[None]:
    """Last on the path, so that nothing in it hides what is installed."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        reverse_index = sys.path[::-1].index(folder)
        del sys.path[len(sys.path) - 1 - reverse_index]


def _in_short(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, ConfigError):
        return f"{error.source}: {' '.join(error.mistakes)}".removesuffix(".")
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(".")
