"""Corrections against statsmodels and their properties."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from test_trainings import crossed

from grasp_bench.core.errors import DataError
from grasp_bench.stats.correction import benjamini_hochberg, holm, looks_at, of_known, shares
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.trainings import Trainings

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@settings(max_examples=15)  # theirs takes 0.1 s a call
@given(P_VALUES)
def test_holm_is_that_of_statsmodels(p) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(P_VALUES)
def test_benjamini_hochberg_is_that_of_statsmodels(p) -> None:
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@given(P_VALUES)
def test_corrected_p_is_never_smaller_and_keeps_the_order(p) -> None:
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert all(a >= raw - 1e-15 and a <= 1 for a, raw in zip(adjusted, p, strict=True))
        pairs = sorted(zip(p, adjusted, strict=True))
        assert all(a <= b for (_, a), (_, b) in pairwise(pairs))


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])


def test_empty_family() -> None:
    assert holm([]) == benjamini_hochberg([]) == []


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_refused(bad) -> None:
    with pytest.raises(DataError):
        holm([0.1, bad])


@given(st.lists(st.none() | st.floats(0, 1), max_size=20))
def test_what_is_not_known_stays_so_and_is_in_no_family(p) -> None:
    known = [each for each in p if each is not None]
    found = of_known(holm, p)
    assert [each is None for each in found] == [each is None for each in p]
    assert [each for each in found if each is not None] == holm(known)


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
