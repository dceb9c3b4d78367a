"""An interval for one method's figure, as chance in its users and in its trainings leaves it."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.stats.crossed import contrast
from grasp_bench.stats.levels import LEVEL
from grasp_bench.stats.trainings import Trainings


@dataclass(frozen=True)
class FigureInterval:
    """A mean and its interval, in the unit of the metric; `trainings` says how many its width knows of."""

    mean: float
    low: float
    high: float
    trainings: int


def figure_interval(method: Trainings, *, level: float = LEVEL) -> FigureInterval:
    """Interval of a method's mean for other users and trainings (`contrast`), cut to [0, 1].

    Of one training the interval covers the choice of users alone.
    """
    found = contrast([(1.0, method)])
    low, high = found.interval(level)
    return FigureInterval(method.mean, max(0.0, low), min(1.0, high), method.count)
