"""`results/<spec>/probe.json`: click prediction with and without what a cell has learned."""

from __future__ import annotations

from typing_extensions import TypedDict


class Probe(TypedDict):
    """One probe (logistic or mlp) on one set of features (base, or base+states of a cell)."""

    cell: str
    features: str
    probe: str
    seed: int
    auc: float
    auc_low: float
    auc_high: float
    log_loss: float
    log_loss_low: float
    log_loss_high: float


class Probes(TypedDict):
    """All probes of a spec; pairs are held-out (user, item) pairs, half of them clicked."""

    spec: str
    train_pairs: int
    test_pairs: int
    probes: list[Probe]
    notes: list[str]
