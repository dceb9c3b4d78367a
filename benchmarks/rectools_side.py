"""The other side of benchmarks/sasrec.py: RecTools' SASRec, in an environment of its own.

Run by sasrec.py, not by hand. Reads one request a line on stdin and answers each with one JSON line on
stdout: "epoch" trains one more epoch, "recommend" asks for ten items for every user, after training.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

THREADS, EPOCHS, INTERACTIONS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print must not mix with the answers


def answer(**facts: object) -> None:
    """Send one JSON line."""
    ANSWERS.write(json.dumps(facts) + "\n")
    ANSWERS.flush()


class OneEpochARequest(Callback):
    """Waits before each epoch until it is asked for, so that both sides take turns."""

    def on_train_epoch_start(self, trainer: Trainer, module: object) -> None:
        """Wait for "epoch", then start the clock."""
        assert sys.stdin.readline().strip() == "epoch"
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: object) -> None:
        """Stop the clock."""
        answer(seconds=time.perf_counter() - self.started, steps=trainer.num_training_batches)


def trainer() -> Trainer:
    """Lightning without loggers, bars and checkpoints, which would only cost it time."""
    return Trainer(
        max_epochs=EPOCHS, min_epochs=EPOCHS, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, callbacks=[OneEpochARequest()],
    )  # fmt: skip


def main() -> None:
    """Train the asked epochs, then recommend."""
    torch.set_num_threads(THREADS)
    frame = pd.read_csv(INTERACTIONS)
    frame.columns = [Columns.User, Columns.Item, Columns.Datetime, Columns.Weight]
    frame[Columns.Datetime] = pd.to_datetime(frame[Columns.Datetime], unit="D")
    dataset = Dataset.construct(frame)
    model = SASRecModel(
        n_blocks=2, n_heads=1, n_factors=64, dropout_rate=0.5, session_max_len=50, loss="BCE", n_negatives=1,
        lr=1e-3, batch_size=128, epochs=EPOCHS, get_trainer_func=trainer, recommend_torch_device="cpu",
        recommend_batch_size=512,
    )  # fmt: skip
    answer(ready=True)
    model.fit(dataset)
    users = frame[Columns.User].unique()
    while sys.stdin.readline().strip() == "recommend":
        started = time.perf_counter()
        model.recommend(users, dataset, k=10, filter_viewed=True)
        answer(seconds=time.perf_counter() - started, users=len(users))


if __name__ == "__main__":
    main()
