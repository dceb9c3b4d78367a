"""Prefixes, blank texts, and the mean that stands in for what is not there."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.vectors import encoder_input, fill_with_mean


def test_prefixes_go_before_texts_and_blank_texts_go_nowhere() -> None:
    told = encoder_input("query: ", "items", ["a", "b", "c", "d"], ["soap", "", "\n \u2003", "comb"])
    assert (told.rows.tolist(), told.names) == ([0, 3], ["a", "d"])
    assert told.texts == ["query: soap", "query: comb"]
    assert encoder_input("", "users", ["a"], [" x "]).texts == [" x "]


def test_nothing_but_blank_texts_is_an_error() -> None:
    with pytest.raises(DataError, match="all 2 texts of users are empty"):
        encoder_input("query: ", "users", ["a", "b"], ["", " "])


def test_the_mean_of_the_others() -> None:
    vectors = np.array([[3.0, 4.0], [1.0, 0.0]], dtype=np.float32)
    filled = fill_with_mean(vectors, np.array([0, 2]), 3, unit_norm=False)
    assert filled.tolist() == [[3, 4], [2, 2], [1, 0]]
    assert filled.dtype == np.float32
    unit = fill_with_mean(vectors, np.array([0, 2]), 3, unit_norm=True)
    np.testing.assert_allclose(unit[1], [0.5**0.5, 0.5**0.5], rtol=1e-6)
    assert fill_with_mean(vectors, np.array([0, 1]), 2, unit_norm=True) is vectors


def test_a_mean_without_direction_is_an_error() -> None:
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    with pytest.raises(DataError, match="1 of 3 entities have no vector"):
        fill_with_mean(opposite, np.array([0, 1]), 3, unit_norm=True)
