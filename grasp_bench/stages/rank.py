"""Stage `rank`: rank the test targets by a trained model, and write the files of any ranking."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.evaluation.ranker import FullRanking, Queries, Ranker, Ranks, Scorer
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import held_out_queries, knowledge, load_trained

RANKS, RECOMMENDATIONS = "ranks.parquet", "recommendations.safetensors"
SAMPLED = {"sampled_better": pl.UInt16, "sampled_tied": pl.UInt16}
FULL = {"full_better": pl.UInt32, "full_tied": pl.UInt32}


class RankStage:
    """Writes `ranks.parquet` (counts per user) and, with full ranking, `recommendations.safetensors`.

    This is the only place where a model meets test.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: users ranked, and `test_read`, the log's record that test was opened here."""
        ranker, recommender = self.scoring(node, inputs, context)
        store_ranks(ranker, recommender, node.settings, out)
        users = len(ranker.queries)
        context.report(Event(node.label, users, users, "users"))
        return {"users": users, "test_read": True}

    def scoring(
        self, node: Node, inputs: Mapping[str, Artefact], context: RunContext
    ) -> tuple[Ranker, Scorer]:
        """Make the ranker of the test targets and the model that scores; exports use it too."""
        torch.set_num_threads(context.threads)
        train, queries = held_out_queries(inputs, context.device)
        known = knowledge(inputs, "cpu")
        recommender = load_trained(node.inputs["train"], inputs["train"], train, known, context.device)
        max_len = node.inputs["train"].settings["model"]["max_len"]
        return Ranker(queries, max_len, context.memory_mb), recommender


def store_ranks(
    ranker: Ranker, scorer: Scorer, settings: Mapping[str, Any], out: Path
) -> tuple[Ranks, FullRanking | None]:
    """Rank by `scorer` and write the files, with the settings of a rank node.

    `ranks.parquet`: user, item (i32), sampled_better, sampled_tied (u16) and, with `also_full_ranking`,
    full_better, full_tied (u32); `recommendations.safetensors` then holds `items` (rows, top) i32.
    """
    full = None
    if settings["also_full_ranking"]:
        sampled, full = ranker.full(scorer, settings["top"], settings["exclude_history"])
    else:
        sampled = ranker.sampled(scorer)
    write_ranks(ranker.queries, sampled, full, out)
    return sampled, full


def write_ranks(queries: Queries, sampled: Ranks | None, full: FullRanking | None, out: Path) -> None:
    """Write the files of `store_ranks` for the given rankings; None leaves their columns out."""
    columns: dict[str, Any] = {"user": _numpy(queries.users_Q), "item": _numpy(queries.targets_Q)}
    schema: dict[str, Any] = {"user": pl.Int32, "item": pl.Int32}
    if sampled is not None:
        columns |= _columns(SAMPLED, sampled)
        schema |= SAMPLED
    if full is not None:
        columns |= _columns(FULL, full.ranks)
        schema |= FULL
        save_file({"items": full.recommendations.to(torch.int32).cpu()}, out / RECOMMENDATIONS)
    pl.DataFrame(columns, schema=schema).write_parquet(out / RANKS, compression="zstd")


def _columns(names: Mapping[str, Any], ranks: Ranks) -> dict[str, Any]:
    return dict(zip(names, (_numpy(ranks.better), _numpy(ranks.tied)), strict=True))


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy()
