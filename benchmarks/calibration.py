"""How often the deciding test calls equal methods different, and how often it tells different ones apart.

    python benchmarks/calibration.py [--draws 3000] > benchmarks/results/calibration.json

Prints a JSON line for each row; every rate is a share of the draws, at alpha 0.05.

- `seeds`: whether one seed gives two methods anything in common: correlations over seeds 1 to 15 of `none`
  and `grasp` (aa-beauty2000: 2,000 users of amazon-beauty, NDCG@10), of means and of the rests.
- `equal`: two groups of k seeds of the same method, drawn without an overlap from those 15. They differ in
  nothing but luck.
- `power`: k seeds of `none` against k of `grasp`, which differ.
- `known`: equal methods in simulations with known components, on boards of two and of six methods. Standard
  deviations of a method's users, trainings (over their mean) and rest are given in units of the same.
- `looks`: the error over a whole sequence of looks that stops at the first p below what the look may spend.

Beside the test of the harness stand its rivals: the paired t-test of users (what papers do), the plain sum of
the mean squares of users and trainings, spreads pooled over the two methods, and spreads shrunk towards those
of the whole board (moderated t; Smyth, Statistical Applications in Genetics and Molecular Biology 2004).
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import special, stats

from grasp_bench.core import ranks as rank_metrics
from grasp_bench.stats.correction import looks_at, shares
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.trainings import Trainings

ALPHA, METRIC = 0.05, "NDCG@10"
CELLS = Path(os.environ.get("GRASP_BENCH_DATA", "data")) / "aa-beauty2000"
METHODS, RANKINGS, SEEDS = ("none", "grasp"), ("sampled", "full"), range(1, 16)
USERS = 200  # in simulations

Board = Sequence[Trainings]  # the first two are compared, the others are what else the board holds
Drawn = Callable[[np.random.Generator], Board]


# --- rivals ---


def users_alone(board: Board) -> float:
    """p of the paired t-test over users, seeds averaged first."""
    return float(stats.ttest_rel(board[0].users, board[1].users).pvalue)


def _parts(board: Board) -> tuple[float, float, list[float], list[float]]:
    """Difference, users' variance, and spreads over k and their noise of all methods."""
    d = board[0].users - board[1].users
    k = board[0].count
    return (
        float(d.mean()),
        float(d.var(ddof=1)) / d.size,
        [method.spread / k for method in board],
        [method.noise / k for method in board],
    )


def _p(difference: float, variance: float, freedom: float) -> float:
    return float(2 * stats.t.sf(abs(difference) / np.sqrt(variance), max(freedom, 1.0)))


def plain_sum(board: Board) -> float:
    """Mean squares of users and trainings added up: the rest counts twice."""
    d, users, spread, _ = _parts(board)
    variance = users + spread[0] + spread[1]
    squares = users**2 / (board[0].users.size - 1) + (spread[0] ** 2 + spread[1] ** 2) / (board[0].count - 1)
    return _p(d, variance, variance**2 / squares)


def pooled_over_the_pair(board: Board) -> float:
    """Both methods have one spread, known by twice the degrees of freedom; at least the noise."""
    d, users, spread, noise = _parts(board)
    trainings = max(spread[0] + spread[1], noise[0] + noise[1])
    variance = max(users - noise[0] - noise[1], 0) + trainings
    squares = users**2 / (board[0].users.size - 1) + trainings**2 / (2 * (board[0].count - 1))
    return _p(d, variance, variance**2 / squares)


def moderated(board: Board) -> float:
    """Spreads shrunk towards those of the board, by moments of their logarithms (Smyth 2004, section 6.2)."""
    d, users, spread, noise = _parts(board)
    freedom = board[0].count - 1
    logs = np.log(np.maximum(spread, 1e-30)) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(ddof=1) - special.polygamma(1, freedom / 2)
    if excess > 0:
        prior_freedom = 2 * _inverse_trigamma(excess)
        prior = np.exp(logs.mean() + special.digamma(prior_freedom / 2) - np.log(prior_freedom / 2))
        weight = prior_freedom / (prior_freedom + freedom)
    else:
        prior_freedom, prior, weight = np.inf, float(np.mean(spread)), 1.0
    shrunk = [max(weight * prior + (1 - weight) * spread[m], noise[m]) for m in (0, 1)]
    variance = max(users - noise[0] - noise[1], 0) + sum(shrunk)
    known = min(prior_freedom + freedom, len(board) * freedom)
    squares = users**2 / (board[0].users.size - 1) + sum(each**2 for each in shrunk) / known
    return _p(d, variance, variance**2 / squares)


