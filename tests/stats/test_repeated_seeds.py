"""Intervals of means that share their seeds, against published figures."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.stats.repeated_seeds import half_width

# Loftus and Masson (1994), Table 2: words recalled by ten subjects at exposures of 1, 2 and 5 s. They
# give a mean square of 0.61 with 18 degrees of freedom, and an interval of ± 0.52.
RECALLED = [
    (10, 13, 13), (6, 8, 8), (11, 14, 14), (22, 23, 25), (16, 18, 20),
    (15, 17, 17), (1, 1, 4), (12, 15, 17), (9, 12, 12), (8, 9, 12),
]  # fmt: skip


def test_the_example_of_the_paper() -> None:
    assert half_width(np.array(RECALLED).T) == pytest.approx(0.52, abs=0.005)


def test_what_a_seed_adds_to_all_points_does_not_count() -> None:
    values = np.array([[0.1, 0.3], [0.2, 0.4], [0.25, 0.45]])
    assert half_width(values) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("values", [[[0.1, 0.2]], [[0.1], [0.2]]])
def test_one_point_or_one_seed_has_no_interval(values: list[list[float]]) -> None:
    assert half_width(values) is None


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        half_width([[0.1, float("nan")], [0.1, 0.2]])
