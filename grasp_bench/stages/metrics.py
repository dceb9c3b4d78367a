"""Stage `metrics`: compute metrics from stored ranks, overall and by group, without a model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import load_file

from grasp_bench.core import ranks as measures
from grasp_bench.core.atomic import write_json
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_item_table, read_split
from grasp_bench.data.groups import group_members, item_counts_in_training
from grasp_bench.data.splits import Split
from grasp_bench.evaluation import beyond_accuracy
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Groups
from grasp_bench.stages.context import RunContext

# Levels of a category path that define "the same category": the first alone is coarse (six values on Beauty),
# the leaf separates lipsticks from lip glosses.
CATEGORY_LEVELS = 2


class MetricsStage:
    """Writes the published files: `metrics.json` and a copy of `ranks.parquet`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: users measured.

        `metrics.json` holds the gains of metrics that are not ours, so that nobody else needs their package.
        """
        source = inputs["rank"].file("ranks.parquet")
        ranks = pl.read_parquet(source, glob=False)
        split = read_split(inputs["split"].path)
        cutoffs = node.settings["cutoffs"]
        users, items = ranks["user"].to_numpy(), ranks["item"].to_numpy()
        ids, rules = read_item_ids(inputs["split"].path), Groups.model_validate(node.settings["groups"])
        groups = group_members(split, users, items, rules, ids)
        further = node.settings.get("gains", {})
        names = [f"{name}@{k}" for name in (*measures.METRICS, *further) for k in cutoffs]
        figures: dict[str, Any] = {
            protocol: {
                group: _figures(
                    ranks.filter(pl.Series(member)), protocol, names, node.settings["ties"], further
                )
                for group, member in groups.items()
            }
            for protocol in ("sampled", "full")
            if f"{protocol}_better" in ranks.columns
        }
        if "full" in figures:
            figures["beyond"] = _beyond(inputs, split, cutoffs)
        if further:
            figures["gains"] = further
        write_json(out / "metrics.json", figures)
        shutil.copyfile(source, out / "ranks.parquet")
        context.report(Event(node.label, len(ranks), len(ranks), "users"))
        return {"users": len(ranks)}


def _figures(
    ranks: pl.DataFrame, protocol: str, names: list[str], ties: str, further: measures.Gains
) -> dict[str, Any]:
    """Means over the users of a group; null for an empty group."""
    better, tied = ranks[f"{protocol}_better"].to_numpy(), ranks[f"{protocol}_tied"].to_numpy()
    figures: dict[str, Any] = {"n": len(ranks)}
    for name in names:
        values = measures.per_user(name, better, tied, ties, further)
        figures[name] = float(values.mean()) if len(ranks) else None
    return figures


def _beyond(inputs: Mapping[str, Artefact], split: Split, cutoffs: list[int]) -> dict[str, float | None]:
    recommended = load_file(inputs["rank"].file("recommendations.safetensors"))["items"]
    counts = item_counts_in_training(split)
    categories = _categories(read_item_table(inputs["split"].path)["category"])
    row_of_user = np.full(split.num_users, -1)
    row_of_user[split.test_users] = np.arange(len(split.test_users))
    history_items, offsets = split.known()
    history_users = np.repeat(np.arange(split.num_users), np.diff(offsets))
    ranked = row_of_user[history_users] >= 0
    rows, history_items = row_of_user[history_users[ranked]], history_items[ranked]
    figures: dict[str, float | None] = {}
    for k in cutoffs:
        top = recommended[:, :k]
        figures[f"coverage@{k}"] = beyond_accuracy.coverage(top, split.num_items)
        figures[f"novelty@{k}"] = beyond_accuracy.novelty(top, counts)
        figures[f"gini@{k}"] = beyond_accuracy.gini(top, split.num_items)
        figures[f"cross_category@{k}"] = beyond_accuracy.cross_category(top, categories, rows, history_items)
    return figures


def _categories(column: pl.Series) -> np.ndarray:
    """Number of each item's category, cut to its first levels; −1 without one."""
    paths = column.cast(pl.String).str.split(" > ").list.head(CATEGORY_LEVELS).list.join(" > ")
    codes = paths.replace("", None).rank("dense").cast(pl.Int64) - 1
    return codes.fill_null(-1).to_numpy()
