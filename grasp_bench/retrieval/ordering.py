"""One meaning of "nearest" for every searcher, so that their answers can be compared.

Cosines of equal vectors differ in the last bits with the place of a row in a block. Similarities are
therefore compared rounded to 2⁻²⁰, and equal ones ordered by entity number: the order of cloned users is
then a matter of their numbers, not of rounding.
"""

from __future__ import annotations

from torch import Tensor

RESOLUTION = float(2**20)
NOBODY = -1


def rounded(similarities: Tensor) -> Tensor:
    """Similarities as whole multiples of 2⁻²⁰ (int64), the unit of comparison."""
    return (similarities.double() * RESOLUTION).round_().long()


def nearest_first(indices_BK: Tensor, similarities_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Order each row by rounded similarity, descending, then by entity number, ascending."""
    by_index = indices_BK.argsort(dim=1)
    indices_BK, similarities_BK = indices_BK.gather(1, by_index), similarities_BK.gather(1, by_index)
    order = rounded(similarities_BK).argsort(dim=1, descending=True, stable=True)
    return indices_BK.gather(1, order), similarities_BK.gather(1, order)
