"""How the published sets were filtered: which reviews stay, and in which order.

Reviews are read once. Each goes, as a short line, to a temporary file, while two sieves count users and
items; the second pass, over the short lines, stores only what the sieves cannot rule out. So memory
depends on what stays and not on what was read.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.filters import iterated
from grasp_bench.data.raw.reviews import Review
from grasp_bench.data.raw.sieve import Sieve

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """`rating_above`: reviews with no more are dropped, before anything is counted; None keeps all.

    `iterated`: users below `min_user` and items below `min_item` are dropped to a fixed point; users
    come in the order of their first review with a rating above. `single_pass`: a review stays when its
    user and its item have so many reviews in the whole file; users come in the order of their first
    review that stays.
    """

    min_user: int
    min_item: int
    core: Literal["iterated", "single_pass"]
    rating_above: float | None = None


@dataclass(frozen=True, eq=False)
class Kept:
    """Reviews that stay, grouped by user, oldest first, ties as in the file; `users[k]` and so on, (R,).

    `read` and `rated` count the reviews of the file, and those of them that have a rating to speak of.
    """

    users: list[str]
    items: list[str]
    ratings: NDArray[np.float64]
    times: Longs
    read: int
    rated: int


@dataclass
class _Pool:
    """Ids that may stay: numbered by first appearance, with exact counts."""

    least: int
    sieve: Sieve = field(default_factory=Sieve)
    numbers: dict[bytes, int] = field(default_factory=dict)
    counts: array[int] = field(default_factory=lambda: array("q"))

    def number(self, key: bytes) -> int | None:
        """Count an occurrence and return the id's number; None when the id is rare for certain."""
        if not self.sieve.may_reach(key, self.least):
            return None
        number = self.numbers.setdefault(key, len(self.numbers))
        if number == len(self.counts):
            self.counts.append(0)
        self.counts[number] += 1
        return number


def keep(reviews: Iterable[Review], rule: Rule, scratch: Path) -> Kept:
    """Apply a rule to reviews in the order of their file; `scratch` is a folder for the temporary file."""
    users, items = _Pool(rule.min_user), _Pool(rule.min_item)
    with tempfile.TemporaryFile(dir=scratch) as spill:
        read, rated = _spill(reviews, rule, users.sieve, items.sieve, spill)
        spill.seek(0)
        columns = _candidates(_reviews_in(spill), users, items)
    user, item, ratings, times = columns
    mask = _MASKS[rule.core](user, item, users, items)
    user, item, ratings, times = user[mask], item[mask], ratings[mask], times[mask]
    place = user if rule.core == "iterated" else _by_first_appearance(user)
    order = np.lexsort((times, place))  # stable: equal times stay as in the file
    return Kept(
        _names(users, user[order]), _names(items, item[order]), ratings[order], times[order], read, rated
    )


def _spill(
    reviews: Iterable[Review], rule: Rule, users: Sieve, items: Sieve, spill: IO[bytes]
) -> tuple[int, int]:
    read = rated = 0
    for review in reviews:
        read += 1
        # Written so that a review without a rating, NaN, is dropped as well.
        if rule.rating_above is not None and not review.rating > rule.rating_above:
            continue
        rated += 1
        users.add(review.user)
        items.add(review.item)
        spill.write(b"%b\t%b\t%r\t%d\n" % review)
    return read, rated


def _reviews_in(spill: IO[bytes]) -> Iterator[Review]:
    for line in spill:
        user, item, rating, time = line.split(b"\t")
        yield Review(user, item, float(rating), int(time))


def _candidates(
    reviews: Iterable[Review], users: _Pool, items: _Pool
) -> tuple[Longs, Longs, NDArray[np.float64], Longs]:
    """Reviews whose user and item may both stay, as columns; ids as numbers of their pools."""
    columns: tuple[Any, ...] = (array("q"), array("q"), array("d"), array("q"))
    for review in reviews:
        user, item = users.number(review.user), items.number(review.item)
        if user is not None and item is not None:
            for column, value in zip(columns, (user, item, review.rating, review.time), strict=True):
                column.append(value)
    user_R, item_R, rating_R, time_R = (np.array(column) for column in columns)
    return user_R, item_R, rating_R, time_R


def _to_a_fixed_point(user: Longs, item: Longs, users: _Pool, items: _Pool) -> NDArray[np.bool_]:
    # What the sieves leave holds the core, and the core of anything in between is the same core.
    return iterated(user, item, users.least, items.least)


def _counted_once(user: Longs, item: Longs, users: _Pool, items: _Pool) -> NDArray[np.bool_]:
    frequent_user = np.array(users.counts, dtype=np.int64) >= users.least
    frequent_item = np.array(items.counts, dtype=np.int64) >= items.least
    return np.asarray(frequent_user[user] & frequent_item[item])


_MASKS = {"iterated": _to_a_fixed_point, "single_pass": _counted_once}


def _by_first_appearance(codes: Longs) -> Longs:
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.asarray(first[inverse])


def _names(pool: _Pool, numbers: Longs) -> list[str]:
    names = [key.decode() for key in pool.numbers]
    return [names[number] for number in numbers.tolist()]
