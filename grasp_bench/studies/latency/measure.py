"""Time requests of trained cells against the bare backbone of the same spec and seed.

A request takes one user's history and returns the best items of the catalogue, or the scores of a few
candidates. "Under 1 ms extra a request" is tested on the median of differences between a cell and its
backbone on the same requests, taken in turns, so that a busy machine slows down both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.components import BACKBONES
from grasp_bench.core import machine
from grasp_bench.core.errors import DataError
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stats.bootstrap import median_interval
from grasp_bench.studies.latency.claim import CANNOT_TELL, FAILS, HOLDS, claim_of, notes_on
from grasp_bench.studies.latency.schema import Extra, Latency, LatencyCell, Timing
from grasp_bench.studies.latency.timing import (
    Loaded,
    Path,
    Ranking,
    Start,
    Times,
    first_requests,
    in_turns,
    load_paths,
)
from grasp_bench.studies.serving import Request, is_trained, labels, trained_cells

Key = tuple[str, Path, Ranking]  # slug, way, what is asked for
Taken = Mapping[Key, Times]
LIMIT_MS = 1.0
BATCHES = 10
# As in the ranker: floats held per (user, item) of a batch, and what they may take.
BATCH_BYTES, BYTES_PER_PAIR = 512 * 2**20, 64


@dataclass(frozen=True)
class Measure:
    """How much is measured: requests a cell, candidates, items returned, requests of a batch, cold starts."""

    requests: int = 300
    threads: int = 1
    candidates: int = 101
    top: int = 10
    batch_size: int = 64
    cold: int = 5
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Comparison:
    """A cell and its bare backbone, measured in turns; or one of them alone."""

    cell: Cell
    bare: Cell | None
    requests: Sequence[Request]
    taken: Taken
    batch_size: int
    batches: Mapping[str, Times]  # of each slug, by batch
    not_measured: Mapping[str, str]
    items: int

    def timed(self, slug: str) -> dict[tuple[Path, Ranking], Times]:
        """Times of one of the two, by path and ranking."""
        return {(path, ranking): times for (name, path, ranking), times in self.taken.items() if name == slug}


def measure_latency(
    plan: Plan, chosen: Plan, store: Store, measure: Measure, note: Callable[[str], None]
) -> Latency:
    """Time the trained cells of `chosen`; their backbones may be any of the plan's, and are shown too.

    Raises StoreError when no cell is trained, DataError when no user has a history.
    """
    cells, left_out = trained_cells(chosen, store)
    for reason in left_out:
        note(reason)
    comparisons = [_compare(cell, bare, store, measure, note) for cell, bare in _pairs(cells, plan, store)]
    cold = _cold(comparisons, store, measure, note)
    trained = [cell for cell in plan.cells if cell.kind == "trained"]
    named = labels(trained)
    met = {cell.slug for each in comparisons for cell in (each.cell, each.bare) if cell is not None}
    found = [_result(cell, named[cell.slug], comparisons, cold) for cell in trained if cell.slug in met]
    items, candidates = comparisons[0].items, len(comparisons[0].requests[0].candidates)
    return {
        "spec": plan.name,
        "machine": machine.describe("cpu"),
        "threads": measure.threads,
        "items": items,
        "candidates": candidates,
        "ranking": "catalogue",
        "cells": found,
        "claim": claim_of(found, items, candidates),
        "notes": notes_on(found, len(comparisons[0].requests), measure.cold, machine.load()),
    }


def _pairs(cells: Sequence[Cell], plan: Plan, store: Store) -> Iterator[tuple[Cell, Cell | None]]:
    """Cells with their bare backbones, and bare ones that no other was measured against."""
    bares = {cell.slug: _bare(cell, plan, store) for cell in cells if not _is_bare(cell)}
    partners = {bare.slug for bare in bares.values() if bare is not None}
    for cell in cells:
        if cell.slug in bares:
            yield cell, bares[cell.slug]
        elif cell.slug not in partners:
            yield cell, None


def _bare(cell: Cell, plan: Plan, store: Store) -> Cell | None:
    """The trained cell without an enhancer on the same split, of the same seed, whose backbone has the same
    settings and reads as many items."""
    for other in plan.cells:
        if (
            other.kind == "trained"
            and _is_bare(other)
            and (other.seed, other.nodes["split"]) == (cell.seed, cell.nodes["split"])
            and _size(other) == _size(cell)
            and is_trained(other, store)
        ):
            return other
    return None


def _size(cell: Cell) -> dict[str, Any]:
    model = cell.experiment.model.effective()
    backbone = str(model["backbone"])
    return {
        key: model[key]
        for key in ("backbone", "embedding_dim", "max_len", *BACKBONES.get(backbone).own_keys())
    }


def _is_bare(cell: Cell) -> bool:
    return cell.experiment.model.enhancer == "none"


def _compare(
    cell: Cell, bare: Cell | None, store: Store, measure: Measure, note: Callable[[str], None]
) -> _Comparison:
    note(f"measuring {cell.slug}" + (f" against {bare.slug}" if bare else ""))
    loaded = {
        each.slug: load_paths(each, store, measure.threads, measure.top) for each in (cell, bare) if each
    }
    ours = loaded[cell.slug]
    requests = _requests(ours, measure)
    calls = {
        (slug, path, ranking): ask
        for slug, each in loaded.items()
        for (path, ranking), ask in each.asks.items()
    }
    items = ours.serving.recommender.num_items
    size = max(1, min(measure.batch_size, BATCH_BYTES // (BYTES_PER_PAIR * items), len(requests)))
    batches = [
        [requests[(at + k) % len(requests)] for k in range(size)] for at in range(0, BATCHES * size, size)
    ]
    at_once = in_turns({slug: each.serving.best for slug, each in loaded.items()}, batches, turn=2)
    taken = in_turns(calls, requests)
    return _Comparison(cell, bare, requests, taken, size, at_once, ours.not_measured, items)


def _requests(loaded: Loaded, measure: Measure) -> list[Request]:
    """Users drawn without replacement as far as there are enough, each with candidates of its own."""
    opened = loaded.serving.opened
    users = np.flatnonzero(np.diff(opened.offsets))
    if not len(users):
        raise DataError(f"{opened.cell.slug}: no user has a history to make a request of")
    rng = np.random.default_rng(measure.seed)
    items = loaded.serving.recommender.num_items
    drawn = rng.choice(users, measure.requests, replace=len(users) < measure.requests)
    width = min(measure.candidates, items)
    return [loaded.serving.request(int(user), rng.choice(items, width, replace=False)) for user in drawn]


def _cold(
    comparisons: Sequence[_Comparison], store: Store, measure: Measure, note: Callable[[str], None]
) -> dict[tuple[str, Path], NDArray[np.float64]]:
    """First requests of fresh processes, the cells by turns."""
    asked: dict[tuple[str, Path], tuple[Cell, _Comparison]] = {}
    for comparison in comparisons:
        for slug, path, _ in comparison.taken:
            bare = comparison.bare
            cell = bare if bare is not None and bare.slug == slug else comparison.cell
            asked.setdefault((slug, path), (cell, comparison))
    starts = [
        Start(store.root, cell, path, "catalogue", each.user, each.candidates, measure.threads, measure.top)
        for number in range(measure.cold)
        for (_, path), (cell, comparison) in asked.items()
        for each in (comparison.requests[number % len(comparison.requests)],)
    ]
    if starts:
        note(f"starting {len(starts)} fresh processes, one after the other")
    ms = np.array(first_requests(starts)).reshape(measure.cold, len(asked))
    return {key: ms[:, place] for place, key in enumerate(asked)} if measure.cold else {}


def _result(
    cell: Cell,
    label: str,
    comparisons: Sequence[_Comparison],
    cold: Mapping[tuple[str, Path], NDArray[np.float64]],
) -> LatencyCell:
    mine = [comparison for comparison in comparisons if cell in (comparison.cell, comparison.bare)]
    ways = {
        key: [comparison.timed(cell.slug)[key] for comparison in mine] for key in mine[0].timed(cell.slug)
    }
    timings = []
    for (path, ranking), several in ways.items():
        times = Times.together(several)
        timings.append(_timing(path, ranking, "warm", times.ms, float(np.median(times.cpu_ms))))
    timings += [
        _timing(path, "catalogue", "cold", ms, None) for (slug, path), ms in cold.items() if slug == cell.slug
    ]
    extras = _extras(mine[0]) if mine[0].cell == cell else []
    main = next((each for each in extras if (each["path"], each["ranking"]) == ("model", "catalogue")), None)
    batch_ms = float(np.median(Times.together([comparison.batches[cell.slug] for comparison in mine]).ms))
    return {
        "slug": cell.slug,
        "label": label,
        "backbone": cell.experiment.model.backbone,
        "enhancer": cell.experiment.model.enhancer,
        "timings": timings,
        "batch_size": mine[0].batch_size,
        "requests_per_second": 1000 * mine[0].batch_size / batch_ms,
        "extra_ms": main and main["ms"],
        "extra_low": main and main["low"],
        "extra_high": main and main["high"],
        "extras": extras,
        "not_measured": dict(mine[0].not_measured) if mine[0].cell == cell else {},
    }


def _extras(comparison: _Comparison) -> list[Extra]:
    """Times of every path of a cell less those of its bare backbone (all precomputed), by request."""
    if comparison.bare is None:
        return []
    bare = comparison.timed(comparison.bare.slug)
    return [
        _extra(path, ranking, times - bare["model", ranking])
        for (path, ranking), times in comparison.timed(comparison.cell.slug).items()
    ]


def _extra(path: Path, ranking: Ranking, differences: Times) -> Extra:
    interval = median_interval(differences.ms)
    verdict = HOLDS if interval.high < LIMIT_MS else FAILS if interval.low > LIMIT_MS else CANNOT_TELL
    return {
        "path": path,
        "ranking": ranking,
        "ms": float(np.median(differences.ms)),
        "low": interval.low,
        "high": interval.high,
        "cpu_ms": float(np.median(differences.cpu_ms)),
        "verdict": verdict,
    }


def _timing(
    path: Path, ranking: Ranking, state: str, ms: NDArray[np.float64], cpu_p50: float | None
) -> Timing:
    p50, p95, p99 = (float(value) for value in np.percentile(ms, (50, 95, 99)))
    return {
        "path": path, "ranking": ranking, "state": state, "requests": len(ms),
        "p50": p50, "p95": p95, "p99": p99, "mean": float(ms.mean()), "cpu_p50": cpu_p50,
    }  # fmt: skip
