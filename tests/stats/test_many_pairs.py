"""Many pairs at once: what one by one would give, drawn once."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.stats import comparison
from grasp_bench.stats.comparison import SHARED_FROM, compare, compare_all, sign_flip, sign_flips
from grasp_bench.stats.trainings import Trainings


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


def test_a_pair_among_many_is_what_it_is_alone() -> None:
    rng = np.random.default_rng(2)
    pairs = [tuple(Trainings.of(rng.random((2, 300))) for _ in range(2)) for _ in range(SHARED_FROM)]
    assert compare_all(pairs)[3] == compare(*pairs[3])


def test_many_pairs_are_drawn_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Trainings.of([each]) for each in differences(60)]
    nothing = Trainings.of([np.zeros(900)])
    made, real = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: made.append(seed) or real(seed))
    compare_all([(each, nothing) for each in many])
    assert [seed for seed in made if seed is not None] == [comparison.SEED]
