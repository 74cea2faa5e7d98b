"""What fastai's rules make of a word, before the vocabulary is asked."""

from __future__ import annotations

import html
import re

UNK, PAD, BOS, REP, WREP, UP, MAJ = "xxunk", "xxpad", "xxbos", "xxrep", "xxwrep", "xxup", "xxmaj"
"""The marks that the rules and the model use."""

_HTML = (
    ("#39;", "'"),
    ("amp;", "&"),
    ("#146;", "'"),
    ("nbsp;", " "),
    ("#36;", "$"),
    ("\\n", "\n"),
    ("quot;", "'"),
    ("<br />", "\n"),
    ('\\"', '"'),
    ("<unk>", UNK),
    (" @.@ ", "."),
    (" @-@ ", "-"),
    ("...", " …"),
)
_REPEATED_SIGN = re.compile(r"(\S)(\1{2,})")
_REPEATED_WORD = re.compile(r"(?:\s|^)(\w+)\s+((?:\1\s+)+)\1(\s|\W|$)")
_APART = re.compile(r"([/#\\])")
_SPACES = re.compile(" {2,}")
_ALL_CAPS = re.compile(r"(\s|^)([A-Z]+[^a-z\s]*)(?=(\s|$))")
_CAPITAL = re.compile(r"(\s|^)([A-Z][^A-Z\s]*)(?=(\s|$))")
_WRITTEN_OUT = re.compile(r"(?<!\w)xx(?:unk|pad|bos|eos|fld|rep|wrep|up|maj)(?!\w)", re.IGNORECASE)

_CLITIC = re.compile(r"(.*?)(n['’]t|['’](?:s|re|ve|ll|d|m))", re.DOTALL)
_SIGNS = r"!-/:-@\[-`{-~¡§«¶·»¿\u2010-\u205e\u3001-\u303f"
_WORD_OR_SIGN = re.compile(rf"[^\s{_SIGNS}]+(?:['’.,:&@_][^\s{_SIGNS}]+)*|[{_SIGNS}]")


def apply_rules(word: str) -> list[str]:
    """Apply the rules of fastai 2 (``defaults.text_proc_rules``), in its order.

    ``Berlin`` is ``xxmaj berlin``, ``NATO`` is ``xxup nato``, ``sooo`` is ``s xxrep 3 o``, ``and/or`` is ``and / or``.
    fastai applies them to a whole text; only its rule for repeated words looks beyond a word, and finds nothing in one (unless
    it has spaces in it), so that each of the words keeps units of its own.

    :returns: The pieces; none for white space. A mark that the word itself has written out is text, and unknown.
    """
    if _WRITTEN_OUT.search(word):
        return [UNK]
    text = word
    for written, meant in _HTML:
        text = text.replace(written, meant)
    text = html.unescape(text)
    text = _REPEATED_SIGN.sub(lambda match: f" {REP} {len(match[2]) + 1} {match[1]} ", text)
    text = _REPEATED_WORD.sub(lambda match: f" {WREP} {len(match[2].split()) + 2} {match[1]} {match[3]}", text)
    text = _SPACES.sub(" ", _APART.sub(r" \1 ", text))
    for mark, pattern in ((UP, _ALL_CAPS), (MAJ, _CAPITAL)):
        text = pattern.sub(lambda match, mark=mark: _lowered(match, mark), text)  # type: ignore[misc]
    return text.lower().split()


def cut_further(piece: str) -> list[str]:
    """Cut a piece as spaCy cuts English, which fastai leaves it to: ``n't`` and ``'s`` off, at hyphens and other signs.

    Corpora cut words as they will; of a piece that the vocabulary has not, these parts often are in it.
    """
    match = _CLITIC.fullmatch(piece)
    stem, clitic = (match[1], [match[2]]) if match else (piece, [])
    return _WORD_OR_SIGN.findall(stem) + clitic


def _lowered(match: re.Match[str], mark: str) -> str:
    return f"{match[1]}{mark} {match[2].lower()}" if len(match[2]) > 1 else f"{match[1]}{match[2].lower()}"
