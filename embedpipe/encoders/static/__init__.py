"""Static word vectors: word2vec, GloVe, fastText. One vector a word, whatever the context.

``settings`` is what a config says. A file is recognized (``recognize``), read as a stream (``source``, ``text``, ``binary``,
``fasttext``) and written once as a table (``table_writer``) that later runs map into memory (``cache``, ``table``).
``vocabulary`` finds the row of a word, ``unknown`` what a word without one gets, and ``loaded`` looks vectors up.
"""

from embedpipe.encoders.static.settings import Static

__all__ = ["Static"]
