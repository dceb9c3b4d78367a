"""Holistic attention as factorised here against a plain transcription of equations 3-5, padded to 100.

    python benchmarks/holistic_attention.py [--rounds 3] [--threads 2]

Beauty's real sequences in batches of 128. D = 384 uses the dataset's MiniLM vectors; for D = 1536 there
are no vectors at hand, so unit-norm Gaussian ones stand in (values do not change the work done).
Both sides run in turn within each round, and the medians of the rounds are compared. Prints one JSON line.

train    forward + backward of the module for a batch's history, targets and negatives. The plain form
         computes all of them on (128, 100, 4D) with padding, as published.
score    scores of the whole catalogue (12,101 items) for a number of users, per user.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.layout import gather_sequences
from grasp_bench.spec.model import Model

DATA = Path(os.environ.get("GRASP_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
BATCH, MAX_LEN, WIDTH = 128, 100, 64
PLAIN_USERS, OUR_USERS = 4, 128


class Plain(nn.Module):
    """The equations as they stand: every vector made and concatenated for every (user, item)."""

    def __init__(self, grasp: Grasp) -> None:
        super().__init__()
        holistic = grasp.holistic
        assert holistic.last is not None
        self.mlp = nn.Sequential(
            nn.Linear(4 * holistic.shape.dim, holistic.hidden), nn.ReLU(), nn.Linear(holistic.hidden, WIDTH)
        )
        first, last = self.mlp[0], self.mlp[2]
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        first.load_state_dict(holistic.first.state_dict())
        last.load_state_dict(holistic.last.state_dict())

    def forward(self, u: Tensor, u_bar: Tensor, i: Tensor, i_bar: Tensor) -> Tensor:
        """Broadcastable (..., D) to (..., d)."""
        both_users, both_items = torch.cat([u, u_bar], -1), torch.cat([i, i_bar], -1)
        parts = [self.attend(u, i), self.attend(u_bar, i_bar), self.attend(both_users, both_items)]
        return self.mlp(torch.cat(parts, dim=-1))

    @staticmethod
    def attend(query: Tensor, value: Tensor) -> Tensor:
        """Equation 3."""
        logits = (query * value).sum(-1, keepdim=True) / math.sqrt(query.shape[-1])
        return torch.sigmoid(logits) * value


def beauty() -> tuple[Tensor, Tensor, int, list[str], list[str]]:
    """Training sequences (flat items, offsets), the number of items, and both sides' ids."""
    rows = pl.read_csv(DATA / "amazon-beauty" / "interactions.csv")
    rows = rows.with_columns(pl.col("item_id").rank("dense").sub(1).alias("item"))
    histories = rows.group_by("user_id", maintain_order=True).agg(pl.col("item").head(pl.len() - 2))
    lengths = histories["item"].list.len().to_numpy().astype(np.int64)
    flat = torch.from_numpy(histories["item"].explode().to_numpy().astype(np.int64))
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    items = rows["item_id"].unique().sort().to_list()
    return flat, offsets, len(items), histories["user_id"].to_list(), items


def vectors(side: str, ids: list[str], dim: int) -> Tensor:
    """MiniLM vectors of the dataset in the order of `ids`, or unit Gaussian ones of another width."""
    folder = DATA / "amazon-beauty" / "embeddings-minilm"
    if dim != 384:
        drawn = torch.randn(len(ids), dim, generator=torch.Generator().manual_seed(dim))
        return nn.functional.normalize(drawn, dim=-1)
    row = {name: k for k, name in enumerate((folder / f"{side}.ids.txt").read_text().splitlines())}
    table = np.load(folder / f"{side}.npy").astype(np.float32)
    return torch.from_numpy(table[[row[name] for name in ids]])


