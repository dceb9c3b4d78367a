"""The area under the ROC curve is sklearn's, with weights and without."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.stats.auc import RankedPairs, auc_over_users


def test_auc_with_weights_is_sklearns() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    scores = rng.integers(0, 12, (200, 3)) / 12  # with ties
    positive = rng.random((200, 3)) < 0.3
    weights = rng.integers(0, 4, 200).astype(float)
    wanted = roc_auc_score(positive.ravel(), scores.ravel(), sample_weight=np.repeat(weights, 3))
    assert RankedPairs(scores, positive).auc(weights) == pytest.approx(wanted, abs=1e-12)
    assert RankedPairs(np.zeros((5, 2)), np.eye(5, 2, dtype=bool)).auc(np.ones(5)) == 0.5
    assert np.isnan(RankedPairs(scores, np.ones((200, 3))).auc(np.ones(200)))


def test_the_interval_covers_users() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(12):
        scores = rng.normal(size=(60, 2))
        scores[:, 0] += 1.0
        found = auc_over_users(scores, np.tile([True, False], (60, 1)))
        hits += found.low <= 0.760 <= found.high  # P(N(1, 1) > N(0, 1)) = Φ(1 / √2)
    assert hits >= 10
