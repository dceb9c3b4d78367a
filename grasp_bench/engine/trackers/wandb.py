"""Weights & Biases: a run for each cell, grouped by spec, in project `where` (or WANDB_PROJECT).

Runs are written offline, and `wandb sync` sends them. With WANDB_MODE=online, after `wandb login`, they are
sent at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core.machine import require
from grasp_bench.engine.trackers.registry import EXTRA, State, TrackedRun

PROJECT = "grasp-bench"
EPOCH = "epoch"
LONGEST_TAG = 64


class WandbTracker:
    """Curves against the epoch, settings as config, final figures as summary."""

    def __init__(self, where: str | None, folder: Path) -> None:
        self._wandb = require("wandb", extra=EXTRA)
        self._project = where or os.environ.get("WANDB_PROJECT") or PROJECT
        self._mode = os.environ.get("WANDB_MODE") or "offline"
        self._folder = Path(os.environ.get("WANDB_DIR") or folder)
        self._open: dict[TrackedRun, Any] = {}

    @property
    def place(self) -> str:
        """Project, mode and folder."""
        return f"project {self._project}, {self._mode}, {self._folder / 'wandb'}"

    def begin(self, run: TrackedRun) -> None:
        """Open a run beside those that are open."""
        self._folder.mkdir(parents=True, exist_ok=True)
        opened = self._open[run] = self._wandb.init(
            project=self._project,
            group=run.group,
            name=run.name,
            config={**run.parameters, "grasp_bench": dict(run.tags)},
            tags=[tag[:LONGEST_TAG] for tag in (run.group, run.tags["dataset"]) if tag],
            dir=str(self._folder),
            mode=self._mode,
            reinit="create_new",
            # Console output is not captured; libraries and machine are in cell.json.
            settings=self._wandb.Settings(
                silent=True, console="off", disable_git=True, x_disable_stats=True, x_save_requirements=False
            ),
        )
        opened.define_metric(EPOCH)
        opened.define_metric("training/*", step_metric=EPOCH)

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        """Log one row of the history."""
        self._open[run].log({EPOCH: epoch, **{f"training/{name}": value for name, value in figures.items()}})

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        """Log the final figures and set the exit code."""
        opened = self._open.pop(run)
        opened.summary.update({**figures, "state": state})
        opened.finish(exit_code=0 if state == "finished" else 1)
