"""Schema of the seeds that are needed: plain JSON, figures as fractions, `points` in percent."""

from __future__ import annotations

from typing_extensions import TypedDict


class MethodParts(TypedDict):
    """Standard deviations of a trained method, as fractions; None where it was trained once.

    `users` is what the users give to its mean, `user` what is between them; `rest` is what is left, in the
    mean of one training.
    """

    label: str
    trainings: int
    mean: float
    users: float | None
    user: float | None
    between_trainings: float | None
    interval: tuple[float, float] | None
    rest: float | None


class Need(TypedDict):
    """Trainings of each method that show a difference of so many points; None of both where 50 are too few.

    With `users`, no number of trainings suffices unless there are more users than that.
    """

    points: float
    trainings: int | None
    users: int | None


class PairPower(TypedDict):
    """One pair: figures as fractions; `tells` is the smallest difference that today's trainings tell.

    `trainings` counts those of both, 0 of what nothing trains; `users` is the standard deviation that the
    users alone give to the difference. Where one was trained once, `users` and `tells` are None and `needs`
    is empty.
    """

    better: str
    than: str
    trainings: tuple[int, int]
    difference: float
    users: float | None
    tells: float | None
    needs: list[Need]


class ScalePower(TypedDict):
    """Methods and pairs of one dataset by one metric and protocol."""

    dataset: str
    protocol_hash: str
    metric: str
    protocol: str
    methods: list[MethodParts]
    pairs: list[PairPower]


class SeedsNeeded(TypedDict):
    """Components of variance and seeds needed of one spec; `declared`: pairs are those of hypotheses."""

    name: str
    power: float
    points: list[float]
    declared: bool
    scales: list[ScalePower]
    untold: list[str]
