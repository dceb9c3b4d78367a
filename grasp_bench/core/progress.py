"""Progress events that any process can send and any display can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One progress report.

    `task` names the work (a node's label); `done` of `total` counts in `unit`; `note` is short text such as
    "loss 0.412 NDCG@10 0.231"; `value` is the metric of early stopping, if this step measured it; `figures`
    are all numbers of the step by name.
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
    """Ignore an event."""
