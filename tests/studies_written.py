"""Studies' findings written by hand, by the schemas in grasp_bench/studies, with hostile names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from results_builder import Results, control

EVIL = "<script>window.hit=1</script>\"'&<img src=x onerror=window.hit=1>"
RTL = "שלום <b>عربي</b> 中文 \u202eabc"
LONG = "a_very_long_name_" * 12
HISTOGRAM = [{"from": 1, "to": 1, "users": 20}, {"from": 2, "to": 9, "users": 220}]
PARTS = ("self", "similar", "global")


def write_studies(folder: Path) -> dict[str, Any]:
    """Write all five files into `results/<spec>` and return what they say."""
    made = {
        "tuning": tuning(),
        "attention": attention(),
        "latency": latency(),
        "freshness": freshness(),
        "probe": probe(),
    }
    for name, content in made.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return made


def tuning() -> dict[str, Any]:
    """Two keys, five and four values, a trial that was pruned and one that failed."""
    widths, neighbours = [16, 32, 64, 128], [1, 5, 10, 20, 50]

    def value(n: int, d: int) -> float:
        return 0.21 + 0.001 * n - 0.00002 * n * n + 0.0003 * d

    trials = [
        {"number": number, "state": "complete",
         "params": {"index.num_neighbours": n, "model.embedding_dim": d}, "value": value(n, d),
         "values": {"42": value(n, d)}, "epochs": 12, "seconds": 61.5 + number}
        for number, (n, d) in enumerate((n, d) for d in widths for n in neighbours)
    ]  # fmt: skip
    trials[3] |= {"state": "pruned", "epochs": 4}
    trials[7] |= {"state": "failed", "value": None, "values": {}}

    def curve(key: str, xs: list[int], fixed: dict[str, int]) -> dict[str, Any]:
        points = [
            {"x": x, "mean": m, "low": m - 0.004, "high": m + 0.004, "seeds": 2}
            for x in xs
            for m in [value(x, 64) if key == "index.num_neighbours" else value(10, x)]
        ]
        return {"key": key, "fixed": fixed, "points": points}

    grid: list[list[float | None]] = [[value(n, d) for n in neighbours] for d in widths]
    grid[1][2] = None
    return {
        "spec": "toy_spec", "study": "fig4", "sampler": "tpe", "metric": "NDCG@10", "protocol": "sampled",
        "dataset": "toy", "seeds": [42, 43],
        "space": {"index.num_neighbours": neighbours, "model.embedding_dim": widths},
        "trials": trials, "best": trials[18],
        "importance": {"index.num_neighbours": 0.7, "model.embedding_dim": 0.3},
        "curves": [
            curve("index.num_neighbours", neighbours, {"model.embedding_dim": 64}),
            curve("model.embedding_dim", widths, {"index.num_neighbours": 10}),
        ],
        "contours": [
            {"x_key": "index.num_neighbours", "y_key": "model.embedding_dim", "x": neighbours, "y": widths,
             "z": grid}
        ],
        "notes": [f"A note {EVIL}."],
    }  # fmt: skip


def attention() -> dict[str, Any]:
    """Two cells; the first has seen noise and has heat maps."""
    return {
        "spec": "toy_spec",
        "cells": [
            _attention_cell("grasp", 42, noisy=True),
            _attention_cell("grasp/softmax", 43, noisy=False),
        ],
        "notes": [],
    }


def _attention_cell(label: str, seed: int, *, noisy: bool) -> dict[str, Any]:
    groups = ["all", "head_users", "tail_users", "head_items", "tail_items"]
    groups += ["clean", "corrupted"] if noisy else []
    weights = [_weights(part, group, k, g) for k, part in enumerate(PARTS) for g, group in enumerate(groups)]
    corruption = [
        {"part": part, "side": "items", "corrupted": 120, "clean": 480, "auc": 0.5 + 0.06 * k,
         "correlation": -0.05 * k, "mean_corrupted": 0.48 - 0.02 * k, "mean_clean": 0.5}
        for k, part in enumerate(PARTS)
    ]  # fmt: skip
    items = [f"Lipstick {EVIL}", RTL, LONG, *(f"Shampoo no. {k}" for k in range(27))]
    heat = {
        "user": EVIL, "items": items, "parts": list(PARTS),
        "weights": [[0.45 + 0.004 * t + 0.01 * k for t in range(len(items))] for k in range(3)],
    }  # fmt: skip
    return {
        "slug": f"sasrec-{label}-s{seed}", "label": label, "seed": seed, "attention": "sigmoid",
        "noise": "0.2 permute" if noisy else None, "scale": dict.fromkeys(PARTS, 1.0), "pairs": 600,
        "weights": weights, "corruption": corruption if noisy else [], "heat_maps": [heat] if noisy else [],
    }  # fmt: skip


def _weights(part: str, group: str, k: int, g: int) -> dict[str, Any]:
    counts = [max(0, 40 - 6 * abs(bin - 9 - k - g % 3)) for bin in range(20)]
    mean = 0.48 + 0.01 * k + 0.003 * g
    return {
        "part": part, "group": group, "count": sum(counts), "mean": mean, "std": 0.05, "saturated": 0.31,
        "quantiles": {
            "0.05": mean - 0.08, "0.25": mean - 0.03, "0.5": mean, "0.75": mean + 0.03, "0.95": mean + 0.08,
        },
        "edges": [bin / 20 for bin in range(21)], "counts": counts,
    }  # fmt: skip


def latency() -> dict[str, Any]:
    """A backbone, and a method that costs 0.4 ms more."""

    def timing(path: str, ranking: str, state: str, scale: float) -> dict[str, Any]:
        return {"path": path, "ranking": ranking, "state": state, "requests": 500 if state == "warm" else 5,
                "p50": 1.1 * scale, "p95": 1.6 * scale, "p99": 2.4 * scale, "mean": 1.2 * scale,
                "cpu_p50": None if state == "cold" else 1.0 * scale}  # fmt: skip

    def cell(enhancer: str, scale: float, extras: list[dict[str, Any]]) -> dict[str, Any]:
        paths = ["model"] if enhancer == "none" else ["model", "live", "text"]
        first = extras[0] if extras else {"ms": None, "low": None, "high": None}
        return {
            "slug": f"sasrec-{enhancer}-s42", "label": enhancer, "backbone": "sasrec", "enhancer": enhancer,
            "timings": [
                timing(path, ranking, state, scale * (1 + 3 * k))
                for ranking in ("catalogue", "candidates")
                for k, path in enumerate(paths)
                for state in ("warm", "cold")
            ],
            "batch_size": 256, "requests_per_second": 8123.4 / scale,
            "extra_ms": first["ms"], "extra_low": first["low"], "extra_high": first["high"],
            "extras": extras, "not_measured": {"text": "precomputed vectors"} if enhancer == "none" else {},
        }  # fmt: skip

    extras = [
        {"path": path, "ranking": ranking, "ms": ms, "low": ms - 0.1, "high": ms + 0.1, "cpu_ms": ms,
         "verdict": "holds" if ms < 0.9 else "open"}
        for ranking in ("catalogue", "candidates")
        for path, ms in (("model", 0.4), ("live", 1.05), ("text", 6.2))
    ]  # fmt: skip
    return {
        "spec": "toy_spec", "machine": "2 × toy CPU", "threads": 1, "items": 12101, "candidates": 100,
        "ranking": "catalogue", "cells": [cell("none", 1.0, []), cell("grasp", 1.4, extras)],
        "claim": "“Under 1 ms extra” holds on this machine.", "notes": ["A note."],
    }  # fmt: skip


def freshness() -> dict[str, Any]:
    """Two methods, profiles up to ten interactions old; the backbone reads none."""
    curves = []
    for label, loss in (("grasp", 0.002), ("none", 0.0)):
        ages = [
            {"stale": k, "trainings": 2, "mean": 0.34 - loss * k,
             "low": 0.33 - loss * k, "high": 0.35 - loss * k, "tokens": 120_000 // (k + 1),
             "saved": 1 - 1 / (k + 1),
             "test": pair_test(-loss * k) if k else None, "p_adjusted": 0.02 if k else None}
            for k in (0, 1, 2, 5, 10)
        ]  # fmt: skip
        curves.append({"label": label, "metric": "NDCG@10", "protocol": "full", "ages": ages})
    return {"spec": "toy_spec", "curves": curves, "notes": []}


def probe() -> dict[str, Any]:
    """Both probes of the base features, and with what two seeds of a cell have learned."""
    probes = []
    for kind, more in (("logistic", 0.0), ("mlp", 0.01)):
        for cell, seed, gain in (
            ("base", 0, None),
            ("sasrec-grasp-s42", 42, 0.05),
            ("sasrec-grasp-s43", 43, 0.04),
        ):
            auc = 0.62 + more + (gain or 0.0)
            row: dict[str, Any] = {
                "cell": cell, "label": "base" if gain is None else "grasp",
                "features": "base" if gain is None else "base+states", "probe": kind, "seed": seed,
            }  # fmt: skip
            for key, value in (
                ("auc", auc),
                ("log_loss", 1.2 - auc),
                ("auc_gain", gain),
                ("log_loss_gain", gain),
            ):
                row[key] = value
                row[f"{key}_low"] = None if value is None else value - 0.01
                row[f"{key}_high"] = None if value is None else value + 0.01
            probes.append(row)
    return {
        "spec": "toy_spec", "dataset": "toy", "train_pairs": 4000, "test_pairs": 1000,
        "base": ["log popularity", "log activity"], "test_read": True, "probes": probes, "notes": [],
    }  # fmt: skip


def pair_test(difference: float) -> dict[str, Any]:
    """A paired test of this difference."""
    return {
        "n": 300, "gained": 90, "lost": 110, "difference": difference, "low": difference - 0.002,
        "high": difference + 0.002, "p": 0.01, "freedom": 4.0, "trainings": [2, 2], "superiority": 0.49,
        "cohens_dz": None, "rank_biserial": -0.1, "p_t": 0.01, "p_wilcoxon": 0.01, "p_permutation": 0.01,
    }  # fmt: skip


def whole_study(folder: Path) -> Results:
    """`results/<spec>` with a control, noise, an ablation, a claim, hostile names, a gap, and all studies."""
    results = Results(folder)
    rng = np.random.default_rng(3)
    base = rng.integers(4, 40, size=240)
    noise = {"kind": "permute", "side": "both", "when": "before_retrieval"}
    for seed in (42, 43):
        jitter = rng.integers(0, 3, size=240)
        results.cell(f"none-{seed}", base + jitter, seed=seed)
        for rate in (0.0, 0.2, 0.4):
            noisy = {**noise, "rate": rate} if rate else None
            ranks = np.maximum(1, base // 3 + round(20 * rate) + jitter)
            results.cell(f"grasp-{rate}-{seed}", ranks, seed=seed, enhancer="grasp", noise=noisy)
        softer = np.maximum(1, base // 2 + jitter)
        results.cell(f"grasp-soft-{seed}", softer, seed=seed, enhancer="grasp", ablation="softmax")
        for number, name in enumerate((EVIL, LONG, RTL)):
            results.cell(f"strange-{number}-{seed}", base + 5 + number + jitter, seed=seed, enhancer=name)
    results.cell("popularity", base + 9, **control("popularity"))
    missing = {"slug": "gone-s42", "dataset": "toy", "backbone": "sasrec", "enhancer": "gone", "seed": 42}
    results.plan({**missing, "ablation": None, "noise": None, "variant": {}})
    results.study(
        description=f"{EVIL} {RTL}",
        hypotheses=[{"better": "grasp/softmax", "than": "none", "metric": "NDCG@10", "protocol": "full"}],
        cards={EVIL: {"users": 240, EVIL: EVIL, "lengths": {"mean": 8.5, "histogram": HISTOGRAM}}},
    )
    write_studies(folder)
    return results
