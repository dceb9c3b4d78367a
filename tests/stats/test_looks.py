"""Looks at growing studies: which there are, what they may spend, and the error over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from test_trainings import crossed

from grasp_bench.core.errors import DataError
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.looks import looks_at, shares
from grasp_bench.stats.trainings import Trainings


def test_looks_grow_by_half_and_end_at_most() -> None:
    assert looks_at(3, 12) == (3, 5, 8, 12)
    assert looks_at(2, 6) == (2, 3, 5, 6)
    assert looks_at(4, 4) == (4,)
    with pytest.raises(DataError):
        looks_at(5, 4)


def test_shares_follow_the_trainings_and_add_up() -> None:
    assert shares((3, 5, 8, 12)) == pytest.approx((3 / 12, 2 / 12, 3 / 12, 4 / 12))
    assert sum(shares(looks_at(2, 17))) == pytest.approx(1)


def test_the_error_over_all_looks_stays_below_alpha() -> None:
    looks = looks_at(2, 5)
    wrong = 0
    for draw in range(400):
        pair = [
            Trainings.of(list(crossed(looks[-1], 40, (0.3, 0.2, 0.5), seed=2 * draw + side)))
            for side in (0, 1)
        ]
        seen = [difference(*(side.first(k) for side in pair)).p or 0.0 for k in looks]
        wrong += any(p / share < 0.05 for p, share in zip(seen, shares(looks), strict=True))
    assert wrong / 400 <= 0.06
    assert np.isfinite(seen).all()
