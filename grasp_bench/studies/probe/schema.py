"""`results/<spec>/probe.json`: click prediction with and without what a cell has learned."""

from __future__ import annotations

from typing_extensions import TypedDict


class Probe(TypedDict):
    """One probe (logistic or mlp) on one set of features (base, or base+states of a cell).

    Intervals are of the test users being redrawn. What the states add to the base, by the same probe on the
    same users, is `auc_gain` and `log_loss_gain` (less loss is more gain); all of it None for the base, whose
    `cell` and `label` are "base" and whose seed is that of the probe.
    """

    cell: str
    label: str
    features: str
    probe: str
    seed: int
    auc: float
    auc_low: float
    auc_high: float
    log_loss: float
    log_loss_low: float
    log_loss_high: float
    auc_gain: float | None
    auc_gain_low: float | None
    auc_gain_high: float | None
    log_loss_gain: float | None
    log_loss_gain_low: float | None
    log_loss_gain_high: float | None


class Probes(TypedDict):
    """All probes of a spec; pairs are held-out (user, item) pairs, half of them clicked. `base` names its
    features; `test_read` is the record that test targets were opened here."""

    spec: str
    dataset: str
    train_pairs: int
    test_pairs: int
    base: list[str]
    test_read: bool
    probes: list[Probe]
    notes: list[str]
