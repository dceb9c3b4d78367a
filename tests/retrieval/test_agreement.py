"""Agreement of neighbours with behaviour, against sets and against worlds whose answer is known."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.retrieval import agreement as module
from grasp_bench.retrieval.agreement import Attributes, agreement

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=20)


def traits_of(pairs: list[tuple[int, int]], n: int = 6) -> Attributes:
    table = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    return Attributes.of_pairs(table[:, 0], table[:, 1], n)


@given(PAIRS, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10))
def test_shared_traits_as_sets_say(pairs: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    sets = [{trait for entity, trait in pairs if entity == k} for k in range(6)]
    attributes = traits_of(pairs)
    assert attributes.counts.tolist() == [len(each) for each in sets]
    first, second = (np.array([pair[side] for pair in asked], dtype=np.int64) for side in (0, 1))
    assert attributes.shared(first, second).tolist() == [bool(sets[a] & sets[b]) for a, b in asked]


def test_pairs_are_cut_by_what_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """However pairs are cut, the same ones share; memory is that of a part, with bought-by-all items too."""
    monkeypatch.setattr(module, "ATTRIBUTES_AT_ONCE", 5_000)
    rng = np.random.default_rng(0)
    sets = [rng.choice(4000, size, replace=False) for size in (1000, 1000, 1000, 3, 0, 1)]
    attributes = Attributes.of_pairs(np.repeat(np.arange(6), [len(s) for s in sets]), np.concatenate(sets), 6)
    first, second = rng.integers(0, 6, (2, 2000))
    meet = [[bool({*a} & {*b}) for b in sets] for a in sets]
    tracemalloc.start()
    found = attributes.shared(first, second)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [meet[a][b] for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    assert peak < 2_000_000  # all at once they would be half a million attributes, of 60 bytes


def test_rates_worked_by_hand() -> None:
    """Items 0 and 1 share buyer 0; item 2 has a buyer of its own, item 3 has none."""
    attributes = traits_of([(0, 0), (1, 0), (0, 1), (2, 2)], n=4)
    indices = np.array([[1, 2], [0, -1], [-1, -1], [0, 1]])
    found = agreement(attributes, indices, attributes.counts)
    np.testing.assert_array_equal(found.neighbours, [0.5, 1.0, np.nan, np.nan])


def test_neighbours_by_cluster_meet_and_random_ones_by_chance() -> None:
    """Ten clusters of buyers: a neighbour of the cluster always meets, a random one in one case of ten."""
    rng = np.random.default_rng(0)
    n, clusters = 1000, 10
    cluster = np.arange(n) % clusters
    attributes = Attributes.of_pairs(np.arange(n), cluster, n)
    indices = np.stack([(np.arange(n) + clusters * (1 + k)) % n for k in range(5)], axis=1)
    found = agreement(attributes, indices, rng.integers(1, 50, n))
    assert found.neighbours.mean() == 1.0
    assert found.uniform.mean() == pytest.approx(99 / 999, abs=0.02)
    assert found.matched.mean() == pytest.approx(99 / 999, abs=0.02)


def test_popular_neighbours_are_no_merit() -> None:
    """Neighbours that are merely popular beat uniform partners, and not partners as popular as they."""
    rng = np.random.default_rng(0)
    n, buyers = 2000, 400
    popular = np.arange(n) < 100
    counts = np.where(popular, 200, 4)
    entities = np.repeat(np.arange(n), counts)
    attributes = Attributes.of_pairs(entities, rng.integers(0, buyers, len(entities)), n)
    indices = rng.integers(0, 100, (n, 5))
    found = agreement(attributes, indices, attributes.counts)
    rare = ~popular
    assert found.neighbours[rare].mean() > 5 * found.uniform[rare].mean()
    assert found.neighbours[rare].mean() == pytest.approx(found.matched[rare].mean(), rel=0.05)


def test_nobody_is_a_partner_of_itself() -> None:
    """Each entity has a trait of its own, so only a pair with itself would share one."""
    n = 30
    attributes = Attributes.of_pairs(np.arange(n), np.arange(n), n)
    indices = (np.arange(n)[:, None] + np.arange(1, 11)) % n
    found = agreement(attributes, indices, np.zeros(n, dtype=np.int64))
    assert found.uniform.tolist() == found.matched.tolist() == [0.0] * n


def test_tables_without_anybody() -> None:
    attributes = traits_of([(0, 0)], n=1)
    found = agreement(attributes, np.array([[-1]]), attributes.counts)
    assert np.isnan(found.neighbours).all()
    assert np.isnan(found.matched).all()
