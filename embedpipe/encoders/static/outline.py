"""What is known of a file of vectors without reading it: how long they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import SpecialSubwords, Units
from embedpipe.encoders.outline import EncoderOutline
from embedpipe.encoders.static.cache import kept_contents
from embedpipe.encoders.static.fasttext import read_settings
from embedpipe.encoders.static.loaded import choose_unknown
from embedpipe.encoders.static.recognize import Layout, recognize
from embedpipe.encoders.static.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.encoders.model_files import ModelFiles
    from embedpipe.encoders.static.loaded import Unknown
    from embedpipe.encoders.static.recognize import Format


class AnyWords:
    """Stands for a :class:`~embedpipe.encoders.static.vocabulary.StaticVocabulary` where words are but counted: a unit each."""

    special = SpecialSubwords((), (), 0, None)
    description: Mapping[str, Any] = {"class": "StaticVocabulary"}

    def units(self, word: str) -> Units:
        """A unit, but for an empty word."""
        return Units((0,), (0,)) if word else Units((), ())


def outline(files: ModelFiles, format: Format | None, unknown: Unknown | None) -> EncoderOutline:
    """Look at the table of the vectors, if there is one already, else at the beginning of the file.

    :raises EncoderError: If the file is not one of word vectors, or is damaged at its beginning.
    """
    layout, has_ngrams = _layout(files.named[0], format)
    choose_unknown(unknown, files.name, layout.format, has_ngrams=has_ngrams)
    return EncoderOutline(
        files=files.all,
        description={"model": files.name, "revision": None, "architecture": f"static vectors ({layout.format})"},
        num_layers=0,
        hidden_size=layout.vector_size,
        max_window=None,
        is_causal=False,
        vocabulary=AnyWords(),
    )


def _layout(path: Path, format: Format | None) -> tuple[Layout, bool]:
    """Format and length of the vectors, and whether there are some of n-grams."""
    if contents := kept_contents(path, format):
        return Layout(contents["format"], contents["num_words"], contents["vector_size"]), contents["ngrams"][-1] > 0
    layout = recognize(path, format)
    if layout.format != "fasttext_binary":
        return layout, False
    with open_source(path) as source:
        settings = read_settings(source)
    return layout._replace(vector_size=settings.vector_size), settings.ngrams.longest > 0 and settings.ngrams.num_buckets > 0
