"""`results/<spec>/instruction.json`: a language model asked whether a user chooses, or likes, an item."""

from __future__ import annotations

from typing_extensions import TypedDict


class Figure(TypedDict):
    """A mean over trainings and its 95 % interval, for other users and, with several trainings, others."""

    mean: float
    low: float
    high: float


class Method(TypedDict):
    """One method. `examples` is None where nothing was tuned; `aucs` are those of the trainings, by seed.

    `hr` and `ndcg` (cutoff 10, among sampled candidates) are None for labels from ratings.
    """

    label: str
    examples: int | None
    aucs: list[float]
    auc: Figure
    hr: Figure | None
    ndcg: Figure | None


class Instruction(TypedDict):
    """All methods on the same users and candidates. `negatives` is None for labels from ratings; `losses` are
    the mean losses of the last epoch, by examples and seed; `test_read` records that test targets were opened
    here."""

    spec: str
    dataset: str
    model: str
    labels: str
    users: int
    positives: int
    negatives: int | None
    seeds: list[int]
    history: int
    epochs: int
    tuned_layers: int
    test_read: bool
    methods: list[Method]
    losses: dict[str, list[float]]
    seconds: float
    notes: list[str]