def median_seconds(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Run the sides in turn; the first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def measure(dim: int, rounds: int) -> dict[str, object]:
    """Both comparisons at one embedding width."""
    flat, offsets, num_items, user_ids, item_ids = beauty()
    users, items = vectors("users", user_ids, dim), vectors("items", item_ids, dim)
    # Neighbours do not matter for speed or agreement: any other rows serve as their means.
    knowledge = Knowledge(users, users.roll(1, 0), items, items.roll(1, 0))
    torch.manual_seed(0)
    settings = Model(enhancer="grasp", embedding_dim=WIDTH, max_len=MAX_LEN).effective()
    grasp = Grasp.from_settings(settings, len(user_ids), num_items, knowledge)
    plain = Plain(grasp)
    batch = torch.randperm(len(user_ids), generator=torch.Generator().manual_seed(1))[:BATCH]
    lengths = (offsets[batch + 1] - offsets[batch] - 1).clamp(1, MAX_LEN)
    index, layout = gather_sequences(offsets[batch + 1] - 1 - lengths, lengths)
    negatives = torch.randint(num_items, index.shape, generator=torch.Generator().manual_seed(2))
    history = History(batch, flat[index], layout)
    targets = torch.stack([flat[index + 1], negatives], dim=1)
    candidates = Candidates(targets, layout.sequence_T, layout.position_T + 1)
    padded = torch.zeros(3, BATCH, MAX_LEN, dtype=torch.int64)
    for row, column in enumerate((flat[index], flat[index + 1], negatives)):
        padded[row, layout.sequence_T, layout.position_T] = column
    u, u_bar = knowledge.users_nD[batch, None], knowledge.similar_users_nD[batch, None]

    def plain_vectors() -> Tensor:
        return torch.stack(
            [plain(u, u_bar, knowledge.items_mD[part], knowledge.similar_items_mD[part]) for part in padded]
        )

    def our_vectors() -> Tensor:
        own, scored = grasp.embed(history, candidates)
        return torch.cat([own[None], scored.transpose(0, 1)])

    def step(vectors_of: Callable[[], Tensor], module: nn.Module) -> None:
        module.zero_grad(set_to_none=True)
        vectors_of().square().mean().backward()

    real = plain_vectors()[:, layout.sequence_T, layout.position_T]
    train_error = float((real - our_vectors()).detach().abs().max())
    train = median_seconds(
        {"plain": lambda: step(plain_vectors, plain), "ours": lambda: step(our_vectors, grasp)}, rounds
    )

    states = torch.randn(OUR_USERS, WIDTH, generator=torch.Generator().manual_seed(3))
    rows = batch[:OUR_USERS]

    @torch.inference_mode()
    def plain_scores() -> Tensor:
        scored = []
        for state, user in zip(states[:PLAIN_USERS], rows[:PLAIN_USERS], strict=True):
            seen = plain(
                knowledge.users_nD[user], knowledge.similar_users_nD[user],
                knowledge.items_mD, knowledge.similar_items_mD,
            )  # fmt: skip
            scored.append(seen @ state)
        return torch.stack(scored)

    @torch.inference_mode()
    def our_scores() -> Tensor:
        return grasp.score_catalogue(states, history, grasp.catalogue())

    score_error = float((plain_scores() - our_scores()[:PLAIN_USERS]).abs().max())
    score = median_seconds({"plain": plain_scores, "ours": our_scores}, rounds)
    per_user = {"plain": score["plain"] / PLAIN_USERS, "ours": score["ours"] / OUR_USERS}
    return {
        "train_ratio": round(train["plain"] / train["ours"], 1),
        "train_ms": {name: round(1e3 * value, 1) for name, value in train.items()},
        "score_ratio": round(per_user["plain"] / per_user["ours"], 1),
        "score_ms_per_user": {name: round(1e3 * value, 2) for name, value in per_user.items()},
        "max_difference": {"train": train_error, "score": score_error},
        "tokens": len(index),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {f"D{dim}": measure(dim, arguments.rounds) for dim in (384, 1536)}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    settings = {"rounds": arguments.rounds, "threads": arguments.threads, "machine": machine}
    print(json.dumps({"benchmark": "holistic_attention", **found, **settings, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
