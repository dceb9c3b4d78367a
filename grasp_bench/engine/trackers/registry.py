"""The contract of experiment trackers, and the trackers by the name that `--tracker` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from grasp_bench.core.registry import Registry

EXTRA = "trackers"
Parameter = str | int | float | bool
State = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True, eq=False)
class TrackedRun:
    """One attempt at a cell: its slug, its spec (`group`), and its settings by dotted key."""

    name: str
    group: str
    parameters: Mapping[str, Parameter]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """Called in its own thread, never by the run itself; an error switches it off.

    An interrupted attempt stays as it is: the next one begins a new run and logs the whole curve again.
    """

    def __init__(self, where: str | None, folder: Path) -> None:
        """Import the library; write to `where`, as the user gave it, or below `folder`.

        Called in the main thread before the run. Raises MissingExtraError.
        """
        ...

    @property
    def place(self) -> str:
        """Where the runs are written, in words."""
        ...

    def begin(self, run: TrackedRun) -> None:
        """Open a run with its parameters and tags."""
        ...

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        """Add one point of each curve; points may come out of order."""
        ...

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        """Close a run with its final figures, none when it failed."""
        ...


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

    Raises UnknownNameError for an unknown name, MissingExtraError when a library is not installed.
    """
    asked = {name: where or None for name, _, where in (each.partition("=") for each in wanted)}
    return {name: TRACKERS.get(name)(where, folder) for name, where in asked.items()}
