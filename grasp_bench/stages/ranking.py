"""Ranks of the test targets as they are stored: the same files, whoever scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from grasp_bench.evaluation.queries import Queries
from grasp_bench.evaluation.ranker import FullRanking, Ranker, Ranks
from grasp_bench.evaluation.scorer import Scorer

RANKS, RECOMMENDATIONS = "ranks.parquet", "recommendations.safetensors"
SAMPLED = {"sampled_better": pl.UInt16, "sampled_tied": pl.UInt16}
FULL = {"full_better": pl.UInt32, "full_tied": pl.UInt32}


def store_ranks(
    ranker: Ranker, scorer: Scorer, settings: Mapping[str, Any], out: Path
) -> tuple[Ranks, FullRanking | None]:
    """Rank by `scorer` and write the files; settings are those of a rank node.

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
    """The files of `store_ranks`, for ranks that are there; without a ranking, its columns are not."""
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
