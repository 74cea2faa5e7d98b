"""Whether a transformer is causal: computes a subword from those before it only, as a decoder does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedpipe.encoders.model_files import ModelFiles

# fmt: off
_SEE_BOTH_SIDES = frozenset((
    "albert", "bart", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "eurobert", "longformer",
    "marian", "mbart", "modernbert", "mpnet", "mt5", "pegasus", "roberta", "t5", "umt5", "xlm-roberta", "xlm-roberta-xl",
    "xlnet",
))
# fmt: on
"""Common architectures of which config.json says enough: that a finished extraction is finished is told without torch."""


def is_causal(files: ModelFiles) -> bool:
    """Tell from config.json alone.

    :raises EncoderError: If it is not one of transformers.
    """
    try:
        config = json.loads((files.folder / "config.json").read_bytes())
        if config["model_type"] in _SEE_BOTH_SIDES and not config.get("is_decoder"):
            return False
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # transformers' own reader says what is wrong with it
    from embedpipe.encoders.outline import outline

    return outline(files).is_causal
