"""The contract of every searcher, and exact search against a plain double-precision oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_bench.components import SEARCHERS
from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.retrieval.neighbours import CROSSOVER, SearchSettings, resolve_kind, unit_vectors

KINDS = SEARCHERS.names()


def random_units(n: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    return unit_vectors(np.random.default_rng(seed).normal(size=(n, dim)))


def search(kind: str, units: np.ndarray, **keys: object):
    return SEARCHERS.implementation(kind)(SearchSettings(**keys)).search(units)  # type: ignore[arg-type]


def plain_neighbours(units: np.ndarray, k: int) -> np.ndarray:
    """Sorted by similarity in float64, then by number; nothing blocked, nothing clever."""
    similarity = units.astype(np.float64) @ units.astype(np.float64).T
    rows = []
    for i in range(len(units)):
        others = [j for j in range(len(units)) if j != i]
        rows.append(sorted(others, key=lambda j: (-round(similarity[i, j] * 2**20), j))[:k])
    return np.array(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_finds_the_nearest_others(kind: str) -> None:
    units = random_units(300)
    found = search(kind, units, num_neighbours=7)
    assert found.indices.shape == (300, 7)
    assert (found.indices.dtype, found.similarities.dtype) == (np.int32, np.float32)
    assert (found.indices == plain_neighbours(units, 7)).mean() > 0.999
    cosines = np.einsum("nd,nkd->nk", units, units[found.indices])
    np.testing.assert_allclose(found.similarities, cosines, atol=1e-5)
    assert (np.diff(found.similarities, axis=1) <= 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_out_the_entity_itself_among_clones(kind: str) -> None:
    units = np.repeat(random_units(5, seed=3), 60, axis=0)
    found = search(kind, units, num_neighbours=10)
    assert not (found.indices == np.arange(300)[:, None]).any()
    np.testing.assert_allclose(found.similarities, 1.0, atol=1e-5)
    assert all(len(set(row)) == 10 for row in found.indices.tolist())
    assert (found.indices // 60 == np.arange(300)[:, None] // 60).all()


def test_exact_orders_clones_by_number() -> None:
    units = np.repeat(random_units(2, seed=3), 30, axis=0)
    found = search("exact", units, num_neighbours=3)
    assert found.indices[0].tolist() == [1, 2, 3]
    assert found.indices[29].tolist() == [0, 1, 2]
    assert found.indices[45].tolist() == [30, 31, 32]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_entities_than_neighbours_end_in_minus_one(kind: str, n: int) -> None:
    found = search(kind, random_units(n), num_neighbours=5)
    assert found.indices.shape == (n, 5)
    assert ((found.indices != -1).sum(axis=1) == n - 1).all()
    assert (found.indices[:, n - 1 :] == -1).all()
    assert (found.similarities[found.indices == -1] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_table_whatever_threads_and_memory(kind: str) -> None:
    units = random_units(1500, seed=9)
    one = search(kind, units, seed=7, threads=1)
    two = search(kind, units, seed=7, threads=2, memory_mb=1)
    assert (one.indices == two.indices).all()
    np.testing.assert_allclose(one.similarities, two.similarities, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_progress_ends_at_all_rows(kind: str) -> None:
    heard: list[int] = []
    SEARCHERS.implementation(kind)(SearchSettings(num_neighbours=2)).search(random_units(50), heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 50


@settings(max_examples=40)
@given(
    st.lists(st.tuples(*[st.integers(-2, 2)] * 3).filter(any), min_size=1, max_size=25),
    st.integers(1, 8),
)
def test_exact_agrees_with_plain_search_on_grids_full_of_ties(points: list[tuple[int, ...]], k: int) -> None:
    units = unit_vectors(np.array(points, dtype=np.float64))
    found = search("exact", units, num_neighbours=k)
    expected = plain_neighbours(units, k)
    width = min(k, len(points) - 1)
    got = (
        np.einsum("nd,nkd->nk", units, units[found.indices[:, :width]])
        if width
        else np.empty((len(points), 0))
    )
    want = np.einsum("nd,nkd->nk", units, units[expected[:, :width]]) if width else got
    np.testing.assert_allclose(got, want, atol=2e-6)
    assert not (found.indices == np.arange(len(points))[:, None]).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_vectors_without_direction_are_refused_by_name(bad: float) -> None:
    vectors = np.ones((4, 3), dtype=np.float32)
    vectors[2] = bad
    with pytest.raises(DataError, match="'c'"):
        unit_vectors(vectors, ["a", "b", "c", "d"])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="shape"):
        unit_vectors(np.ones(shape))


def test_auto_chooses_by_size_and_names_are_checked() -> None:
    assert resolve_kind("auto", CROSSOVER - 1) == "exact"
    assert resolve_kind("auto", CROSSOVER) == "hnsw"
    assert resolve_kind("hnsw", 3) == "hnsw"
    with pytest.raises(UnknownNameError, match="did you mean 'hnsw'"):
        SEARCHERS.implementation("hnws")
