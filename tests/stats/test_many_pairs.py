"""Many pairs at once: what one by one would give, drawn once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from grasp_bench.stats import bootstrap, permutation
from grasp_bench.stats.bootstrap import SHARED_FROM, mean_interval, mean_intervals
from grasp_bench.stats.comparison import compare, compare_all
from grasp_bench.stats.permutation import sign_flip, sign_flips


def differences(count: int, users: int = 900) -> list[np.ndarray]:
    """Arrays of which other shares of users differ: none, one, all."""
    rng = np.random.default_rng(1)
    arrays = [np.zeros(users), np.eye(1, users)[0], rng.normal(0.1, 1, users)]
    while len(arrays) < count:
        share, shift = rng.uniform(0.01, 1), rng.normal(0, 0.1)
        arrays.append(np.where(rng.random(users) < share, np.round(rng.normal(shift, 0.5, users), 1), 0.0))
    return arrays[:count]


def test_p_values_of_many_are_those_of_each() -> None:
    many = differences(40)
    assert sign_flips(many) == [sign_flip(each) for each in many]
    mixed = [*differences(20, users=50), *differences(20)]
    assert sign_flips(mixed) == [sign_flip(each) for each in mixed]


def test_intervals_of_few_are_those_of_each() -> None:
    few = differences(SHARED_FROM - 1)
    assert mean_intervals(few) == [mean_interval(each) for each in few]


def test_intervals_of_many_are_those_of_the_theory() -> None:
    """The mean of 900 draws is nearly normal, and a bound of 4,999 resamples off by a few percent."""
    many = differences(40)[2:]
    normal = stats.norm.ppf(0.975)
    for d, interval in zip(many, mean_intervals(many), strict=True):
        error = d.std() / np.sqrt(d.size)
        assert interval.low == pytest.approx(d.mean() - normal * error, abs=0.25 * error)
        assert interval.high == pytest.approx(d.mean() + normal * error, abs=0.25 * error)


def test_users_who_all_differ_alike_give_no_width() -> None:
    many = [np.full(70, 0.1), *differences(40, users=70)]
    assert mean_intervals(many)[0] == mean_interval(many[0])
    assert mean_intervals(many)[1] == mean_interval(many[1])


def test_pairs_over_other_users_are_resampled_apart() -> None:
    few, many = differences(3, users=60), differences(40)
    assert mean_intervals([*few, *many]) == [*map(mean_interval, few), *mean_intervals(many)]


def test_a_pair_among_many_differs_in_its_interval_alone() -> None:
    rng = np.random.default_rng(2)
    pairs = [(rng.random(300), rng.random(300)) for _ in range(SHARED_FROM)]
    alone, among = compare(*pairs[3]), compare_all(pairs)[3]
    assert replace(among, low=alone.low, high=alone.high) == alone


def test_many_pairs_are_drawn_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = differences(60)
    made, real = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: made.append(seed) or real(seed))
    compare_all([(d, np.zeros(d.size)) for d in many])
    assert sorted(seed for seed in made if seed is not None) == [permutation.SEED, bootstrap.SEED]
