"""Inspect semantic IDs: their cards, and what items with an equal beginning have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.data.splits import Split
from grasp_bench.studies.artifact_loading import LoadedCodes

Longs = NDArray[np.int64]

TITLES = 5  # of a prefix that is shown
SHOWN_LENGTHS = 2
PAIRS_AT_ONCE = 1 << 22  # (item, buyer, other item) that are multiplied out together: some 30 bytes each


@dataclass(frozen=True)
class Common:
    """Of the `pairs` of items that are compared, the share that has something in common, and that share over
    the one of all pairs of the catalogue; None where there is nothing to divide by."""

    pairs: int
    share: float | None
    lift: float | None


@dataclass(frozen=True)
class Prefixes:
    """The first `length` codes: how many different ones there are, their largest group, the pairs of items
    that agree in them, and what these have in common."""

    length: int
    distinct: int
    largest: int
    pairs: int
    category: Common
    buyer: Common


@dataclass(frozen=True)
class Example:
    """A prefix, how many items have it, and the titles of the first of them."""

    prefix: tuple[int, ...]
    items: int
    titles: tuple[str, ...]


@dataclass(frozen=True)
class InspectedCodes:
    """One making of codes: the cells that read it, its settings and card (`semantic_ids.card`).

    `everyone` is what all pairs of the catalogue have in common (prefix of length 0); `prefixes` ends where
    no two items agree.
    """

    cells: tuple[str, ...]
    vectors: str | None
    settings: Mapping[str, Any]
    card: Mapping[str, Any]
    everyone: Prefixes
    prefixes: tuple[Prefixes, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class CodesInspection:
    """All semantic IDs of a spec that are in the store; `missing` cells read others."""

    spec: str
    made: tuple[InspectedCodes, ...]
    missing: tuple[str, ...]


def inspect_codes(
    spec: str, opened: list[LoadedCodes], missing: list[str], count: int = 3, seed: int = 0
) -> CodesInspection:
    """Inspect each making of codes, with up to `count` prefixes of each length as examples."""
    made = tuple(_inspected(each, count, seed) for each in opened)
    return CodesInspection(spec, made, tuple(missing))


def _inspected(opened: LoadedCodes, count: int, seed: int) -> InspectedCodes:
    everyone, *prefixes = compare_prefixes(opened.codes, category_numbers(opened.items), opened.split)
    return InspectedCodes(
        cells=opened.cells,
        vectors=opened.vectors,
        settings=opened.settings,
        card=opened.card,
        everyone=everyone,
        prefixes=tuple(prefixes),
        examples=tuple(_examples(opened, count, seed)),
    )


def compare_prefixes(codes: Longs, category: Longs, split: Split) -> list[Prefixes]:
    """Return what pairs of items with equal first 0, 1, 2, … codes have in common.

    `codes` (m, L); `category` (m,), -1 where unknown. No pair is visited where a count will do: n items of a
    group are n(n−1)/2 pairs, and those of one category are counted by group and category. Pairs with a buyer
    in common are the entries of the product of the sparse (item, buyer) table with itself, taken in blocks,
    each once however many buyers they share. Pairs are compared among items whose category is known, and
    among items that somebody has in training.
    """
    groups = _groups(codes)
    bought = np.bincount(split.train_items, minlength=len(codes)) > 0
    known = category >= 0
    sharing = pairs_with_a_buyer(groups, split)
    found: list[Prefixes] = []
    for length, group in enumerate(groups):
        sizes = np.bincount(group)
        alike = _pairs(np.unique(_joined(group, category)[known], return_counts=True)[1])
        ways = [
            (alike, _pairs(np.bincount(group[known]))),
            (sharing[length], _pairs(np.bincount(group[bought]))),
        ]
        of_all = (found[0].category, found[0].buyer) if found else (None, None)
        common = [_common(*way, base) for way, base in zip(ways, of_all, strict=True)]
        found.append(Prefixes(length, len(sizes), int(sizes.max()), _pairs(sizes), *common))
    return found


def pairs_with_a_buyer(groups: list[Longs], split: Split) -> list[int]:
    """Count, for each grouping of items (m,), the pairs of one group that share a buyer in training.

    Each grouping refines the one before it.
    """
    from scipy import sparse

    ones = np.ones(len(split.train_items), dtype=np.int32)
    table = sparse.csr_matrix(
        (ones, (split.train_items, split.train_users)), shape=(split.num_items, split.num_users)
    )
    buyers = table.T.tocsr()
    cost = table @ np.diff(buyers.indptr)  # entries that the product spells out for each item
    cuts = np.searchsorted(np.cumsum(cost), np.arange(PAIRS_AT_ONCE, cost.sum(), PAIRS_AT_ONCE)).tolist()
    counts = [0] * len(groups)
    for begin, end in pairwise(sorted({0, *cuts, split.num_items})):
        met = (table[begin:end] @ buyers).tocoo()
        first, second = met.row.astype(np.int64) + begin, met.col.astype(np.int64)
        for number, group in enumerate(groups):
            agree = (first < second) & (group[first] == group[second])
            first, second = first[agree], second[agree]
            counts[number] += len(first)
    return counts


def category_numbers(items: pl.DataFrame) -> Longs:
    """Number the categories of items (m,), each whole path one; -1 where unknown or no such column."""
    if "category" not in items.columns:
        return np.full(items.height, -1)
    column = items["category"].cast(pl.String)
    numbers = column.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return np.where(column.fill_null("").to_numpy() == "", -1, numbers)


def _groups(codes: Longs) -> list[Longs]:
    """Number the groups of equal first 0, 1, 2, … codes, as long as two items agree."""
    found = [np.zeros(len(codes), dtype=np.int64)]
    for level in codes.T:
        group = np.unique(_joined(found[-1], level), return_inverse=True)[1]
        if group.max() + 1 == len(codes):
            break
        found.append(group)
    return found


def _joined(group: Longs, value: Longs) -> Longs:
    """Number pairs of a group and a value of at least -1."""
    return group * (int(value.max()) + 2) + value + 1


def _pairs(sizes: NDArray[np.integer]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _common(having: int, pairs: int, base: Common | None) -> Common:
    share = having / pairs if pairs else None
    if base is None:
        return Common(pairs, share, None if share is None else 1.0)
    return Common(pairs, share, share / base.share if share is not None and base.share else None)


def _examples(opened: LoadedCodes, count: int, seed: int) -> Iterator[Example]:
    """Yield prefixes that several items have, drawn by seed."""
    rng = np.random.default_rng(seed)
    ids, titles = opened.items["item_id"].to_list(), opened.items["title"].cast(pl.String).to_list()
    for length, group in enumerate(_groups(opened.codes)[1 : SHOWN_LENGTHS + 1], start=1):
        shared = np.flatnonzero(np.bincount(group) > 1)
        for chosen in np.sort(rng.choice(shared, min(count, len(shared)), replace=False)).tolist():
            members = np.flatnonzero(group == chosen).tolist()
            yield Example(
                tuple(opened.codes[members[0], :length].tolist()),
                len(members),
                tuple(titles[item] or ids[item] for item in members[:TITLES]),
            )
