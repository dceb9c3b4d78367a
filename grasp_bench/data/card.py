"""Compute the dataset card: the facts about the data that a reader of results needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.prepare import Prepared, prepare
from grasp_bench.data.sequences import (
    Ascent,
    Sequences,
    ascent,
    has_only_positions,
    id_ranks,
    numbered_by_appearance,
)
from grasp_bench.data.splits import Split
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import Dataset

HISTOGRAM_FROM = (1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 51, 101, 201, 501, 1001)
MANY_CLONES = 10

Card = dict[str, Any]
Facts = dict[str, Any]  # of a part of the card


def card_of_dataset(dataset: Dataset) -> Card:
    """Read, split and describe a dataset; raises what `prepare` raises."""
    divided = split_by_protocol(prepare(dataset), dataset.protocol)
    return {**card_of(divided.prepared, divided.split), **divided.facts}


def card_of(prepared: Prepared, split: Split) -> Card:
    """Describe a prepared and split dataset; JSON-able, shares in [0, 1], counts as integers."""
    sequences = prepared.sequences
    interactions = len(sequences.items)
    tied = None if has_only_positions(sequences, prepared.order) else sequences.tied
    card = {
        "name": prepared.name,
        "users": sequences.num_users,
        "items": sequences.num_items,
        "interactions": interactions,
        "density": interactions / (sequences.num_users * sequences.num_items),
        "lengths": describe_lengths(sequences.lengths),
        "evaluated_users": len(split.test_users),
        "training_interactions": len(split.train_items),
        "repeat_targets": repeat_share(split),
        "unseen_targets": unseen_share(split),
        "cloned_users": {
            "any": clone_share(sequences, others=1),
            "ten_or_more": clone_share(sequences, others=MANY_CLONES),
        },
        "order": prepared.order,
        "time_ties": tie_share(sequences),
        "missing_titles": prepared.repairs["missing_titles"],
        "items_with_text": {
            column.name: len(column) - column.null_count() for column in prepared.items.drop("item_id")
        },
        "filtered": prepared.filtered,
        "repairs": prepared.repairs,
        "item_order": order_facts(split, sequences.item_ids, tied),
    }
    if prepared.files:
        card["files"] = prepared.files
    return {**card, "warnings": [*prepared.notes, *order_warnings(card)]}


def describe_lengths(lengths: NDArray[np.int64]) -> dict[str, Any]:
    """Summarise lengths, and count users by ranges (`to` is inclusive; null: no end)."""
    edges = [*HISTOGRAM_FROM, np.iinfo(np.int64).max]
    counts = np.histogram(lengths, bins=edges)[0].tolist()
    ends: list[int | None] = [edge - 1 for edge in HISTOGRAM_FROM[1:]]
    ranges = zip(HISTOGRAM_FROM, [*ends, None], counts, strict=True)
    return {
        "min": int(lengths.min()),
        "median": float(np.median(lengths)),
        "mean": float(lengths.mean()),
        "max": int(lengths.max()),
        "histogram": [{"from": low, "to": high, "users": count} for low, high, count in ranges if count],
    }


def repeat_share(split: Split) -> float:
    """Share of test targets that the user has in training or validation already."""
    items, offsets = split.known()
    before = np.repeat(np.arange(split.num_users), np.diff(offsets)) * split.num_items + items
    targets = split.test_users.astype(np.int64) * split.num_items + split.test_items
    return _share(np.isin(targets, before))


def unseen_share(split: Split) -> float:
    """Share of test targets whose item occurs in no training sequence."""
    seen = np.bincount(split.train_items, minlength=split.num_items) > 0
    return _share(~seen[split.test_items])


def clone_share(sequences: Sequences, others: int) -> float:
    """Share of users whose exact sequence at least `others` other users have too."""
    lengths = sequences.lengths
    cloned = np.zeros(sequences.num_users, dtype=bool)
    for length in np.unique(lengths):
        users = np.flatnonzero(lengths == length)
        rows = sequences.items[sequences.offsets[users][:, None] + np.arange(length)]
        _, group, size = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        cloned[users] = size[group.ravel()] > others
    return _share(cloned)


def tie_share(sequences: Sequences) -> dict[str, Any]:
    """Count the interactions with the time of the one before, and the share of users who have any."""
    users, tied = sequences.users, sequences.tied
    return {
        "interactions": int(tied.sum()),
        "users": len(np.unique(users[tied])) / sequences.num_users,
    }


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def order_facts(split: Split, item_ids: list[str], tied: NDArray[np.bool_] | None) -> Facts:
    """Count ascending pairs of neighbours, validation and test items, and `tied` neighbours, JSON-able.

    `tied` (R,) marks interactions with the time of the one before; None if the data have no times.
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
        "neighbours": _ascent_facts(ascent(before[same_user], after[same_user])),
        "valid_to_test": _ascent_facts(ascent(valid, test)),
        "tied": None if at_once is None else _ascent_facts(ascent(before[at_once], after[at_once])),
    }


def order_warnings(card: Facts) -> list[str]:
    """Warn, in at most one sentence, when the file's own order decides more than chance does.

    With times, only ties count: elsewhere ids may ascend for other reasons, as new items have new ids.
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


def _ascent_facts(found: Ascent) -> Facts:
    return {"pairs": found.pairs, "ascending": found.share, "implied_ties": found.implied_ties}


def _ascent(facts: Facts) -> Ascent:
    return Ascent(facts["pairs"], round(facts["pairs"] * facts["ascending"]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
