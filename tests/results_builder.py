"""Synthetic results folders, written as docs/artefacts.md says, with metrics by their definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

CUTOFFS = (1, 5, 10, 20)
IDENTITY = (
    "slug", "kind", "name", "dataset", "backbone", "enhancer", "ablation", "noise", "variant", "seed", "hash",
)  # fmt: skip


def metric_values(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """NDCG, HR and MRR per user from whole ranks (1 = first), no ties."""
    values = {}
    for k in CUTOFFS:
        hit = ranks <= k
        values[f"NDCG@{k}"] = np.where(hit, 1 / np.log2(1 + ranks), 0.0)
        values[f"HR@{k}"] = hit.astype(float)
        values[f"MRR@{k}"] = np.where(hit, 1 / ranks, 0.0)
    return values


def summary(ranks: np.ndarray) -> dict[str, float]:
    """One group of metrics.json."""
    return {"n": len(ranks), **{name: float(v.mean()) for name, v in metric_values(ranks).items()}}


def sampled(ranks: np.ndarray) -> np.ndarray:
    """Sampled ranks: a tenth of the full ones."""
    return 1 + (ranks - 1) // 10


def settings(**model: Any) -> dict[str, Any]:
    """The settings part of cell.json."""
    return {"model": model, "protocol": {"ties": "mean", "negatives": 100}}


def control(name: str) -> dict[str, Any]:
    """What cell.json says of a control that nothing has trained."""
    return {"kind": "control", "name": name, "backbone": None, "enhancer": None, "seed": None}


class Results:
    """Builds `results/<name>` cell by cell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.planned: list[dict[str, Any]] = []

    def cell(self, slug: str, ranks: np.ndarray, **changes: Any) -> Path:
        """Write one finished cell; `changes` go into cell.json (`users`, `protocols`: into the ranks)."""
        users = np.asarray(changes.pop("users", np.arange(len(ranks))))
        protocols = changes.pop("protocols", ("sampled", "full"))
        info = {
            "spec": self.folder.name, "slug": slug, "dataset": "toy", "backbone": "sasrec",
            "enhancer": "none", "ablation": None, "noise": None, "variant": {}, "seed": 42,
            "hash": f"h-{slug}", "protocol_hash": "p1", "nodes": {}, "settings": settings(enhancer="none"),
            "train": {"epochs": 7, "best_epoch": 5, "seconds": 75.0}, "versions": {"torch": "2.13.0"},
            "machine": "2 × toy", "finished": "2026-11-21T14:02:11Z",
        } | changes  # fmt: skip
        path = self.folder / slug
        path.mkdir(parents=True)
        (path / "cell.json").write_text(json.dumps(info), encoding="utf-8")
        by_protocol = {"full": ranks, "sampled": sampled(ranks)}
        (path / "metrics.json").write_text(json.dumps(_metrics(by_protocol, protocols)), encoding="utf-8")
        columns = {"user": users, "item": users * 3}
        for name in protocols:
            columns[f"{name}_better"] = by_protocol[name] - 1
            columns[f"{name}_tied"] = np.zeros(len(ranks), dtype=int)
        pl.DataFrame(columns).cast(pl.UInt32).write_parquet(path / "ranks.parquet")
        self.plan(info)
        return path

    def plan(self, identity: dict[str, Any]) -> None:
        """Plan a cell, finished or not."""
        self.planned.append({key: identity[key] for key in IDENTITY if key in identity})

    def study(self, **changes: Any) -> None:
        """Write study.json for all planned cells."""
        study = {
            "format": 1, "name": self.folder.name, "description": "a toy", "rank_by": "full",
            "metric": "NDCG@10", "hypotheses": [], "planned": self.planned,
            "cards": {"toy": {"users": 300, "lengths": {"mean": 8.5}}},
        } | changes  # fmt: skip
        (self.folder / "study.json").write_text(json.dumps(study), encoding="utf-8")


def three_methods(folder: Path) -> Results:
    """none (bad), grasp (good), grasp/softmax (grasp but for noise): three seeds, 300 users."""
    results = Results(folder)
    rng = np.random.default_rng(0)
    base = rng.integers(5, 60, size=300)
    for seed in (42, 43, 44):
        jitter = rng.integers(0, 3, size=300)
        wobble = rng.permutation(np.repeat([0, 1, -1], 100))
        good = np.maximum(1, base // 3 + jitter)
        results.cell(f"sasrec-none-s{seed}", base + jitter, seed=seed)
        grasp = {"seed": seed, "enhancer": "grasp"}
        sigmoid, softmax = (settings(enhancer="grasp", attention=name) for name in ("sigmoid", "softmax"))
        results.cell(f"sasrec-grasp-s{seed}", good, settings=sigmoid, **grasp)
        wobbled = np.maximum(1, good + wobble)
        results.cell(f"sasrec-grasp-softmax-s{seed}", wobbled, ablation="softmax", settings=softmax, **grasp)
    results.study(
        hypotheses=[
            {"better": "grasp", "than": "none", "metric": "NDCG@10", "protocol": "full"},
            {"better": "none", "than": "grasp/softmax", "metric": "HR@10", "protocol": "full"},
            {"better": "grasp", "than": "llmesr", "metric": "NDCG@10", "protocol": "full"},
        ]
    )
    return results


def _metrics(by_protocol: dict[str, np.ndarray], protocols: tuple[str, ...]) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        name: {
            "overall": summary(by_protocol[name]),
            "head_user": summary(by_protocol[name][::2]),
            "repeat": {"n": 0, "NDCG@10": None},
        }
        for name in protocols
    }
    return metrics | {"beyond": {"coverage@10": 0.5, "coverage@20": 0.6, "gini@10": 0.25}}
