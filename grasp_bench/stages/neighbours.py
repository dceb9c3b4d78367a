"""Stage `neighbours`: find the nearest neighbours and the means of their embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.components import SEARCHERS
from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.core.store import Artefact
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.artefacts import read_item_table, read_train
from grasp_bench.data.profile_age import prefix_owners
from grasp_bench.plan.nodes import Node
from grasp_bench.retrieval.exact import nearest_among, recall_at_n
from grasp_bench.retrieval.neighbours import (
    NOBODY,
    UNGROUPED,
    Neighbours,
    Progress,
    SearchSettings,
    group_codes,
    pooled_means,
    resolve_kind,
    search_within_groups,
    unit_vectors,
)
from grasp_bench.spec.index import Index
from grasp_bench.stages.context import RunContext


class NeighboursStage:
    """Writes `neighbours.safetensors`: indices (n, N) i32, similarities (n, N) f32, pooled (n, D) f32."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: kind of search, rows, number of lacking neighbours, recall@N against exact search."""
        index = Index.model_validate(dict(node.settings["index"]))
        vectors = load_file(inputs["embeddings"].file("embeddings.safetensors"))["vectors"]
        ids = pl.read_parquet(inputs["embeddings"].file("ids.parquet"), glob=False)["id"].to_list()
        if len(ids) != len(vectors):
            raise StoreError(
                f"{inputs['embeddings'].path}: {len(ids)} ids for {len(vectors)} vectors",
                hint="delete the folder and run again",
            )
        units = unit_vectors(vectors, ids)
        settings = SearchSettings(
            index.num_neighbours, index.m, index.ef_construction, index.ef_search, index.seed,
            context.threads, context.device, context.memory_mb,
        )  # fmt: skip

        progress = context.progress(node, len(units), "rows")
        if "split" in inputs and node.settings["side"] == "users":
            owners = prefix_owners(read_train(inputs["split"].path))
            found, facts = _with_prefixes(index, settings, units, owners, progress)
        elif index.restrict_items_to is None:
            found, facts = _unrestricted(index, settings, units, progress)
        else:
            codes = _groups(inputs["split"], index.restrict_items_to, len(units))
            found = search_within_groups(index.kind, settings, units, codes, progress)
            facts = {
                "restricted_to": index.restrict_items_to,
                "groups": int(codes.max()) + 1,
                "ungrouped": int((codes == UNGROUPED).sum()),
            }
        pooled = pooled_means(vectors[: len(units) - facts.get("prefixes", 0)], found.indices, vectors)
        tensors = {"indices": found.indices, "similarities": found.similarities, "pooled": pooled}
        save_file(tensors, out / "neighbours.safetensors")
        lacking = int((found.indices == NOBODY).sum())
        alone = int((found.indices == NOBODY).all(axis=1).sum())
        return {**facts, "rows": len(units), "num_neighbours": index.num_neighbours,
                "lacking": lacking, "without_any": alone}  # fmt: skip


def _unrestricted(
    index: Index, settings: SearchSettings, units: np.ndarray, progress: Progress
) -> tuple[Neighbours, dict[str, Any]]:
    kind = resolve_kind(index.kind, len(units))
    found = SEARCHERS.implementation(kind)(settings).search(units, progress)
    if kind == "exact":
        return found, {"kind": kind, "recall": 1.0}
    recall = recall_at_n(units, found.indices, index.recall_sample, index.seed)
    return found, {"kind": kind, "recall": None if recall is None else round(recall, 6)}


def _with_prefixes(
    index: Index, settings: SearchSettings, units: np.ndarray, owners: np.ndarray, progress: Progress
) -> tuple[Neighbours, dict[str, Any]]:
    """Search users among themselves, and prefixes among the final profiles of other users."""
    if len(owners) != len(units):
        raise StoreError(f"{len(units)} embeddings for {len(owners)} users and prefixes")
    users = int(owners.max()) + 1
    found, facts = _unrestricted(index, settings, units[:users], progress)
    theirs = nearest_among(
        units[:users], units[users:], owners[users:], settings, lambda done: progress(users + done)
    )
    together = Neighbours(
        np.concatenate([found.indices, theirs.indices]),
        np.concatenate([found.similarities, theirs.similarities]),
    )
    return together, {**facts, "prefixes": len(units) - users}


def _groups(split: Artefact, column: str, rows: int) -> np.ndarray:
    table = read_item_table(split.path)
    # The split renames the dataset's category column, whose name in the file is usually the plural.
    name = "category" if column == "categories" and column not in table.columns else column
    if name not in table.columns or name == "item_id":
        others = [other for other in table.columns if other != "item_id"]
        raise DataError(
            f"index.restrict_items_to: items have no column '{column}'{did_you_mean(column, others)}",
            hint=f"choose one of: {', '.join(others)}",
        )
    if table.height != rows:
        raise StoreError(f"{split.path}: {table.height} items for {rows} embeddings")
    codes = group_codes(table[name].cast(pl.String).to_list())
    if (codes == UNGROUPED).all():
        raise DataError(
            f"index.restrict_items_to: column '{column}' is empty for every item",
            hint="choose another column, or leave restrict_items_to out",
        )
    return codes
