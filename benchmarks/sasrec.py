"""SASRec on amazon-beauty: training tokens and fully ranked users per second, against RecTools' SASRec.

    python3.11 -m venv /tmp/peer && /tmp/peer/bin/pip install torch==2.13.0 'rectools[torch]==0.19.0'
    python benchmarks/sasrec.py --peer /tmp/peer/bin/python [--against FOLDER] [--epochs 2] [--threads 1]

Same interactions (training part of leave-one-out), sizes (2 blocks, 1 head, width 64, length 50), batch
(128), dropout (0.5), loss (BCE, one negative) and threads; epochs and evaluations take turns, the best of
each side counts. `--against` adds another checkout of this repository to the turns. RecTools lists ten items
for every user; this side does more in the same pass: ranks in the whole catalogue and among 100 candidates,
ties counted, and twenty items listed. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import polars as pl
import torch
from torch import Tensor

from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.sequences import Sequences

DATA = Path(os.environ.get("GRASP_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MAX_LEN = 50


# The other side of `--against`: this file's `Ours` in another checkout, by its own code.
OTHER = """
import json, os, sys
sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "benchmarks")]
import torch
import sasrec
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
ours = sasrec.Ours(*sasrec.training_part()[1:])
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": ours.epoch() if line.strip() == "epoch" else ours.rank()}), flush=True)
"""


class Peer:
    """Another implementation in its own process, asked for one thing at a time."""

    def __init__(self, command: Sequence[str], threads: int, folder: Path | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=folder, env={**os.environ, "OMP_NUM_THREADS": str(threads), "GRASP_BENCH_DATA": str(DATA)},
        )  # fmt: skip
        self._answer()

    @classmethod
    def rectools(cls, python: str, threads: int, epochs: int, interactions: Path) -> Peer:
        """RecTools' SASRec."""
        script = str(Path(__file__).with_name("rectools_side.py"))
        return cls([python, script, str(threads), str(epochs), str(interactions)], threads)

    def ask(self, request: str) -> float:
        """Seconds that the request took over there."""
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the peer's process ended; run rectools_side.py by hand to see why")
        return dict(json.loads(line))


class Ours:
    """One recommender, trained epoch by epoch."""

    def __init__(self, sequences: Sequences, targets: Tensor) -> None:
        torch.manual_seed(42)
        settings = Model(max_len=MAX_LEN).effective()
        users = len(sequences.offsets) - 1
        self.sequences = sequences
        self.model = Recommender.from_settings(settings, users, sequences.num_items, None)
        self.optimizer = optimizer_of(self.model, Training())
        self.objective = Objective.prepare(self.model, sequences, MAX_LEN, Training().loss)
        draws = torch.Generator().manual_seed(1)
        negatives = torch.randint(sequences.num_items, (users, 100), generator=draws)
        self.queries = Queries(
            torch.arange(users), targets, negatives, sequences.items_flat, sequences.offsets
        )
        self.epochs = 0

    def epoch(self) -> float:
        """Train one more epoch; seconds."""
        started = time.perf_counter()
        self.epochs += 1
        draws = generator(torch.device("cpu"), 42, "epoch", self.epochs)
        self.model.train()
        for users in self.sequences.batches(128, draws):
            self.optimizer.zero_grad()
            self.objective.step(users, draws).backward()
            self.optimizer.step()
        return time.perf_counter() - started

    def rank(self) -> float:
        """Rank every user's target, sampled and full, and list the top twenty; seconds."""
        started = time.perf_counter()
        Ranker(self.queries, MAX_LEN).full(self.model, top=20, exclude_history=True)
        return time.perf_counter() - started


def training_part() -> tuple[pl.DataFrame, Sequences, Tensor]:
    """Interactions but the last two of each user, as both sides read them; and the first left out."""
    rows = pl.read_csv(DATA / "amazon-beauty" / "interactions.csv")
    rows = rows.with_columns(
        (pl.col("item_id").rank("dense") - 1).cast(pl.Int64).alias("item"),
        (pl.col("user_id").rank("dense") - 1).cast(pl.Int64).alias("user"),
    ).sort("user", "position")
    last = pl.col("position").max().over("user")
    train = rows.filter(pl.col("position") < last - 1)
    targets = rows.filter(pl.col("position") == last - 1)["item"].to_torch()
    lengths = train.group_by("user", maintain_order=True).len()["len"].to_torch().long()
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    # Training items only, numbered anew: RecTools knows no others.
    sequences = Sequences(train["item"].to_torch(), offsets, rows["item"].n_unique())
    frame = train.select("user", "item", "position", pl.lit(1).alias("weight"))
    return frame, sequences, targets


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", required=True, help="a Python that has rectools[torch]")
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    frame, sequences, targets = training_part()
    with tempfile.TemporaryDirectory() as folder:
        interactions = Path(folder) / "train.csv"
        frame.write_csv(interactions)
        peer = Peer.rectools(arguments.peer, arguments.threads, arguments.epochs, interactions)
        ours, before = Ours(sequences, targets), None
        if arguments.against is not None:
            before = Peer([sys.executable, "-c", OTHER], arguments.threads, arguments.against.resolve())
        took: dict[str, list[list[float]]] = {"epoch": [], "recommend": []}
        for request, own in (("epoch", ours.epoch), ("recommend", ours.rank)):
            for _ in range(arguments.epochs):
                others = [each.ask(request) for each in (peer, before) if each is not None]
                took[request].append([own(), *others])
        for each in (peer, before):
            if each is not None:
                each.process.kill()
    lengths = sequences.offsets.diff()
    tokens = int((lengths - 1).clamp(0, MAX_LEN).sum())
    users = len(lengths)
    our_epoch, peer_epoch, *earlier_epoch = (min(side) for side in zip(*took["epoch"], strict=True))
    our_pass, peer_pass, *earlier_pass = (min(side) for side in zip(*took["recommend"], strict=True))
    facts = {
        "benchmark": "sasrec",
        "train_ratio": round(peer_epoch / our_epoch, 2),
        "tokens_per_s": {"ours": round(tokens / our_epoch), "rectools": round(tokens / peer_epoch)},
        "rank_ratio": round(peer_pass / our_pass, 2),
        "users_per_s": {"ours": round(users / our_pass), "rectools": round(users / peer_pass)},
        "against": {
            "train_ratio": round(earlier_epoch[0] / our_epoch, 2),
            "rank_ratio": round(earlier_pass[0] / our_pass, 2),
        } if earlier_epoch else None,
        "tokens": tokens, "users": users, "items": sequences.num_items, "epochs": arguments.epochs,
        "threads": arguments.threads, "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
    }  # fmt: skip
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
