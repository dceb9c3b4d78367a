"""Two small classifiers of fixed settings, and what they are worth on users they have not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.stats.levels import LEVEL
from grasp_bench.studies.probe_pairs import Features, Pairs

Values = NDArray[np.float64]
RESAMPLES = 999
PROBES = ("logistic", "mlp")
SMALLEST = 1e-12  # a chance that a logarithm can take


@dataclass(frozen=True, eq=False)
class Fitted:
    """Chances of a click (U, 2) for the users measured on, and both figures of them: whole, and of each
    resample of these users (R,)."""

    auc: float
    log_loss: float
    aucs_R: Values
    losses_R: Values


def fit(features_U2F: Features, pairs: Pairs, probe: str, seed: int) -> Fitted:
    """Learn from some users, measure on the others. The same seed redraws the same users."""
    clicked = np.tile([1, 0], int(pairs.learns_U.sum()))
    model = _classifier(probe, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of not having converged: settings are what they are
        model.fit(features_U2F[pairs.learns_U].reshape(len(clicked), -1), clicked)
        measured_U2F = features_U2F[~pairs.learns_U]
        chances = model.predict_proba(measured_U2F.reshape(-1, measured_U2F.shape[-1]))[:, 1]
    chances_U2 = chances.reshape(-1, 2).astype(np.float64)
    users = len(chances_U2)
    losses_U = -(np.log(chances_U2[:, 0].clip(SMALLEST)) + np.log((1 - chances_U2[:, 1]).clip(SMALLEST))) / 2
    rng = np.random.default_rng(seed)
    ranked = RankedPairs(chances_U2)
    aucs, losses = np.empty(RESAMPLES), np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        weights_U = np.bincount(rng.integers(0, users, users), minlength=users).astype(np.float64)
        aucs[k] = ranked.auc(weights_U)
        losses[k] = losses_U @ weights_U / users
    return Fitted(ranked.auc(np.ones(users)), float(losses_U.mean()), aucs, losses)


def quantiles(values_R: Values) -> tuple[float, float]:
    """Ends of the percentile interval."""
    low, high = np.quantile(values_R, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


class RankedPairs:
    """Area under the ROC curve of chances (U, 2), clicked first, when users count several times."""

    def __init__(self, chances_U2: Values) -> None:
        distinct, level = np.unique(chances_U2, return_inverse=True)
        self._levels = len(distinct)
        self._clicked_U, self._other_U = level.reshape(chances_U2.shape).T

    def auc(self, weights_U: Values) -> float:
        """The chance that a clicked pair scores above another, equal scores counting half."""
        clicked = np.bincount(self._clicked_U, weights_U, self._levels)
        other = np.bincount(self._other_U, weights_U, self._levels)
        below = np.cumsum(other) - other / 2
        return float(clicked @ below / weights_U.sum() ** 2)


def _classifier(probe: str, seed: int) -> Any:
    """Settings were chosen before any test target was read, and are the same for all features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds: Mapping[str, Any] = {
        "logistic": LogisticRegression(C=1.0, max_iter=1000),
        # Stops by a tenth of the pairs it learns from.
        "mlp": MLPClassifier(
            (32,), alpha=1e-3, batch_size=256, early_stopping=True, n_iter_no_change=5, max_iter=100,
            random_state=seed,
        ),
    }  # fmt: skip
    return make_pipeline(StandardScaler(), kinds[probe])
