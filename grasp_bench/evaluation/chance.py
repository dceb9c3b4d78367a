"""Check the ranker and tied ranks: a constant scorer must get the metrics of chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.core import ranks as metrics
from grasp_bench.core.errors import EvaluationError
from grasp_bench.evaluation.ranker import Ranks

CUTOFF = 10
ROUNDING = 1e-9


def check_at_chance(ranks: Ranks, among_Q: NDArray[np.int64], what: str) -> None:
    """Raise EvaluationError unless every target ties with all its `among_Q` candidates at chance metrics.

    Chance is computed independently: among n candidates, the target is in the first k in k / n of all orders,
    and its expected gain is the sum of the first k gains over n.
    """
    better, tied = _numpy(ranks.better), _numpy(ranks.tied)
    wrong = np.flatnonzero((better != 0) | (tied != among_Q - 1))
    if len(wrong):
        row = int(wrong[0])
        raise EvaluationError(
            f"constant scores do not tie in the {what} ranking: test row {row} has {better[row]} better and "
            f"{tied[row]} tied of {among_Q[row] - 1} others ({len(wrong)} rows so)",
            hint="the ranker is broken: no figure of this run can be trusted",
        )
    hits = np.minimum(1.0, CUTOFF / among_Q)
    gains = np.array([sum(1 / np.log2(rank + 2) for rank in range(min(CUTOFF, n))) / n for n in among_Q])
    for name, expected in (("HR", hits), ("NDCG", gains)):
        found = metrics.per_user(f"{name}@{CUTOFF}", better, tied, "mean")
        if np.abs(found - expected).max(initial=0.0) > ROUNDING:
            raise EvaluationError(
                f"constant scores get {name}@{CUTOFF} {found.mean():.6f} in the {what} ranking; "
                f"chance is {expected.mean():.6f}",
                hint="the metrics are broken: no figure of this run can be trusted",
            )


def _numpy(values: Tensor) -> NDArray[np.int64]:
    return np.asarray(values.cpu().numpy())
