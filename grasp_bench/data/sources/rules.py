"""Filter and order reviews as the published sets did.

Reviews are read once and written to a temporary file as short lines, while two sieves count users and items.
The second pass, over the short lines, stores only what the sieves cannot rule out, so that memory depends on
what stays and not on what was read.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.data.cleaning import iterated

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]

SLOTS = 1 << 24
FULL = 255


class Review(NamedTuple):
    """One review; `rating` is NaN where there is none, `time` is in Unix seconds."""

    user: bytes
    item: bytes
    rating: float
    time: int


@dataclass(frozen=True)
class Rule:
    """How a published set was filtered.

    `rating_above`: reviews with lower or equal ratings are dropped before counting; None keeps all.
    `iterated`: users below `min_user` and items below `min_item` are dropped to a fixed point; users are
    ordered by their first review with a rating above. `single_pass`: a review stays if its user and item have
    enough reviews in the whole file; users are ordered by their first review that stays. `repeats`: of a
    user's reviews of one item, all are kept or only the earliest, before users and items are dropped.
    """

    min_user: int
    min_item: int
    core: Literal["iterated", "single_pass"]
    rating_above: float | None = None
    repeats: Literal["kept", "earliest"] = "kept"


EVERY = Rule(min_user=0, min_item=0, core="iterated")


@dataclass(frozen=True, eq=False)
class KeptReviews:
    """Reviews that stay, (R,) each, grouped by user, oldest first, ties as in the file.

    `read` counts the reviews of the file, `rated` those that `rating_above` leaves.
    """

    users: pl.Series
    items: pl.Series
    ratings: NDArray[np.float64]
    times: Longs
    read: int
    rated: int


class Sieve:
    """Counts of hashed keys in 16 MiB, whatever the number of keys.

    Keys that share a slot add up, so a count is never too low: `may_reach` is false only for rare keys.
    Counts end at 255.
    """

    def __init__(self) -> None:
        self._counts = bytearray(SLOTS)

    def add(self, key: bytes) -> None:
        """Count one occurrence."""
        slot = crc32(key) & (SLOTS - 1)
        count = self._counts[slot]
        if count < FULL:
            self._counts[slot] = count + 1

    def may_reach(self, key: bytes, least: int) -> bool:
        """False when the key was counted fewer than `least` times; True when that is uncertain."""
        return self._counts[crc32(key) & (SLOTS - 1)] >= min(least, FULL)


@dataclass
class _Pool:
    """Ids that may stay, numbered by first appearance, with exact counts; at `least` 0, all ids."""

    least: int
    sieve: Sieve = field(default_factory=Sieve)
    numbers: dict[bytes, int] = field(default_factory=dict)
    counts: array[int] = field(default_factory=lambda: array("q"))

    def number(self, key: bytes) -> int | None:
        """Count an occurrence and return the id's number; None when the id is certainly rare."""
        if self.least and not self.sieve.may_reach(key, self.least):
            return None
        number = self.numbers.setdefault(key, len(self.numbers))
        if number == len(self.counts):
            self.counts.append(0)
        self.counts[number] += 1
        return number

    @property
    def names(self) -> pl.Series:
        """The ids by number."""
        return pl.Series([key.decode() for key in self.numbers], dtype=pl.String)

    @property
    def frequent(self) -> NDArray[np.bool_]:
        """Mask of the numbered ids that occur at least `least` times."""
        return np.array(self.counts, dtype=np.int64) >= self.least


def apply_rule(reviews: Iterable[Review], rule: Rule, scratch: Path) -> KeptReviews:
    """Apply a rule to reviews in the order of their file; `scratch` is a folder for the temporary file."""
    users, items = _Pool(rule.min_user), _Pool(rule.min_item)
    tally = _Tally()
    if rule.min_user or rule.min_item:
        with tempfile.TemporaryFile(dir=scratch) as spill:
            for review in tally.rated(reviews, rule):
                users.sieve.add(review.user)
                items.sieve.add(review.item)
                spill.write(b"%b\t%b\t%r\t%d\n" % review)
            spill.seek(0)
            columns = _candidates(_reviews_in(spill), users, items)
    else:  # all stay, so that one pass is enough
        columns = _candidates(tally.rated(reviews, rule), users, items)
    if rule.repeats == "earliest":
        columns = _earliest(*columns)
    user, item, ratings, times = columns
    if rule.core == "iterated":  # the sieves leave a superset of the core, and its core is the same
        mask = iterated(user, item, rule.min_user, rule.min_item)
    else:
        mask = users.frequent[user] & items.frequent[item]
    user, item, ratings, times = user[mask], item[mask], ratings[mask], times[mask]
    place = user if rule.core == "iterated" else _by_first_appearance(user)
    order = np.lexsort((times, place))  # stable: equal times stay as in the file
    return KeptReviews(
        users.names[user[order]], items.names[item[order]],
        ratings[order], times[order], tally.read, tally.kept,
    )  # fmt: skip


@dataclass
class _Tally:
    """Counts of the reviews of a file, and of those that `rating_above` leaves."""

    read: int = 0
    kept: int = 0

    def rated(self, reviews: Iterable[Review], rule: Rule) -> Iterator[Review]:
        for review in reviews:
            self.read += 1
            # `not >` also drops a review without a rating (NaN).
            if rule.rating_above is not None and not review.rating > rule.rating_above:
                continue
            self.kept += 1
            yield review


def _reviews_in(spill: IO[bytes]) -> Iterator[Review]:
    for line in spill:
        user, item, rating, time = line.split(b"\t")
        yield Review(user, item, float(rating), int(time))


def _candidates(
    reviews: Iterable[Review], users: _Pool, items: _Pool
) -> tuple[Ints, Ints, NDArray[np.float64], Longs]:
    """Columns of the reviews whose user and item may both stay; ids as numbers of their pools."""
    columns: tuple[Any, ...] = (array("i"), array("i"), array("d"), array("q"))
    for review in reviews:
        user, item = users.number(review.user), items.number(review.item)
        if user is not None and item is not None:
            for column, value in zip(columns, (user, item, review.rating, review.time), strict=True):
                column.append(value)
    user_R, item_R, rating_R, time_R = (np.array(column) for column in columns)
    return user_R, item_R, rating_R, time_R


def _by_first_appearance(codes: Ints) -> Longs:
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.asarray(first[inverse])


def _earliest(
    user: Ints, item: Ints, ratings: NDArray[np.float64], times: Longs
) -> tuple[Ints, Ints, NDArray[np.float64], Longs]:
    """Keep the earliest review of each user and item, of equal times the first, in the order of the file."""
    by_time = np.argsort(times, kind="stable")
    pairs = user.astype(np.int64) << 32 | item
    first = np.sort(by_time[np.unique(pairs[by_time], return_index=True)[1]])
    return user[first], item[first], ratings[first], times[first]
