"""Entity tags: every common scheme brought to BIO."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"[BIESLUM]-.", re.DOTALL)
_CONTINUES = frozenset("IELM")
_ENDS = frozenset("ELSU")


def to_bio(tags: Sequence[str]) -> tuple[str, ...]:
    """Bring the tags of one sentence to BIO, where ``B-`` starts every entity and ``I-`` goes on in it.

    Takes IOB1 (``B-`` only between neighbours), BIO, BIOES, BILOU and BMES, told apart tag by tag: ``I-``, ``E-``, ``L-`` and
    ``M-`` go on in an open entity of their type and start one otherwise; ``E-``, ``L-``, ``S-`` and ``U-`` close it. Tags of
    which any is neither ``O`` nor of that form (parts of speech, say) come back as they are. Idempotent.

    :param tags: One a word.
    :returns: As many.
    """
    kinds = set(tags)
    if kinds == {"O"} or not all(tag == "O" or _TAG.match(tag) for tag in kinds):
        return tuple(tags)
    converted = []
    open_type = None
    for tag in tags:
        if tag == "O":
            converted.append(tag)
            open_type = None
            continue
        prefix, type = tag[0], tag[2:]
        goes_on = prefix in _CONTINUES and type == open_type
        converted.append(f"{'I' if goes_on else 'B'}-{type}")
        open_type = None if prefix in _ENDS else type
    return tuple(converted)
