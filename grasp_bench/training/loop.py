"""The training loop: epochs, early stopping on validation, and resuming from checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from grasp_bench.core.errors import TrainingError
from grasp_bench.core.progress import Event, Report
from grasp_bench.models.backbones.attention_block import FeedForward
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.training import Training
from grasp_bench.training.checkpoint import (
    Progress,
    derive_seed,
    generator,
    load_checkpoint,
    save_checkpoint,
    save_tensors,
)
from grasp_bench.training.objectives import Steps, steps_of
from grasp_bench.training.optimizers import Optimizer, optimizer_of
from grasp_bench.training.sequences import Sequences

CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"
SECONDS_BETWEEN_CHECKPOINTS = 15.0

Trained = Recommender | WholeModel
Validate = Callable[[Trained, int], float]


@dataclass
class Trainer:
    """Trains one recommender with early stopping.

    After an interruption, `fit` on the same folder gives the same bits on CPU: random numbers of an epoch
    depend only on (seed, epoch), and checkpoints lie between epochs.

    Args:
        recommender: newly initialised under `determinism.derive_seed(seed, "initial weights")`.
        sequences: the training part, without held-out items.
        validate: returns the metric of the model after an epoch, higher is better; uses validation only.
        folder: receives the checkpoint and the model.
    """

    recommender: Trained
    sequences: Sequences
    settings: Training
    seed: int
    max_len: int
    validate: Validate
    folder: Path
    report: Report
    task: str = "train"

    def fit(self) -> Progress:
        """Train, write the best parameters to `folder/model.safetensors`, and return the progress."""
        device = self.sequences.items_flat.device
        optimizer = optimizer_of(self.recommender, self.settings)
        objective = steps_of(self.recommender, self.sequences, self.max_len, self.settings.loss)
        resumed = load_checkpoint(self.folder / CHECKPOINT, self.recommender, optimizer, device)
        progress, best = resumed or (Progress(), self._parameters())
        if self.settings.compile:
            _compile_dense_parts(self.recommender)
        started, saved_at = time.perf_counter() - progress.seconds, time.perf_counter()
        while progress.epoch < self.settings.max_epochs and progress.stale < self.settings.patience:
            epoch = progress.epoch + 1
            entry = self._epoch(epoch, optimizer, objective, device)
            if epoch % self.settings.eval_every == 0 or epoch == self.settings.max_epochs:
                value = self.validate(self.recommender, epoch)
                entry[self.settings.monitor] = value
                if value > progress.best_value:
                    progress.best_value, progress.best_epoch, progress.stale = value, epoch, 0
                    best = self._parameters()
                else:
                    progress.stale += 1
            progress.epoch = epoch
            progress.seconds = time.perf_counter() - started
            entry["seconds"] = round(progress.seconds, 3)
            progress.log.append(entry)
            try:
                self._say(progress)
            except BaseException:  # a callback stopped training: save a checkpoint
                save_checkpoint(self.folder / CHECKPOINT, self.recommender, optimizer, best, progress)
                raise
            if time.perf_counter() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                save_checkpoint(self.folder / CHECKPOINT, self.recommender, optimizer, best, progress)
                saved_at = time.perf_counter()
        self.recommender.load_state_dict(best)
        save_tensors(self.folder / MODEL, best, {})
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return progress

    def _epoch(
        self, epoch: int, optimizer: Optimizer, objective: Steps, device: torch.device
    ) -> dict[str, float | int]:  # fmt: skip
        draws = generator(device, self.seed, "epoch", epoch, "draws")
        torch.manual_seed(derive_seed(self.seed, "epoch", epoch, "dropout"))
        self.recommender.train()
        total = torch.zeros((), device=device)
        steps = 0
        for users_B in self.sequences.batches(self.settings.batch_size, draws):
            with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.amp):
                loss = objective.step(users_B, draws)
            optimizer.zero_grad()
            loss.backward()
            if self.settings.grad_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.recommender.parameters(), self.settings.grad_clip)
            optimizer.step()
            total += loss.detach()
            steps += 1
        mean = float(total) / steps
        if not math.isfinite(mean):
            raise TrainingError(
                f"{self.task}: loss is not finite in epoch {epoch}",
                hint="lower training.lr, set training.grad_clip, or check the embeddings for outliers",
            )
        return {"epoch": epoch, "loss": mean}

    def _parameters(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.recommender.state_dict().items()}

    def _say(self, progress: Progress) -> None:
        last = progress.log[-1]
        note = f"loss {last['loss']:.4f}"
        if self.settings.monitor in last:
            note += (
                f", {self.settings.monitor} {last[self.settings.monitor]:.4f}"
                f" (best {progress.best_value:.4f} at {progress.best_epoch})"
            )
        figures = {name: last[name] for name in ("loss", self.settings.monitor) if name in last}
        value = figures.get(self.settings.monitor)
        self.report(
            Event(self.task, progress.epoch, self.settings.max_epochs, "epochs", note, value, figures)
        )


def _compile_dense_parts(recommender: Trained) -> None:
    """Compile the position-wise layers, whose only changing size is the number of tokens.

    Attention stays uncompiled: its shapes change with every batch, and recompiling costs more than it saves.
    """
    for module in recommender.modules():
        if isinstance(module, FeedForward):
            module.compile(dynamic=True)
