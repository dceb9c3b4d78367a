"""Trackers by the name that `--tracker` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grasp_bench.core.registry import Registry
from grasp_bench.engine.trackers.base import Tracker

TRACKERS = Registry[type[Tracker]](
    "tracker",
    {
        "tensorboard": "grasp_bench.engine.trackers.tensorboard:TensorBoardTracker",
        "wandb": "grasp_bench.engine.trackers.wandb:WandbTracker",
        "mlflow": "grasp_bench.engine.trackers.mlflow:MLflowTracker",
    },
)


def open_trackers(wanted: Sequence[str], folder: Path) -> dict[str, Tracker]:
    """Open each `NAME` or `NAME=WHERE` once; by default they write below `folder`.

    Raises UnknownNameError for a name that is none, MissingExtraError where a library is not installed.
    """
    asked = {name: where or None for name, _, where in (each.partition("=") for each in wanted)}
    return {name: TRACKERS.get(name)(where, folder) for name, where in asked.items()}
