"""Pooled means, restricted search and measured recall against plain loops."""

from __future__ import annotations

import numpy as np

from grasp_bench.components import SEARCHERS
from grasp_bench.retrieval import neighbours
from grasp_bench.retrieval.exact import recall_at_n
from grasp_bench.retrieval.neighbours import (
    SearchSettings,
    group_codes,
    pooled_means,
    search_within_groups,
    unit_vectors,
)


def test_pooled_mean_is_over_the_neighbours_that_exist(monkeypatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 64)
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    indices = np.array([[1, 2], [0, -1], [-1, -1], [5, 4], [3, 0], [-1, 1]], dtype=np.int32)
    pooled = pooled_means(vectors, indices)
    for row, around in enumerate(indices):
        there = [k for k in around if k != -1] or [row]
        np.testing.assert_allclose(pooled[row], vectors[there].mean(axis=0), rtol=1e-6)
    assert pooled.dtype == np.float32


def test_groups_are_numbered_and_blanks_belong_to_none() -> None:
    assert group_codes(["a", None, "b", " ", "a"]).tolist() == [0, -1, 1, -1, 0]


def test_restricted_neighbours_share_the_group() -> None:
    rng = np.random.default_rng(1)
    units = unit_vectors(rng.normal(size=(40, 8)))
    codes = np.array([0] * 20 + [1] * 15 + [2] * 2 + [3] + [-1] * 2)
    rng.shuffle(codes)
    found = search_within_groups("auto", SearchSettings(num_neighbours=4), units, codes)
    similarity = units @ units.T
    for row in range(40):
        others = [j for j in range(40) if j != row and codes[j] == codes[row] and codes[row] != -1]
        nearest = sorted(others, key=lambda j: -similarity[row, j])[:4]
        assert found.indices[row].tolist() == nearest + [-1] * (4 - len(nearest))


def test_recall_of_exact_is_one_and_of_noise_is_low() -> None:
    units = unit_vectors(np.random.default_rng(2).normal(size=(400, 16)))
    exact = SEARCHERS.implementation("exact")(SearchSettings(num_neighbours=5)).search(units).indices
    assert recall_at_n(units, exact, 100, 0) == 1.0
    assert recall_at_n(units, np.roll(exact, 1, axis=0), 100, 0) < 0.2
    half = exact.copy()
    half[:, 3:] = -1
    assert abs(recall_at_n(units, half, 400, 0) - 0.6) < 1e-9
    assert recall_at_n(units, exact, 0, 0) is None


def test_recall_takes_one_clone_for_another() -> None:
    units = np.repeat(unit_vectors(np.eye(3)), 8, axis=0)
    other_clones = np.array([[(row // 8) * 8 + (row + 1 + k) % 8 for k in range(3)] for row in range(24)])
    assert recall_at_n(units, other_clones.astype(np.int32), 24, 0) == 1.0
