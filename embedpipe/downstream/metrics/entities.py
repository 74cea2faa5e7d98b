"""Entities in BIO tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

Rule: TypeAlias = Literal["strict", "conlleval"]
"""What an ``I-`` is that goes on in nothing, behind ``O`` or an entity of another type: to ``"strict"`` (seqeval's mode of that
name with its scheme IOB2) it is no part of an entity, to ``"conlleval"`` (the script of the CoNLL shared tasks) it starts one.
On legal BIO, where ``B-`` starts every entity, the two are the same."""

Entity: TypeAlias = tuple[int, int, str]
"""First word, word behind the last one, type."""


def entities(tags: Sequence[str | None], rule: Rule = "strict") -> set[Entity]:
    """Find the entities in the tags of one sentence.

    :param tags: One a word; ``None`` is taken for ``O``.
    :param rule: Which tags start an entity.
    """
    starting = ("B-",) if rule == "strict" else ("B-", "I-")
    found: set[Entity] = set()
    start, kind = 0, ""  # of the open entity; no type: none is open
    for index, tag in enumerate([*tags, None]):
        if tag is None or tag == "O":
            if kind:
                found.add((start, index, kind))
                kind = ""
        elif not (kind and tag[0] == "I" and tag[2:] == kind):
            if kind:
                found.add((start, index, kind))
            start, kind = index, tag[2:] if tag.startswith(starting) else ""
    return found


def is_bio(tags: Iterable[str | None]) -> bool:
    """Whether these can be the tags of entities: each one is ``O``, ``B-`` with a type or ``I-`` with a type."""
    kinds = set(tags) - {None}
    return bool(kinds) and all(tag == "O" or (tag is not None and tag[:2] in ("B-", "I-") and len(tag) > 2) for tag in kinds)
