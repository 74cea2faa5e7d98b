"""The encoder type ``static``: the vectors of a file of word2vec, GloVe or fastText."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from embedpipe.encoders.model_files import ModelFiles
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.encoders.outline import EncoderOutline
    from embedpipe.encoders.static.loaded import LoadedStatic


@dataclass(frozen=True)
class Static:
    """Word vectors without context: word2vec, GloVe, fastText. Its only layer is 0: "embeddings", which is also "last".

    The file is read once and kept as a table, in a file of the same name and ``.embedpipe`` beside it or, where that cannot be
    written, in the user's cache folder ($XDG_CACHE_HOME). Later runs map the table into memory.

    :param path: The file; may be compressed by gzip.
    :param format: Which of the formats it has: word2vec_text (with a line of two numbers on top; fastText's .vec, too),
        word2vec_binary, glove (text without that line), fasttext_binary (.bin). Left out: told by what is in the file.
    :param case: How a word is looked up: as_is; lower, in lower case only; fall_back, as it is, then in lower case, then with
        a capital first letter, then in capitals, whichever comes first.
    :param unknown: The vector of a word that the file does not have: zero; mean, of all vectors in the file; random, drawn by
        the word itself, so that it is the same in every run, as long as the file's vectors are on average; subwords, the mean
        of its character n-grams' (fasttext_binary only). Left out: subwords where there are any, else zero. Such words are
        flagged, whichever it is.
    :param normalize: Scale each vector to length 1.
    """

    path: str
    format: Literal["word2vec_text", "word2vec_binary", "glove", "fasttext_binary"] | None = None
    case: Literal["as_is", "lower", "fall_back"] = "fall_back"
    unknown: Literal["zero", "mean", "random", "subwords"] | None = None
    normalize: bool = False

    def __post_init__(self) -> None:
        if self.unknown == "subwords" and self.format not in (None, "fasttext_binary"):
            raise ValueError(f"unknown: 'subwords', but a file of format {self.format!r} has none; only fasttext_binary has")

    def find(self) -> ModelFiles:
        """Find the file.

        :raises EncoderError: If it is not there.
        """
        path = Path(self.path).expanduser()
        if path.is_dir():
            raise EncoderError(f"encoder.path: {self.path!r} is a folder; give the file of word vectors")
        if not path.is_file():
            raise EncoderError(
                f"encoder.path: the file {str(path.absolute())!r} does not exist; give a file of word vectors, such as "
                "glove.6B.300d.txt, GoogleNews-vectors-negative300.bin.gz or cc.en.300.bin"
            )
        return ModelFiles(self.path, path.parent, None, named=(path,))

    def outline(self, files: ModelFiles) -> EncoderOutline:
        """How long its vectors are, by their table or the beginning of the file; no vector is read.

        :raises EncoderError: If the file is not one of word vectors, or is damaged at its beginning.
        """
        from embedpipe.encoders.static.outline import outline

        return outline(files, self.format, self.unknown)

    def load(self, files: ModelFiles) -> LoadedStatic:
        """Map the table of the vectors into memory; the first time, make it.

        :raises EncoderError: If the file is not one of word vectors, or is damaged.
        """
        from embedpipe.encoders.static.loaded import LoadedStatic

        return LoadedStatic(files, self.format, case=self.case, unknown=self.unknown, normalize=self.normalize)
