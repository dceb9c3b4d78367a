"""Make one row of a ranking: the means over a method's seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.words import did_you_mean
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import GROUPS, PROTOCOLS, Board, Ranking, Row, Stat


def make_row(label: str, method: Method, cells: Sequence[ResultCell], planned_seeds: Sequence[int]) -> Row:
    """Put the cells of one method together: means over the seeds that are there, which it names."""
    seeds = [cell.seed for cell in cells if cell.seed is not None]
    return Row(
        label=label,
        coordinates={
            "dataset": method.dataset,
            "name": method.name,
            "backbone": method.backbone,
            "enhancer": method.enhancer,
            "ablation": method.ablation,
            "noise": method.noise,
            "variant": dict(method.variant),
        },
        slugs=[cell.slug for cell in cells],
        seeds=seeds,
        planned_seeds=list(planned_seeds),
        kind=method.kind,
        leaks=sorted({name for cell in cells for name in cell.leaks}),
        substituted=sorted({line for cell in cells for line in cell.substituted}),
        users=_users(cells, ["overall"]).get("overall"),
        values={
            p: _groups(cells, p) for p in PROTOCOLS if cells and all(cell.metrics.get(p) for cell in cells)
        },
        group_users=_users(cells, GROUPS),
        beyond=_stats([cell.metrics.get("beyond") or {} for cell in cells]),
        per_seed={
            p: {
                str(cell.seed): _numbers(cell.metrics[p].get("overall") or {})
                for cell in cells
                if cell.seed is not None and cell.metrics.get(p)
            }
            for p in PROTOCOLS
            if any(cell.metrics.get(p) for cell in cells)
        },
        provenance=[_provenance(cell) for cell in cells],
    )


def measured_metrics(rankings: Iterable[Ranking]) -> list[str]:
    """Names of all metrics that some method has, in the order of metrics.json."""
    found: dict[str, None] = {}
    for ranking in rankings:
        for row in ranking["rows"]:
            for groups in row["values"].values():
                found.update(dict.fromkeys(groups.get("overall", {})))
    return list(found)


def require_metric(metric: str, measured: Sequence[str]) -> None:
    """Raise UnknownNameError unless the metric is among those that were measured."""
    if metric not in measured:
        raise UnknownNameError(
            f"metric '{metric}' was not measured{did_you_mean(metric, measured)}",
            hint=f"choose one of: {', '.join(measured)}",
        )


def protocols_in_order(ranking: Ranking, first: str) -> list[str]:
    """The protocols of a ranking, the given one first."""
    return sorted(ranking["protocols"], key=lambda name: name != first)


def suffix_of(board: Board, ranking: Ranking) -> str:
    """What tells a ranking from the others of a board; nothing where it is the only one."""
    several = len(board["rankings"]) > 1
    return f", {ranking['dataset']} ({ranking['protocol_hash']})" if several else ""


def _groups(cells: Sequence[ResultCell], protocol: str) -> dict[str, dict[str, Stat]]:
    return {
        group: _stats([cell.metrics[protocol].get(group) or {} for cell in cells])
        for group in ("overall", *GROUPS)
        if any(cell.metrics[protocol].get(group) for cell in cells)
    }


def _stats(per_seed: Sequence[Mapping[str, Any]]) -> dict[str, Stat]:
    """Mean and spread of every metric that all seeds have a number for."""
    rows = [_numbers(values) for values in per_seed]
    shared = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    several = len(rows) > 1
    return {
        name: Stat(mean=statistics.fmean(values), sd=statistics.stdev(values) if several else None)
        for name in shared
        for values in ([row[name] for row in rows],)
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics alone: without the count `n` and without what an empty group leaves null."""
    return {name: float(value) for name, value in values.items() if name != "n" and value is not None}


def _users(cells: Sequence[ResultCell], groups: Sequence[str]) -> dict[str, int]:
    """The number of users of each group, where all cells agree on it."""
    found = {}
    for group in groups:
        sections = (cell.metrics.get(p, {}).get(group) or {} for cell in cells for p in PROTOCOLS)
        counts = {int(section["n"]) for section in sections if "n" in section}
        if len(counts) == 1:
            found[group] = counts.pop()
    return found


def _provenance(cell: ResultCell) -> dict[str, Any]:
    train = cell.info.get("train") or {}
    return {
        "slug": cell.slug,
        "seed": cell.seed,
        "epochs": train.get("epochs"),
        "best_epoch": train.get("best_epoch"),
        "seconds": train.get("seconds"),
        "machine": cell.info.get("machine"),
        "versions": cell.info.get("versions") or {},
        "finished": cell.info.get("finished"),
        "hash": cell.info.get("hash"),
    }
