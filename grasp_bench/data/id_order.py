"""Do neighbours in a history ascend by item id? Where ids decide the order of a file, ties in time show so.

A file sorted by item id, then stably by time, leaves items of one time in ascending order of their ids. If a
share s of neighbours has one time and the others ascend by chance (a half), then (1 + s) / 2 of all ascend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAR_OUT = 5.0  # standard errors of the binomial distribution
LEAST_SHARE = 0.02  # a smaller share of ties changes no conclusion, however sure it is

Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Ascent:
    """Of so many pairs of different ids, those of which the later id is the higher."""

    pairs: int
    ascending: int

    @property
    def share(self) -> float:
        """The share p that ascends; a half where there is no pair."""
        return self.ascending / self.pairs if self.pairs else 0.5

    @property
    def implied_ties(self) -> float:
        """The share of ties that makes so many ascend: 2p - 1, never below 0."""
        return max(0.0, 2 * self.share - 1)

    @property
    def beyond_chance(self) -> bool:
        """Whether neither chance nor a trifle explains it."""
        z = (2 * self.ascending - self.pairs) / math.sqrt(self.pairs) if self.pairs else 0.0
        return z > FAR_OUT and self.implied_ties > LEAST_SHARE


def id_ranks(ids: Sequence[str]) -> Ranks:
    """The place of each id among all, equal ones alike: as whole numbers if all are, else as text; (n,)."""
    if all(each.isascii() and each.isdigit() for each in ids):
        return _places([int(each) for each in ids])
    return _places(ids)


def _places(keys: Sequence[Any]) -> Ranks:
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    return np.array([places[key] for key in keys], dtype=np.int64)


def ascent(before: Ranks, after: Ranks) -> Ascent:
    """Count over pairs (P,) of ranks; pairs of equal ids are left out."""
    return Ascent(int((before != after).sum()), int((after > before).sum()))


def numbered_by_appearance(ranks: Ranks) -> bool:
    """Whether ids grow in the order in which the file first names them: `ranks` of items in that order.

    Such numbers ascend along the histories by themselves, and tell nothing of ties.
    """
    if len(ranks) < 3 or (ranks == ranks[0]).all():
        return False
    return bool(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1] > 0.5)
