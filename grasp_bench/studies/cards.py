"""Dataset cards of a plan: one for each split, not for each dataset, which a spec may cut in several ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grasp_bench.core.store import Artefact, Store
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node

NO_TIMES = ("position", "file")  # orders that no time decides


def dataset_cards(plan: Plan, store: Store) -> dict[str, dict[str, Any]]:
    """Map a name to the card that each split has left in the store; splits not made yet have none.

    The name is the dataset's; where the plan splits one dataset in several ways, the settings that
    differ are added: `amazon-beauty (min_user=5)`.
    """
    splits: dict[str, dict[str, Node]] = {}
    for cell in plan.cells:
        split = cell.nodes["split"]
        splits.setdefault(cell.dataset, {})[split.hash] = split
    named = {
        name: node
        for dataset, found in splits.items()
        for name, node in _distinct_names(dataset, list(found.values())).items()
    }
    return {
        name: _card(store.get("split", node.hash))
        for name, node in named.items()
        if store.has("split", node.hash)
    }


def _card(split: Artefact) -> dict[str, Any]:
    """The card; where an earlier version made it of data without times, with its order facts."""
    card: dict[str, Any] = json.loads(split.file("card.json").read_text(encoding="utf-8"))
    if "warnings" in card or card.get("order") not in NO_TIMES:
        return card
    from grasp_bench.data.artefacts import read_item_ids, read_split
    from grasp_bench.data.card import order_facts, order_warnings

    card["item_order"] = order_facts(read_split(split.path), read_item_ids(split.path), None)
    return {**card, "warnings": order_warnings(card)}


def _distinct_names(dataset: str, splits: Sequence[Node]) -> dict[str, Node]:
    """Settings tell the splits of one dataset apart: equal settings are one split."""
    if len(splits) == 1:
        return {dataset: splits[0]}
    settings = [dict(_flat(_told(node))) for node in splits]
    keys = dict.fromkeys(key for each in settings for key in each)
    differing = [key for key in keys if len({repr(each.get(key)) for each in settings}) > 1]
    return {
        f"{dataset} ({', '.join(f'{key}={each[key]}' for key in differing if key in each)})": node
        for node, each in zip(splits, settings, strict=True)
    }


def _told(node: Node) -> dict[str, Any]:
    """What a reader recognises: of source files their names, not the hashes of their content."""
    return {key: value for key, value in node.settings.items() if key != "files"}


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
