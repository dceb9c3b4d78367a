"""Permuted vectors: all still there, belonging to others; higher rates disturb what lower ones do."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.encoders.noise import disturb


def numbered(count: int) -> np.ndarray:
    """Vectors that tell whose they are: row k is (k, -k)."""
    rows = np.arange(count, dtype=np.float32)
    return np.stack([rows, -rows], axis=1)


def owners(count: int, side: str = "items", rate: float = 1.0, seed: int = 7) -> np.ndarray:
    vectors, _ = disturb(numbered(count), side, "permute", rate, seed)
    assert np.array_equal(vectors[:, 0], -vectors[:, 1])
    return vectors[:, 0].astype(int)


def test_every_vector_is_there_once_and_belongs_to_another() -> None:
    found = owners(500)
    assert sorted(found) == list(range(500))
    assert not np.any(found == np.arange(500))


def test_the_seed_and_the_side_decide() -> None:
    assert np.array_equal(owners(50), owners(50))
    assert not np.array_equal(owners(50), owners(50, seed=8))
    assert not np.array_equal(owners(50), owners(50, side="users"))


def test_rates_are_nested_and_count_rows() -> None:
    before: set[int] = set()
    for rate, count in ((0.0, 0), (0.1, 4), (0.2, 8), (0.8, 32), (1.0, 40)):
        vectors, rows = disturb(numbered(40), "users", "permute", rate, 3)
        moved = set(np.flatnonzero(vectors[:, 0] != np.arange(40)).tolist())
        assert moved == set(rows.tolist())
        assert len(moved) == count
        assert before <= moved
        before = moved


@pytest.mark.parametrize("count", [0, 1])
def test_one_alone_keeps_its_vector(count: int) -> None:
    assert np.array_equal(disturb(numbered(count), "items", "permute", 1.0, 1)[0], numbered(count))


def test_another_kind_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'permute'"):
        disturb(numbered(3), "items", "permutate", 1.0, 1)
