"""Histories of all users in one array; where the order of a file decides their order, and how to shuffle it.

Publishers' files are often sorted by item id, then stably by time, and their times may be as coarse as days.
Items of one time then ascend by id, and the last item of a history is the one with the highest id. If a share
s of neighbours has one time and the others ascend by chance (a half), then (1 + s) / 2 of all ascend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.times import NO_TIMES
from grasp_bench.spec.repair import Repair


@dataclass(frozen=True, eq=False)
class Sequences:
    """All histories in turn, oldest interaction first.

    Users are numbered by first appearance in the filtered file; items by first appearance when the histories
    are read user by user, before any shuffling. `items` (R,) int32, `offsets` (num_users + 1,) int64,
    `orders` (R,) the value that each row was ordered by.
    """

    user_ids: list[str]
    item_ids: list[str]
    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    orders: NDArray[np.int64] | NDArray[np.float64]

    @property
    def num_users(self) -> int:
        """Users with at least one interaction."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """Items with at least one interaction."""
        return len(self.item_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions of each user, (num_users,) int64."""
        return np.diff(self.offsets)

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Mask (R,) of rows with the order value of the same user's row before."""
        same = (np.diff(self.users) == 0) & (np.diff(self.orders) == 0)
        return np.concatenate([[False], same])[: len(self.items)]

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each row, (R,) int32."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), self.lengths)


def has_only_positions(sequences: Sequences, order: str) -> bool:
    """True when the column `order` holds no times but counts each user's interactions from 0 or 1."""
    places = np.arange(len(sequences.items)) - sequences.offsets[:-1][sequences.users]
    return order in NO_TIMES or any(np.array_equal(sequences.orders, places + start) for start in (0, 1))


FAR_OUT = 5.0  # standard errors of the binomial distribution
LEAST_SHARE = 0.02  # a smaller share of ties changes no conclusion, however sure it is

Ranks = NDArray[np.int64]

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ascent:
    """The number of pairs of different ids, and of those whose later id is the higher."""

    pairs: int
    ascending: int

    @property
    def share(self) -> float:
        """The share p that ascends; a half if there is no pair."""
        return self.ascending / self.pairs if self.pairs else 0.5

    @property
    def implied_ties(self) -> float:
        """The share of ties that explains p: 2p - 1, at least 0."""
        return max(0.0, 2 * self.share - 1)

    @property
    def beyond_chance(self) -> bool:
        """True when chance does not explain the share, and the share matters."""
        z = (2 * self.ascending - self.pairs) / math.sqrt(self.pairs) if self.pairs else 0.0
        return z > FAR_OUT and self.implied_ties > LEAST_SHARE


def id_ranks(ids: Sequence[str]) -> Ranks:
    """Rank the ids (n,), equal ids alike: as whole numbers if all are, else as text."""
    if all(each.isascii() and each.isdigit() for each in ids):
        return _places([int(each) for each in ids])
    return _places(ids)


def _places(keys: Sequence[Any]) -> Ranks:
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    return np.array([places[key] for key in keys], dtype=np.int64)


def ascent(before: Ranks, after: Ranks) -> Ascent:
    """Count the pairs (P,) of ranks that ascend; pairs of equal ids are left out."""
    return Ascent(int((before != after).sum()), int((after > before).sum()))


def numbered_by_appearance(ranks: Ranks) -> bool:
    """True when ids grow in the order of their first appearance in the file (`ranks` are in that order).

    Such ids ascend along the histories anyway, and show nothing about ties.
    """
    if len(ranks) < 3 or (ranks == ranks[0]).all():
        return False
    return bool(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1] > 0.5)


def reordered(sequences: Sequences, order: str, repair: Repair, name: str) -> Sequences:
    """Apply `time_ties` and `ascending_runs`; `order` names the column that histories are ordered by.

    Raises DataError, naming the dataset, when a key does not apply to such data.
    """
    if repair.reordering is None:
        return sequences
    places = has_only_positions(sequences, order)
    if repair.ascending_runs == "shuffle":
        if not places:
            raise DataError(
                f"{name}: ascending_runs: shuffle is for files without times, but '{order}' holds times",
                hint="set dataset.repair.time_ties: shuffle (or block), and leave ascending_runs out",
            )
        return shuffled(sequences, starts_of_runs(sequences), repair.order_seed)
    if places:
        raise DataError(
            f"{name}: time_ties: {repair.time_ties} needs times, but histories are ordered by '{order}', "
            "which says only which interaction of a user came first",
            hint="set dataset.columns.order to a column of times; without times there is "
            "dataset.repair.ascending_runs: shuffle",
        )
    return shuffled(sequences, ~sequences.tied, repair.order_seed)


def starts_of_runs(sequences: Sequences) -> Bools:
    """Mask (R,) of rows whose id is below that of the row before, or whose user differs."""
    ranks = id_ranks(sequences.item_ids)[sequences.items]
    return np.concatenate([[True], (np.diff(ranks) < 0) | (np.diff(sequences.users) != 0)])[: len(ranks)]


def shuffled(sequences: Sequences, begins: Bools, seed: int) -> Sequences:
    """Shuffle items within groups, leaving times in place; `begins` (R,) is true where a group begins."""
    keys = np.random.default_rng(seed).random(len(begins))
    return replace(sequences, items=sequences.items[np.lexsort((keys, np.cumsum(begins)))])
