"""Exact search among other entities."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.retrieval.exact import nearest_among
from grasp_bench.retrieval.neighbours import SearchSettings, pooled_means


def units(rows: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, 6)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("memory_mb", [1, 512])
def test_rows_find_the_nearest_entities_that_are_not_their_own(memory_mb):
    entities, queries = units(40, 1), units(300, 2)
    owners = np.random.default_rng(3).integers(0, 40, 300)
    found = nearest_among(entities, queries, owners, SearchSettings(5, memory_mb=memory_mb))
    for row, (query, owner) in enumerate(zip(queries, owners, strict=True)):
        others = [k for k in range(40) if k != owner]
        expected = sorted(others, key=lambda k: -float(entities[k] @ query))[:5]
        assert found.indices[row].tolist() == expected
        np.testing.assert_allclose(found.similarities[row], entities[expected] @ query, atol=1e-6)


def test_where_there_are_fewer_others_the_rest_is_nobody():
    found = nearest_among(units(3, 1), units(2, 2), np.array([0, 2]), SearchSettings(5))
    assert (found.indices[:, :2] >= 0).all()
    assert (found.indices[:, 2:] == -1).all()
    alone = nearest_among(units(1, 1), units(2, 2), np.array([0, 0]), SearchSettings(5))
    assert (alone.indices == -1).all()


def test_means_are_of_the_entities_and_the_lonely_stand_for_themselves():
    entities, queries = units(4, 1), units(2, 2)
    pooled = pooled_means(entities, np.array([[3, 1], [-1, -1]]), queries)
    np.testing.assert_allclose(pooled[0], (entities[3] + entities[1]) / 2, atol=1e-6)
    np.testing.assert_allclose(pooled[1], queries[1], atol=1e-6)