def _inverse_trigamma(value: float) -> float:
    found = 0.5 + 1 / value
    for _ in range(50):
        now = special.polygamma(1, found)
        found += now * (1 - now / value) / special.polygamma(2, found)
    return float(found)


def harness(board: Board) -> float:
    """The test that decides on boards."""
    p = difference(board[0], board[1]).p
    assert p is not None
    return p


TESTS = {
    "users alone": users_alone,
    "plain sum": plain_sum,
    "pooled over the pair": pooled_over_the_pair,
    "moderated over the board": moderated,
    "harness": harness,
}


# --- rows ---


def rates(drawn: Drawn, draws: int, seed: int) -> dict[str, float]:
    """Share of draws that each test calls different."""
    rng, hits = np.random.default_rng(seed), Counter[str]()
    for _ in range(draws):
        board = drawn(rng)
        for name, test in TESTS.items():
            hits[name] += test(board) < ALPHA
    return {name: round(hits[name] / draws, 4) for name in TESTS}


def over_looks(drawn: Drawn, looks: Sequence[int], draws: int, seed: int) -> float:
    """Share of draws that are called different at any of the looks."""
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(draws):
        first, second = drawn(rng)[:2]
        seen = (
            harness((first.first(k), second.first(k))) / share
            for k, share in zip(looks, shares(looks), strict=True)
        )
        hits += any(p < ALPHA for p in seen)
    return round(hits / draws, 4)


def read_cells() -> dict[tuple[str, str], np.ndarray]:
    """NDCG@10 of every seed and user, (15, 2000), by method and ranking."""
    found = {}
    for method in METHODS:
        for ranking in RANKINGS:
            frames = [
                pl.read_parquet(CELLS / f"sasrec-{method}-s{seed}" / "ranks.parquet").sort("user")
                for seed in SEEDS
            ]
            found[method, ranking] = np.stack(
                [
                    rank_metrics.per_user(
                        METRIC, frame[f"{ranking}_better"].to_numpy(), frame[f"{ranking}_tied"].to_numpy(),
                        "mean",
                    )
                    for frame in frames
                ]
            )  # fmt: skip
    return found


def equal(values_SU: np.ndarray, k: int) -> Drawn:
    """Two groups of k seeds of one method without an overlap."""

    def draw(rng: np.random.Generator) -> Board:
        chosen = rng.permutation(len(values_SU))
        return Trainings(values_SU[chosen[:k]]), Trainings(values_SU[chosen[k : 2 * k]])

    return draw


def against(first_SU: np.ndarray, second_SU: np.ndarray, k: int) -> Drawn:
    """k seeds of each of two methods."""

    def draw(rng: np.random.Generator) -> Board:
        seeds = [rng.permutation(len(first_SU))[:k] for _ in range(2)]
        return Trainings(first_SU[seeds[0]]), Trainings(second_SU[seeds[1]])

    return draw


def in_common(ours_SU: np.ndarray, theirs_SU: np.ndarray) -> dict[str, float]:
    """Correlation of two methods' means over seeds, and of their rests: of the same seed, and of others."""

    def rest(values_SU: np.ndarray) -> np.ndarray:
        return np.asarray(values_SU - values_SU.mean(0) - values_SU.mean(1, keepdims=True) + values_SU.mean())

    seeds = len(ours_SU)
    between = np.corrcoef(rest(ours_SU), rest(theirs_SU))[:seeds, seeds:]
    same = np.diag(between)
    return {
        "means": round(float(np.corrcoef(ours_SU.mean(1), theirs_SU.mean(1))[0, 1]), 3),
        "means_error": round(1 / np.sqrt(seeds - 3), 3),
        "rests_same_seed": round(float(same.mean()), 4),
        "rests_same_seed_error": round(float(same.std(ddof=1) / np.sqrt(seeds)), 4),
        "rests_other_seeds": round(float((between.sum() - same.sum()) / (seeds * (seeds - 1))), 4),
    }


