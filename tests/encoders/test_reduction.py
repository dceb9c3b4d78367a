"""Fewer dimensions: what is cut off, and what keeps its meaning."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.core.arrays import principal_directions
from grasp_bench.core.errors import DataError
from grasp_bench.encoders.vectors import reduce_vectors
from grasp_bench.spec.encoder import Reduction

RNG = np.random.default_rng(0)


def _unit(shape: tuple[int, int], rank: int) -> np.ndarray:
    vectors = RNG.normal(size=(shape[0], rank)) @ RNG.normal(size=(rank, shape[1]))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def reduced(vectors: np.ndarray, items: np.ndarray, how: Reduction) -> tuple[np.ndarray, dict[str, object]]:
    return reduce_vectors(vectors, items, how, [f"e{k}" for k in range(len(vectors))])


def test_directions_are_the_right_singular_vectors() -> None:
    vectors = _unit((50, 12), 12)
    _, _, right = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    found = principal_directions(vectors, 4)
    np.testing.assert_allclose(np.abs(right[:4] @ found), np.eye(4), atol=1e-4)


def test_dot_products_between_sides_survive_when_the_rank_allows_it() -> None:
    everything = _unit((80, 16), 5)
    users, items = everything[:30], everything[30:]
    how = Reduction(kind="pca", dimensions=5)
    (few_users, _), (few_items, facts) = reduced(users, items, how), reduced(items, items, how)
    np.testing.assert_allclose(few_users @ few_items.T, users @ items.T, atol=1e-5)
    assert facts["kept"] == pytest.approx(1)


def test_matryoshka_keeps_the_first_columns_at_unit_norm() -> None:
    vectors = _unit((9, 8), 8)
    short, _ = reduced(vectors, vectors, Reduction(kind="matryoshka", dimensions=3))
    head = vectors[:, :3]
    np.testing.assert_allclose(short, head / np.linalg.norm(head, axis=1, keepdims=True), rtol=1e-6)


def test_no_reduction_and_nothing_left_are_refused() -> None:
    vectors = np.eye(4, dtype=np.float32)
    with pytest.raises(DataError, match="no reduction"):
        reduced(vectors, vectors, Reduction(kind="pca", dimensions=4))
    with pytest.raises(DataError, match="of 'e2' has nothing left"):
        reduced(vectors, vectors, Reduction(kind="matryoshka", dimensions=2))
