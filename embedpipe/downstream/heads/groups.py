"""Which tags a row can have, where tags are told within groups: the senses of one lemma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from embedpipe.downstream.examples import NO_CODE

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from embedpipe.downstream.examples import Examples


@dataclass(frozen=True, slots=True)
class TagsOfGroups:
    """The tags that each group has in training.

    :param names: The groups, sorted.
    :param allowed: A line a group, and one with all tags for a group that was never seen. *Shape:*
        ``(num_groups + 1, num_tags)``, bool.
    """

    names: npt.NDArray[np.object_]
    allowed: Tensor

    def codes(self, groups: npt.NDArray[np.object_]) -> Tensor:
        """The line of each row's group. *Shape:* ``(num_rows,)``, int64."""
        if not len(self.names):
            return torch.zeros(len(groups), dtype=torch.int64)
        places = np.minimum(np.searchsorted(self.names, groups), len(self.names) - 1)
        return torch.from_numpy(np.where(self.names[places] == groups, places, len(self.names)))


def tags_of_groups(train: Examples) -> TagsOfGroups | None:
    """Find the tags of each group; ``None`` where the examples are not in groups."""
    if train.groups is None:
        return None
    has_tag = train.codes != NO_CODE
    names, lines = np.unique(train.groups[has_tag], return_inverse=True)
    allowed = torch.zeros((len(names) + 1, len(train.tags)), dtype=torch.bool)
    allowed[torch.from_numpy(lines), torch.from_numpy(train.codes[has_tag])] = True
    allowed[-1] = True
    return TagsOfGroups(names, allowed)
