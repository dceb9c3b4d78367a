"""What keeps gBCE from learning: the constant of its scores, or negatives shared by the batch?

    GRASP_BENCH_DATA=../shared/data python benchmarks/gbce.py [--users 2000] [--seeds 1] [--device cpu]

Trains SASRec by gBCE with 256 negatives on amazon-beauty (a fixed sample of users, protocol `strong`,
patience 6 of two epochs) in three ways, and prints the best validation NDCG@10 of each seed (full, %):

- `no_constant`: scores start at 0, as published; negatives are shared by the batch.
- `shared`: as grasp_bench trains: scores start at log(β/N).
- `per_sequence`: the same, with negatives drawn for each sequence, as the gSASRec paper draws them.

Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn.functional as F
from torch import Tensor

from grasp_bench import api
from grasp_bench.core.store import Store
from grasp_bench.training import losses, objectives
from grasp_bench.training.losses import Negatives, Predictions

SPEC = """
name: gbce
protocol: strong
dataset: {{source: amazon-beauty, sample_users: {users}}}
model: {{enhancer: none}}
training: {{batch_size: 128, eval_every: 2, patience: 6, loss: {{kind: gbce, negatives: 256}}}}
seeds: {seeds}
controls: []
"""


def without_constant(loss: losses.BinaryCrossEntropy, predictions: Predictions) -> Tensor:
    """The same sum with scores that start at 0."""
    scores_SN = predictions.negatives().scores_SN
    positive = F.softplus(-predictions.positives()).mean()
    return 2 / (scores_SN.shape[1] + 1) * (loss.power * positive + F.softplus(scores_SN).sum(1).mean())


def of_each_sequence(scores: objectives._Scores) -> Negatives:
    """Uniform negatives for each sequence of the batch."""
    shared, enhancer = scores.objective.shared, scores.objective.recommender.enhancer
    vectors_mD = enhancer.training_vectors()
    assert shared is not None
    assert vectors_mD is not None
    sequence_S, targets_S = scores.targets.sequence_S, scores.candidates.items_SK[:, 0]
    shape = (scores.targets.history.layout.batch, shared.count)
    items_BN = torch.randint(len(vectors_mD), shape, generator=scores.generator, device=targets_S.device)
    items_SN = items_BN[sequence_S]
    scores_SN = torch.einsum("snd,sd->sn", vectors_mD[items_SN], scores.states_SD)
    return Negatives(scores_SN.masked_fill(items_SN == targets_S[:, None], -torch.inf))


VARIANTS = {
    "no_constant": lambda: patch.object(losses.BinaryCrossEntropy, "__call__", without_constant),
    "shared": lambda: patch.dict({}),
    "per_sequence": lambda: patch.object(objectives._Scores, "negatives", of_each_sequence),
}


def best_validation(spec: Path, store: Path, device: str) -> list[float]:
    """Train every seed in this process; the best validation NDCG@10 of each."""
    loaded = api.load(spec)
    plan = api.plan(loaded, store=store)
    there = {"store": store, "results": store / "results", "leaderboard": store / "leaderboard"}
    api.run(loaded, plan, **there, executor="in_process", device=device, display="plain")
    trained = [cell.nodes["train"].hash for cell in plan.cells]
    facts = [Store(store).get("train", digest).sidecar["facts"] for digest in trained]
    return [round(100 * each["validation_NDCG@10"], 2) for each in facts]


def main() -> None:
    """Measure all variants, each in a store of its own: their settings, and so their hashes, are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    found: dict[str, object] = {"cpu": platform.machine(), "users": asked.users, "seeds": asked.seeds}
    for name, variant in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder, variant():
            spec = Path(folder) / "gbce.yaml"
            spec.write_text(SPEC.format(users=asked.users, seeds=asked.seeds))
            started = time.perf_counter()
            found[name] = best_validation(spec, Path(folder) / "store", asked.device)
            found[f"{name}_seconds"] = round(time.perf_counter() - started)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
