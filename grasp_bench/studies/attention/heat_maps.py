"""Heat maps: what each part weighs of one user's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.data.artefacts import read_item_table, read_user_ids
from grasp_bench.studies.attention.pairs import Pairs
from grasp_bench.studies.attention.reading import Reading
from grasp_bench.studies.attention.schema import HeatMap

LONGEST = 60  # characters of a title
DIGITS = 6


@dataclass(frozen=True)
class Asking:
    """Users named by their outside ids, and how many more are drawn by a seed, from those who read
    several items."""

    ids: Sequence[str] = ()
    sample: int = 3
    seed: int = 0


def heat_maps(reading: Reading, pairs: Pairs, parts: Sequence[str], asking: Asking) -> list[HeatMap]:
    """Named users first, then drawn ones; UnknownNameError for an id that the split does not have."""
    ids = read_user_ids(reading.folder)
    names = _names(reading)
    found = []
    for user in _users(ids, pairs, asking):
        rows = pairs.of_user(user)
        weights = pairs.weights[rows].T.round(DIGITS)
        items = [names[item] for item in pairs.items[rows].tolist()]
        found.append(HeatMap(user=ids[user], items=items, parts=list(parts), weights=weights.tolist()))
    return found


def _users(ids: Sequence[str], pairs: Pairs, asking: Asking) -> list[int]:
    places = {name: place for place, name in enumerate(ids)} if asking.ids else {}
    named = []
    for name in asking.ids:
        if name not in places:
            raise UnknownNameError(
                f"no user '{name}'{did_you_mean(name, ids)}", mend="name a user by the dataset's own id"
            )
        named.append(places[name])
    readers, items = np.unique(pairs.users, return_counts=True)
    several = np.setdiff1d(readers[items > 1], named)
    drawn = np.random.default_rng(asking.seed).choice(
        several, min(asking.sample, len(several)), replace=False
    )
    return [*dict.fromkeys(named), *np.sort(drawn).tolist()]


def _names(reading: Reading) -> list[str]:
    """Titles, or ids where there is none."""
    table = read_item_table(reading.folder)
    return [
        _cut(title) if title else str(item)
        for title, item in zip(table["title"].to_list(), table["item_id"].to_list(), strict=True)
    ]


def _cut(title: str) -> str:
    plain = " ".join(str(title).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
