"""Few sizes that any number can be cut into: oneDNN makes a kernel for each size that it has not seen, and keeps it."""

from __future__ import annotations


def piece_sizes(length: int, *, bits: int, least: int) -> list[int]:
    """Sizes that add up: the leading bits of what is left, which are few different ones for each power of two.

    :param bits: How many; with three there are four sizes between a power of two and the next.
    :param least: A power of two; what is left below it stays as it is.
    """
    sizes = []
    while length:
        rest = max(length.bit_length() - bits, least.bit_length() - 1)
        sizes.append(length >> rest << rest or length)
        length -= sizes[-1]
    return sizes
