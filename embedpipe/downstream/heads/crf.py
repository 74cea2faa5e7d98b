"""A conditional random field over the tags of a sentence: AllenNLP's, with best paths found for a whole batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from allennlp_light.modules.conditional_random_field import ConditionalRandomField
from allennlp_light.modules.conditional_random_field.conditional_random_field import allowed_transitions

from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.packed import pad
from embedpipe.downstream.metrics import is_bio

if TYPE_CHECKING:
    from torch import Tensor

_ILLEGAL = -1e30
_EXCLUDED = -1e4


class Crf(torch.nn.Module):
    """Scores of tags in; their likelihood in training, the best legal path afterwards.

    :param tags: Where they are BIO, only BIO is legal; any other tags may follow each other as they like.
    """

    def __init__(self, tags: tuple[str, ...]) -> None:
        super().__init__()
        legal = allowed_transitions("BIO", dict(enumerate(tags))) if is_bio(tags) else None
        self.field = ConditionalRandomField(len(tags), legal)

    def forward(self, scores: Tensor, codes: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood, summed over the sentences; a row without a tag may have any.

        :param scores: *Shape:* ``(num_rows, num_tags)``.
        :param codes: *Shape:* ``(num_rows,)``.
        :param lengths: Rows of each sentence. *Shape:* ``(num_sentences,)``.
        :returns: *Shape:* ``()``.
        """
        lengths = lengths[lengths > 0]
        padded, mask = pad(scores, lengths)  # (num_sentences, max_length, num_tags)
        if bool((codes == NO_CODE).any()):
            return self._of_some_tags(padded, scores, codes, lengths, mask)
        negative: Tensor = -self.field(padded, pad(codes, lengths)[0], mask)
        return negative

    def _of_some_tags(self, padded: Tensor, scores: Tensor, codes: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """All paths that have the known tags, against all paths."""
        others = torch.arange(scores.shape[1], device=scores.device) != codes[:, None]  # (num_rows, num_tags)
        known, _ = pad(scores.masked_fill(others & (codes != NO_CODE)[:, None], _EXCLUDED), lengths)
        of_all = self.field._input_likelihood(padded, self.field.transitions, mask)
        of_known = self.field._input_likelihood(known, self.field.transitions, mask)
        negative: Tensor = (of_all - of_known).sum()
        return negative

    @torch.no_grad()
    def best_paths(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The most likely legal tags of each sentence.

        :param scores: *Shape:* ``(num_rows, num_tags)``.
        :param lengths: Rows of each sentence. *Shape:* ``(num_sentences,)``.
        :returns: *Shape:* ``(num_rows,)``, int64.
        """
        lengths = lengths[lengths > 0]
        if not len(lengths):
            return torch.zeros(0, dtype=torch.int64, device=scores.device)
        padded, mask = pad(scores, lengths)  # (num_sentences, max_length, num_tags)
        start, transitions, end = self._legal()
        best = padded[:, 0] + start  # (num_sentences, num_tags)
        same = torch.arange(scores.shape[1], device=scores.device).expand_as(best)
        came_from = []
        for place in range(1, padded.shape[1]):
            reached, previous = (best[:, :, None] + transitions).max(1)
            goes_on = mask[:, place, None]
            best = torch.where(goes_on, reached + padded[:, place], best)
            came_from.append(torch.where(goes_on, previous, same))
        path = [(best + end).argmax(1)]
        for previous in reversed(came_from):
            path.append(previous.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], 1)[mask]

    def _legal(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the start, of each step and of the end; what is not BIO is out of reach."""
        num_tags = self.field.num_tags
        illegal = self.field._constraint_mask == 0  # (num_tags + 2, num_tags + 2), start and end being the last two
        return (
            self.field.start_transitions.masked_fill(illegal[num_tags, :num_tags], _ILLEGAL),
            self.field.transitions.masked_fill(illegal[:num_tags, :num_tags], _ILLEGAL),
            self.field.end_transitions.masked_fill(illegal[:num_tags, num_tags + 1], _ILLEGAL),
        )
