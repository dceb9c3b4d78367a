"""What long work says while it runs: plain events that any process can send and any view show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One report of progress.

    `task` names the work (a node's label), `done` of `total` counts in `unit`; `note` is a short
    free text such as "loss 0.412 NDCG@10 0.231"; `value` is what early stopping watches, where this
    step measured it, and `figures` are all numbers of the step by name.
    """

    task: str
    done: int
    total: int
    unit: str = ""
    note: str = ""
    value: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A Report that says nothing."""
