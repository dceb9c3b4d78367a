"""Draw the sampled candidates: negatives per dataset and seed, shared by all methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.splits import Ints, Offsets

ROWS_AT_ONCE = 8192  # changes the result: rows of a chunk share a stream of random numbers


def draw(
    users: Ints,
    history_items: Ints,
    history_offsets: Offsets,
    num_items: int,
    negatives: int,
    seed: int | Sequence[int],
    user_ids: Sequence[str] | None = None,
) -> Ints:
    """Draw `negatives` distinct items per row, uniformly from the items outside the user's history.

    `users` (R,) are the rows. The history, flat with (num_users + 1,) offsets, should include held-out items
    (`Split.whole_history`), so that a negative is never a positive. Returns (R, negatives) int32, each row in
    random order; the same arguments give the same table. Raises DataError when the catalogue is too small for
    a user, naming the id in `user_ids`.
    """
    starts, keys, sizes = _distinct_histories(history_items, history_offsets, num_items)
    available = num_items - sizes
    _check_catalogue(users, available, negatives, user_ids)
    rng = np.random.default_rng(seed)
    table = np.empty((len(users), negatives), dtype=np.int32)
    for begin in range(0, len(users), ROWS_AT_ONCE):
        rows = users[begin : begin + ROWS_AT_ONCE].astype(np.int64)
        ranks = _distinct_ranks(rng, available[rows], negatives)
        # The item of rank r among those outside a history h_0 < h_1 < … is r + #{j: h_j - j <= r}.
        wanted = rows[:, None] * (num_items + 1) + ranks
        skipped = np.searchsorted(keys, wanted, side="right") - starts[rows][:, None]
        table[begin : begin + ROWS_AT_ONCE] = ranks + skipped
    return table


def smallest_choice(users: Ints, history_items: Ints, history_offsets: Offsets, num_items: int) -> int:
    """The smallest number of items outside a user's history; num_items without users."""
    sizes = _distinct_histories(history_items, history_offsets, num_items)[2]
    return num_items - int(sizes[users].max(initial=0))


def _distinct_histories(
    items: Ints, offsets: Offsets, num_items: int
) -> tuple[Offsets, NDArray[np.int64], NDArray[np.int64]]:
    """Return per user its first key and number of keys, and all keys user * (num_items + 1) + h_j - j."""
    num_users = len(offsets) - 1
    users = np.repeat(np.arange(num_users, dtype=np.int64), np.diff(offsets))
    pairs = np.unique(users * num_items + items)
    owners, members = pairs // num_items, pairs % num_items
    sizes = np.bincount(owners, minlength=num_users)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(len(pairs)) - starts[owners]
    return starts[:-1], owners * (num_items + 1) + members - places, sizes


def _distinct_ranks(
    rng: np.random.Generator, available: NDArray[np.int64], negatives: int
) -> NDArray[np.int64]:
    """Draw `negatives` distinct numbers below `available` for each row, uniform over such sets.

    Floyd's algorithm (Bentley & Floyd 1987, "A sample of brilliance") over all rows at once: exact, without
    rejection, for any share of the catalogue.
    """
    chosen = np.empty((negatives, len(available)), dtype=np.int64)
    for step in range(negatives):
        top = available - negatives + step
        guess = (rng.random(len(available)) * (top + 1)).astype(np.int64)
        taken = (chosen[:step] == guess).any(axis=0)
        chosen[step] = np.where(taken, top, guess)
    # Floyd's sets are uniform but their order is not; a reader may take the first columns alone.
    return rng.permuted(chosen, axis=0).T


def _check_catalogue(
    users: Ints, available: NDArray[np.int64], negatives: int, user_ids: Sequence[str] | None
) -> None:
    short = users[available[users] < negatives]
    if not len(short):
        return
    worst = int(short[np.argmin(available[short])])
    name = f"'{user_ids[worst]}'" if user_ids is not None else f"number {worst}"
    raise DataError(
        f"user {name} leaves {available[worst]} items to draw {negatives} negatives from "
        f"({len(short)} such users)",
        hint=f"set dataset.protocol.negatives to at most {available[worst]}, or leave such users out"
        if available[worst] > 0
        else "a user who has every item has no negatives: leave such users out of the data, or lower "
        "dataset.min_item if that brings more items into the catalogue",
    )