def known(sds: tuple[float, Sequence[float], float], k: int, methods: int, tail: str = "normal") -> Drawn:
    """Equal methods of known components: each has its own users' part, its spread and its rest.

    `heavy` draws every part from Student's t with three degrees of freedom; `zeros` gives a value to 5 % of
    users, as a metric at ten does.
    """
    of_users, of_trainings, rest = sds
    spreads = np.resize(np.asarray(of_trainings, dtype=float), methods)

    def part(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_t(3, shape) / np.sqrt(3) if tail == "heavy" else rng.normal(size=shape)

    def draw(rng: np.random.Generator) -> Board:
        values = of_users * part(rng, (methods, 1, USERS)) + rest * part(rng, (methods, k, USERS))
        values += spreads[:, None, None] * part(rng, (methods, k, 1))
        if tail == "zeros":
            common = rng.normal(size=USERS)
            hit = 0.8 * common + 0.6 * values / np.hypot(of_users, rest) > 1.645
            values = np.where(hit, 1 / np.log2(rng.integers(2, 12, values.shape)), 0.0)
        return [Trainings(each) for each in values]

    return draw


SIMULATED: dict[str, tuple[tuple[float, Sequence[float], float], str]] = {
    "users only": ((1, [0], 1), "normal"),
    "trainings only": ((0.01, [0.2], 0.01), "normal"),
    "both": ((1, [0.1], 1), "normal"),
    "both, more luck of training": ((1, [0.2], 1), "normal"),
    "heavy tails": ((1, [0.1], 1), "heavy"),
    "95 % of users at zero": ((1, [0.1], 1), "zeros"),
    "spreads 2 : 1": ((1, [0.2, 0.1], 1), "normal"),
    "spreads 3 : 1": ((1, [0.3, 0.1], 1), "normal"),
    "spreads 6 : 1": ((1, [0.3, 0.05], 1), "normal"),
    "spreads 3 : 1, hardly any users' part": ((0.1, [0.3, 0.1], 0.1), "normal"),
    "spreads 10 : 1, hardly any users' part": ((0.1, [0.3, 0.03], 0.1), "normal"),
    "two methods of six with 6 times the spread": ((1, [0.3, 0.3, 0.05, 0.05, 0.05, 0.05], 1), "normal"),
    "one method of six with 6 times the spread": ((1, [0.3, 0.05, 0.05, 0.05, 0.05, 0.05], 1), "normal"),
}


def rows(draws: int) -> Iterator[dict[str, Any]]:
    """Everything that is printed."""
    cells = read_cells()
    for ranking in RANKINGS:
        yield {
            "kind": "seeds",
            "ranking": ranking,
            **in_common(cells["none", ranking], cells["grasp", ranking]),
        }
    for method in METHODS:
        for ranking in RANKINGS:
            for k in (2, 3, 5):
                found = rates(equal(cells[method, ranking], k), draws, seed=k)
                yield {"kind": "equal", "method": method, "ranking": ranking, "trainings": k, **found}
    for ranking in RANKINGS:
        for k in (2, 3, 5):
            found = rates(against(cells["none", ranking], cells["grasp", ranking], k), draws, seed=k)
            yield {"kind": "power", "pair": "none, grasp", "ranking": ranking, "trainings": k, **found}
    for name, (sds, tail) in SIMULATED.items():
        for methods in (6,) if "of six" in name else (2, 6):
            for k in (2, 3, 5):
                found = rates(known(sds, k, methods, tail), draws, seed=k)
                yield {"kind": "known", "case": name, "methods": methods, "trainings": k, **found}
    for method in METHODS:
        for ranking in RANKINGS:
            looks = looks_at(3, 7)
            error = over_looks(equal(cells[method, ranking], looks[-1]), looks, draws, seed=1)
            yield {"kind": "looks", "case": f"{method}, {ranking}", "looks": looks, "harness": error}
    for name, (sds, tail) in SIMULATED.items():
        if "of six" not in name:
            for looks in (looks_at(2, 6), looks_at(3, 12)):
                error = over_looks(known(sds, looks[-1], 2, tail), looks, draws, seed=1)
                yield {"kind": "looks", "case": name, "looks": looks, "harness": error}


def main() -> None:
    """Print every row as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=3_000)
    for row in rows(parser.parse_args().draws):
        print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
