"""A training step of SASRec: what a loss costs, and how a step grows with the catalogue.

    python benchmarks/training_step.py [--steps 20] [--threads 1]

- `catalogue`: milliseconds of a step at 12 thousand, 120 thousand and 1.2 million items, under Adam and under
  SparseAdam (batch 128, width 64, one negative). Adam decays the moments of every item at every step.
- `losses`: milliseconds of a step on amazon-beauty (batch 128, width 128, 256 negatives), and of softmax
  also as `F.cross_entropy` of all scores at once; `softmax_error` is the largest relative difference of the
  two in value and gradient.
- `softmax_memory`: MB that the memory of the process grows by in one loss and its gradient over 200 thousand
  items, ours and by `F.cross_entropy`, each in a process of its own.

Step times are medians. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn.functional as F
from sasrec import training_part
from torch import Tensor

from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.partition import mean_log_partition
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
CATALOGUES = (12_101, 120_000, 1_200_000)
LOSSES = ("bce", "gbce", "sampled_softmax", "softmax")
WIDE = 200_000  # items of the memory figure


def step_ms(sequences: Sequences, model: Model, training: Training, steps: int) -> float:
    """Median milliseconds of a step, optimiser included."""
    torch.manual_seed(42)
    users = len(sequences.offsets) - 1
    recommender = Recommender.from_settings(model.effective(), users, sequences.num_items, None)
    optimizer = optimizer_of(recommender, training)
    objective = Objective.prepare(recommender, sequences, model.max_len, training.loss)
    recommender.train()
    draws, taken = generator(CPU, 1), []
    for users_B in list(sequences.batches(training.batch_size, draws))[: steps + 3]:
        started = time.perf_counter()
        optimizer.zero_grad()
        objective.step(users_B, draws).backward()
        optimizer.step()
        taken.append(time.perf_counter() - started)
    return round(1e3 * statistics.median(taken[3:]), 1)


def catalogue(sequences: Sequences, steps: int) -> dict[str, dict[str, float]]:
    """Steps on the same interactions, their items spread over catalogues of several sizes."""
    found: dict[str, dict[str, float]] = {"adam": {}, "sparse_adam": {}}
    for size in CATALOGUES:
        spread = torch.randperm(size, generator=torch.Generator().manual_seed(3))[: sequences.num_items]
        wide = Sequences(spread[sequences.items_flat], sequences.offsets, size)
        for optimizer, by_size in found.items():
            by_size[str(size)] = step_ms(wide, Model(max_len=50), Training(optimizer=optimizer), steps)
    for by_size in found.values():
        by_size["growth"] = round(by_size[str(CATALOGUES[-1])] / by_size[str(CATALOGUES[0])], 2)
    return found


def losses(sequences: Sequences, steps: int) -> dict[str, float]:
    """A step under each loss, with the recipe of `protocol: strong` else."""
    model = Model(embedding_dim=128, max_len=50, dropout=0.2)
    return {kind: step_ms(sequences, model, Training(loss=kind), steps) for kind in LOSSES}


def plain(states_SD: Tensor, vectors_mD: Tensor, targets_S: Tensor) -> Tensor:
    """Cross-entropy as torch has it: all scores at once."""
    return F.cross_entropy(states_SD @ vectors_mD.T, targets_S)


def ours(states_SD: Tensor, vectors_mD: Tensor, targets_S: Tensor) -> Tensor:
    """The same by the partition function."""
    positive_S = (states_SD * vectors_mD[targets_S]).sum(1)
    return mean_log_partition(states_SD, vectors_mD) - positive_S.mean()


def made(items: int) -> tuple[Tensor, Tensor, Tensor]:
    """States and targets as of a batch on Beauty, and vectors of so many items."""
    torch.manual_seed(1)
    vectors_mD = torch.randn(items, 128, requires_grad=True)
    return torch.randn(730, 128, requires_grad=True), vectors_mD, torch.randint(items, (730,))


def softmax(steps: int) -> dict[str, float]:
    """Loss and gradient alone over Beauty's catalogue: milliseconds of both, and how they differ."""
    states, vectors, targets = made(CATALOGUES[0])
    sides: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"ours": ours, "cross_entropy": plain}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    results: dict[str, list[Tensor]] = {}
    for _ in range(steps):
        for name, side in sides.items():
            started = time.perf_counter()
            value = side(states, vectors, targets)
            gradients = torch.autograd.grad(value, [states, vectors])
            taken[name].append(time.perf_counter() - started)
            results[name] = [value.detach(), *gradients]
    differences = [
        float((a - b).abs().max() / b.abs().max())
        for a, b in zip(results["ours"], results["cross_entropy"], strict=True)
    ]
    medians = {f"{name}_ms": round(1e3 * statistics.median(times), 1) for name, times in taken.items()}
    return {**medians, "error": max(differences)}


def memory(side: str) -> float:
    """MB that this process's peak grows by over what it holds before the loss."""
    states, vectors, targets = made(WIDE)
    vectors.grad = torch.zeros_like(vectors)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    {"ours": ours, "cross_entropy": plain}[side](states, vectors, targets).backward()
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", choices=["ours", "cross_entropy"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print(memory(arguments.memory))
        return
    _, sequences, _ = training_part()
    grown = {
        side: float(
            subprocess.run(
                [sys.executable, __file__, "--memory", side], capture_output=True, text=True, check=True
            ).stdout
        )
        for side in ("ours", "cross_entropy")
    }
    facts = {
        "benchmark": "training_step",
        "catalogue_ms": catalogue(sequences, arguments.steps),
        "losses_ms": losses(sequences, arguments.steps),
        "softmax": softmax(arguments.steps),
        "softmax_memory_mb": grown,
        "steps": arguments.steps, "threads": arguments.threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "torch": torch.__version__,
    }  # fmt: skip
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
