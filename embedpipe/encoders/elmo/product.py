"""Products of a few rows with a large matrix, which on a CPU take as long as it takes to get the matrix through the cache."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

_COLUMNS = 256
"""Of a block: a fifth to a quarter less time than with the whole matrix, for 2 to 128 rows, and as much for more."""


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix, whole or in blocks of columns; in both ways where single rows are many, for which the whole one is quicker.

    :param whole: *Shape:* ``(size_in, size_out)``.
    :param blocks: *Shape:* ``(num_blocks, size_in, columns)``.
    """

    whole: Tensor | None
    blocks: Tensor | None

    @classmethod
    def by(cls, matrix: Tensor, *, has_single_rows: bool) -> Product:
        """Lay a matrix out.

        :param matrix: *Shape:* ``(size_in, size_out)``.
        """
        size_in, size_out = matrix.shape
        if matrix.device.type != "cpu" or size_out % _COLUMNS or size_out == _COLUMNS:
            return cls(matrix.contiguous(), None)
        blocks = matrix.view(size_in, -1, _COLUMNS).transpose(0, 1).contiguous()
        return cls(matrix.contiguous() if has_single_rows else None, blocks)

    @property
    def matrix(self) -> Tensor:
        """*Shape:* ``(size_in, size_out)``."""
        if self.whole is not None:
            return self.whole
        assert self.blocks is not None
        return self.blocks.transpose(0, 1).flatten(1)

    def add_to(self, sums: Tensor, rows: Tensor) -> None:
        """Add the product of rows with the matrix, in place.

        :param sums: *Shape:* ``(num_rows, size_out)``, contiguous.
        :param rows: *Shape:* ``(num_rows, size_in)``.
        """
        if self.blocks is None or (len(rows) == 1 and self.whole is not None):
            sums.addmm_(rows, self.matrix)
            return
        num_blocks, _, columns = self.blocks.shape
        block_sums = sums.view(len(rows), num_blocks, columns).transpose(0, 1)
        block_sums.baddbmm_(rows.expand(num_blocks, *rows.shape), self.blocks)
