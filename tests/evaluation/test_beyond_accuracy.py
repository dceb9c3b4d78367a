from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.evaluation import beyond_accuracy as beyond

TOP = np.array([[0, 1], [0, 2], [0, 1]])


def test_coverage_counts_distinct_items():
    assert beyond.coverage(TOP, 6) == pytest.approx(3 / 6)


def test_gini_is_zero_for_equal_exposure_and_near_one_for_a_single_item():
    assert beyond.gini(np.array([[0, 1], [2, 3]]), 4) == pytest.approx(0.0)
    assert beyond.gini(np.zeros((50, 1), dtype=int), 100) == pytest.approx(0.99)


def test_gini_is_the_mean_absolute_difference_over_twice_the_mean():
    exposure = np.bincount(TOP.ravel(), minlength=6)
    differences = np.abs(exposure[:, None] - exposure[None, :]).mean()
    assert beyond.gini(TOP, 6) == pytest.approx(differences / (2 * exposure.mean()))


def test_novelty_is_mean_self_information_of_smoothed_counts():
    counts = np.array([7, 3, 0])
    p = np.array([8, 4, 1]) / 13
    assert beyond.novelty(np.array([[0, 2]]), counts) == pytest.approx(-(np.log2(p[0]) + np.log2(p[2])) / 2)


def test_cross_category_leaves_items_without_category_out():
    categories = np.array([0, 0, 1, -1])
    recommended = np.array([[0, 2], [3, 2]])
    share = beyond.cross_category(recommended, categories, np.array([0, 1, 1]), np.array([1, 2, 3]))
    assert share == pytest.approx(1 / 3)  # of (0 in, 2 out), (3 unknown), (2 in)


def test_cross_category_without_any_category_is_unknown():
    assert beyond.cross_category(TOP, np.full(3, -1), np.array([0]), np.array([1])) is None
