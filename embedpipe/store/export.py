"""Writing what a store holds into a file of another format, which others read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from embedpipe.errors import StoreError
from embedpipe.store.durable import fsync_folder, partial_of
from embedpipe.store.reader import open_store

if TYPE_CHECKING:
    from embedpipe.store.reader import Store

ExportFormat: TypeAlias = Literal["npz", "parquet", "allennlp-elmo"]
EXPORT_FORMATS: tuple[str, ...] = get_args(ExportFormat)
OnRows: TypeAlias = Callable[[int, int], None]


def export_store(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    format: ExportFormat,
    *,
    views: Sequence[str] = (),
    on_progress: OnRows = lambda done, total: None,
) -> None:
    """Write views of a store into a file of another format. The file comes to its path when it is whole.

    - ``npz``: for numpy: an array a view, and the ids, words and offsets that say which row is what.
    - ``parquet``: a row a word (or sentence, or subword), with its text (of a pair, both), labels, and the vector of each view;
      needs pyarrow.
    - ``allennlp-elmo``: what AllenNLP's command ``allennlp elmo`` writes, for one view of words.

    :param path: Of the store.
    :param output: The file to write; nothing may be there.
    :param views: Which views; left out: all.
    :param on_progress: Called with the rows that are written, and how many there are.
    :raises StoreError: If the store cannot be read, something is at ``output``, it cannot be written, or the format cannot hold
        these views.
    :raises FeaturesError: If the store has no such view.
    """
    target = Path(output)
    doing = f"exporting {path} to {target}"
    _require_free(target, doing)
    partial = partial_of(target)
    with open_store(path) as store:
        chosen = {view: store.matrix(view) for view in views or store.views}
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(partial.unlink, missing_ok=True)
                _write(store, tuple(chosen), partial, format, doing, on_progress)
                _publish(partial, target, doing)
        except OSError as error:
            raise StoreError(f"{doing}: it cannot be written: {error.strerror or error}") from error


def _write(store: Store, views: tuple[str, ...], partial: Path, format: str, doing: str, on_progress: OnRows) -> None:
    if format == "npz":
        from embedpipe.store.export_npz import write_npz

        write_npz(store, views, partial, doing, on_progress)
    elif format == "parquet":
        from embedpipe.store.export_parquet import write_parquet

        write_parquet(store, views, partial, doing, on_progress)
    elif format == "allennlp-elmo":
        from embedpipe.store.export_allennlp_elmo import write_allennlp_elmo

        write_allennlp_elmo(store, views, partial, doing, on_progress)
    else:
        raise StoreError(f"{doing}: {format!r} is not a format to export to; choose one of {', '.join(EXPORT_FORMATS)}")


def _require_free(target: Path, doing: str) -> None:
    if os.path.lexists(target):
        raise StoreError(f"{doing}: something is there already, and nothing is replaced; choose another path, or remove it")
    if not target.parent.is_dir():
        raise StoreError(f"{doing}: the folder {str(target.parent)!r} does not exist; make it first")


def _publish(partial: Path, target: Path, doing: str) -> None:
    """Bring the whole file to the disk and to its path."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    _require_free(target, doing)
    partial.replace(target)
    fsync_folder(target.parent, "export")
