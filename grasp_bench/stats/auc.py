"""Area under the ROC curve, and its interval over resampled users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_bench.stats.levels import TAILS

Values = NDArray[np.float64]
RESAMPLES = 999
SEED = 20_251_121


@dataclass(frozen=True)
class Auc:
    """The area, its 95 % interval, and its standard error, over users; NaN without both kinds of answers."""

    value: float
    low: float
    high: float
    error: float


class RankedPairs:
    """Pairs of users and candidates in the order of their scores (U, C), some of them positive.

    Equal scores count half. Users may count several times, as in a resample.
    """

    def __init__(self, scores_UC: ArrayLike, positive_UC: ArrayLike) -> None:
        scores, positive = np.asarray(scores_UC, dtype=np.float64), np.asarray(positive_UC, dtype=bool)
        distinct, level = np.unique(scores, return_inverse=True)
        self._levels = len(distinct)
        self._level_UC, self._positive_UC = level.reshape(scores.shape), positive

    def auc(self, weights_U: Values) -> float:
        """The chance that a positive pair scores above another."""
        weights_UC = np.broadcast_to(weights_U[:, None], self._level_UC.shape)
        positive, others = (
            np.bincount(self._level_UC[kind], weights_UC[kind], self._levels)
            for kind in (self._positive_UC, ~self._positive_UC)
        )
        pairs = positive.sum() * others.sum()
        return float(positive @ (np.cumsum(others) - others / 2) / pairs) if pairs else float("nan")


def auc_over_users(scores_UC: ArrayLike, positive_UC: ArrayLike) -> Auc:
    """Area and interval by bootstrap over users; the same users are drawn for every method.

    Example:
        >>> auc_over_users([[2.0, 1.0], [3.0, 0.0]], [[True, False], [True, False]]).value
        1.0
    """
    ranked = RankedPairs(scores_UC, positive_UC)
    users = len(np.asarray(scores_UC))
    rng = np.random.default_rng(SEED)
    drawn = (np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(RESAMPLES))
    values = np.array([ranked.auc(weights.astype(np.float64)) for weights in drawn])
    known = values[np.isfinite(values)]
    if not len(known):
        return Auc(*[float("nan")] * 4)
    low, high = np.quantile(known, TAILS)
    return Auc(ranked.auc(np.ones(users)), float(low), float(high), float(known.std()))
