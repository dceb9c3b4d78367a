"""Do figures of `metrics.json` follow from the ranks beside them? Asked where no checksum vouches for them.

A cell's metrics depend on few different counts: users whose target lies within the cutoff. So all metrics of
all groups take milliseconds, whatever the number of users. Figures of lists (`beyond`) follow from no rank.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core import ranks as measures
from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.published import METRICS, RANKS

if TYPE_CHECKING:
    import polars as pl

TOLERANCE = 1e-9  # sums of float64 in another order
Members = tuple[NDArray[np.int32], Mapping[str, NDArray[np.bool_]]]  # users, and which are in each group


def problem_of(folder: Path, ties: str, members: Members | None = None) -> str | None:
    """Say what of a folder's metrics.json its ranks.parquet contradicts, or that either cannot be read.

    Groups are compared where `members` says who is in them.
    """
    import polars as pl

    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        ranks = pl.read_parquet(folder / RANKS, glob=False)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        return f"{METRICS} or {RANKS} cannot be read ({str(error).splitlines()[0]})"
    if not isinstance(metrics, dict) or not all(isinstance(part, dict) for part in metrics.values()):
        return f"{METRICS} holds no figures by protocol"
    groups = _rows_of(members, ranks)
    found = (
        problem
        for protocol in ("sampled", "full")
        if metrics.get(protocol)
        for problem in _contradictions(metrics[protocol], ranks, protocol, ties, groups)
    )
    try:
        return next(found, None)
    except UnknownNameError as error:
        return f"{METRICS}: {error.message}"


def _rows_of(members: Members | None, ranks: pl.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Rows of the ranks by group; without members only all of them, and so where users are others."""
    groups = {"overall": np.ones(ranks.height, dtype=bool)}
    if members is None or "user" not in ranks.columns:
        return groups
    users, belongs = members
    order = np.argsort(ranks["user"].to_numpy(), kind="stable")
    if not np.array_equal(ranks["user"].to_numpy()[order], users):
        return groups
    for name, member in belongs.items():
        groups[name] = np.zeros(ranks.height, dtype=bool)
        groups[name][order] = member
    return groups


def _contradictions(
    said: Mapping[str, Any], ranks: pl.DataFrame, protocol: str, ties: str,
    groups: Mapping[str, NDArray[np.bool_]],
) -> Iterator[str]:  # fmt: skip
    columns = [f"{protocol}_better", f"{protocol}_tied"]
    if any(name not in ranks.columns or ranks[name].null_count() for name in columns):
        yield f"{METRICS} has {protocol} figures, {RANKS} has no such ranks"
        return
    better, tied = (ranks[name].to_numpy().astype(np.int64) for name in columns)
    cutoff = max((measures.parse(name)[1] for name in said.get("overall") or {} if "@" in name), default=0)
    near = better < cutoff  # who is beaten by more gains nothing, whatever the ties
    width = int(tied.max(initial=0)) + 1
    codes, kind = np.unique(better[near] * width + tied[near], return_inverse=True)
    for group, rows in groups.items():
        figures = said.get(group) or {}
        if not isinstance(figures, dict):
            yield f"{protocol} {group} holds no figures in {METRICS}"
            return
        users = int(rows.sum())
        if figures.get("n", users) != users:
            yield f"{protocol} {group} has n {figures['n']} in {METRICS}, {users} by {RANKS}"
        if not users:
            continue
        weights = np.bincount(kind[rows[near]], minlength=len(codes)) / users
        for name, value in figures.items():
            if name == "n":
                continue
            ours = float(measures.per_user(name, codes // width, codes % width, ties) @ weights)
            if not isinstance(value, int | float) or abs(ours - value) > TOLERANCE:
                by = RANKS if group == "overall" else f"{RANKS} and the groups' file"
                yield f"{protocol} {group} {name} is {value} in {METRICS}, {ours:.6f} by {by}"
