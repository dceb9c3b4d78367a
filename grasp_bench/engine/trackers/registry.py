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
    """One attempt at a cell: `name` is its slug, `group` its spec; settings by dotted key."""

    name: str
    group: str
    parameters: Mapping[str, Parameter]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """Called from one thread of its own, never by the run itself; what it raises switches it off.

    An attempt that was interrupted stays what it is: the next one begins a run anew and is told its whole
    curve again.
    """

    def __init__(self, where: str | None, folder: Path) -> None:
        """Import the library and say where to: `where` as the user gave it, or below `folder`.

        Raises MissingExtraError, in the main thread and before anything has run.
        """
        ...

    @property
    def place(self) -> str:
        """Where the runs go, in words."""
        ...

    def begin(self, run: TrackedRun) -> None:
        """Open a run with its parameters and tags."""
        ...

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        """Add one point of each curve; points may come out of order."""
        ...

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        """Close a run with its final figures; there are none of a run that came to nothing."""
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

    Raises UnknownNameError for a name that is none, MissingExtraError where a library is not installed.
    """
    asked = {name: where or None for name, _, where in (each.partition("=") for each in wanted)}
    return {name: TRACKERS.get(name)(where, folder) for name, where in asked.items()}
