"""What a dataset card says of the order of histories: do item ids ascend in it?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.id_order import Ascent, ascent, id_ranks, numbered_by_appearance
from grasp_bench.data.splits import Split

Facts = dict[str, Any]


def order_facts(split: Split, item_ids: list[str], tied: NDArray[np.bool_] | None) -> Facts:
    """Ascending pairs of neighbours, of validation and test items, and of `tied` neighbours, JSON-able.

    `tied` (R,) says which interactions, user after user, have the time of the one before; None where the data
    have no times, or nobody knows.
    """
    ranks = id_ranks(item_ids)
    items, offsets = split.whole_history()
    users = np.repeat(np.arange(split.num_users), np.diff(offsets))
    same_user = users[:-1] == users[1:]
    before, after = ranks[items[:-1]], ranks[items[1:]]
    evaluated = np.isin(split.valid_users, split.test_users)
    ends = np.isin(split.test_users, split.valid_users)
    valid, test = ranks[split.valid_items[evaluated]], ranks[split.test_items[ends]]
    at_once = None if tied is None else same_user & tied[1:]
    return {
        "numbered_by_appearance": numbered_by_appearance(ranks),
        "neighbours": _told(ascent(before[same_user], after[same_user])),
        "valid_to_test": _told(ascent(valid, test)),
        "tied": None if at_once is None else _told(ascent(before[at_once], after[at_once])),
    }


def order_warnings(card: Facts) -> list[str]:
    """A sentence where the file's own order decides more than chance would, beyond doubt; mostly none.

    Where there are times, ids may ascend for better reasons than the file's order (new items have new ids),
    so that there ties alone tell.
    """
    found = card["item_order"]
    if found["numbered_by_appearance"]:
        return []
    if found["tied"] is not None:
        return [_of_ties(card, found["tied"])] if _ascent(found["tied"]).beyond_chance else []
    pairs = (found["neighbours"], found["valid_to_test"])
    return [_of_places(card, *pairs)] if any(_ascent(each).beyond_chance for each in pairs) else []


def _of_ties(card: Facts, tied: Facts) -> str:
    return (
        f"{card['name']}: {card['time_ties']['interactions']:,} interactions have the time of the one before "
        f"them and stand in the file's order, in which {_percent(tied['ascending'])} of them ascend by item "
        "id (by chance 50 %); dataset.repair.time_ties: shuffle or block takes this order away."
    )


def _of_places(card: Facts, neighbours: Facts, ends: Facts) -> str:
    return (
        f"{card['name']}: the item id ascends in {_percent(neighbours['ascending'])} of neighbouring "
        f"interactions and in {_percent(ends['ascending'])} of steps from validation to test (by chance 50 "
        f"%), as if {_percent(neighbours['implied_ties'])} of neighbours had one time and the file's order "
        "parted them; dataset.repair.ascending_runs: shuffle bounds what that order is worth."
    )


def _told(found: Ascent) -> Facts:
    return {"pairs": found.pairs, "ascending": found.share, "implied_ties": found.implied_ties}


def _ascent(told: Facts) -> Ascent:
    return Ascent(told["pairs"], round(told["pairs"] * told["ascending"]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
