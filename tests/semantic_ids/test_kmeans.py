"""K-means against scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from grasp_bench.semantic_ids import kmeans as module
from grasp_bench.semantic_ids.kmeans import assign, kmeans, rows_of, spread_centres


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(groups: int, rows: int, width: int, centres: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    middles = 5 * rng.normal(size=(groups, centres, width))
    chosen = middles[np.arange(groups)[:, None], rng.integers(0, centres, (groups, rows))]
    return torch.from_numpy((chosen + rng.normal(size=chosen.shape)).astype(np.float32))


def inertia(vectors_mD: Tensor, centres_KD: Tensor, nearest_m: Tensor) -> float:
    return sum(
        float((vectors_mD[row].double() - centres_KD[code].double()).square().sum())
        for row, code in enumerate(nearest_m.tolist())
    )


@pytest.mark.parametrize(("count", "seed"), [(2, 0), (8, 1), (30, 2)])
def test_lloyd_from_the_same_centres_ends_as_scikit_learns(count: int, seed: int) -> None:
    vectors = blobs(3, 400, 6, 8, seed)
    starts = spread_centres(vectors, count, draws(seed))
    centres, nearest = kmeans(vectors, count, draws(), 300, starts)
    for group in range(3):
        peer = KMeans(count, init=starts[group].numpy(), n_init=1, tol=0, max_iter=300, algorithm="lloyd")
        expected = peer.fit(vectors[group].double().numpy()).inertia_
        assert inertia(vectors[group], centres[group], nearest[group]) == pytest.approx(expected, rel=1e-4)


def test_groups_know_nothing_of_each_other() -> None:
    vectors = blobs(2, 90, 4, 5)
    starts = spread_centres(vectors, 5, draws())
    centres, nearest = kmeans(vectors, 5, draws(), 20, starts)
    for group in range(2):
        alone = kmeans(vectors[group, None], 5, draws(), 20, starts[group, None])
        torch.testing.assert_close(centres[group], alone[0][0])
        assert torch.equal(nearest[group], alone[1][0])


def test_the_nearest_centre_by_plain_loops_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, centres = blobs(2, 37, 3, 4), blobs(2, 6, 3, 4, seed=1)
    whole = assign(vectors, centres)
    monkeypatch.setattr(module, "DISTANCES_AT_ONCE", 2 * 6 * 5)
    parts = assign(vectors, centres)
    assert torch.equal(whole[0], parts[0])
    for group in range(2):
        for row in range(37):
            away = [float((vectors[group, row] - centre).square().sum()) for centre in centres[group]]
            assert whole[0][group, row] == int(np.argmin(away))
            assert float(whole[1][group, row]) == pytest.approx(min(away), rel=1e-4, abs=1e-4)
    found = rows_of(centres, whole[0])
    assert torch.equal(found[1, 5], centres[1, whole[0][1, 5]])


def test_no_distance_is_below_zero() -> None:
    vectors = 100 + torch.rand(1, 50, 8, generator=draws())
    assert float(assign(vectors, vectors)[1].min()) >= 0


def test_first_centres_are_vectors_that_lie_apart() -> None:
    """Of ten far blobs k-means++ hits each once; a uniform draw hits all with probability 10!/10¹⁰."""
    middles = 1000 * torch.eye(10)
    vectors = (middles[:, None] + torch.rand(10, 30, 10, generator=draws())).flatten(0, 1)[None]
    for seed in range(20):
        centres = spread_centres(vectors, 10, draws(seed))[0]
        assert sorted(centres.argmax(1).tolist()) == list(range(10))
        assert all((vectors[0] == centre).all(1).any() for centre in centres)


def test_the_second_centre_is_drawn_by_squared_distance() -> None:
    """Vectors at 0, 1 and 3: with the first drawn evenly, chances of pairs follow by hand."""
    points = [0.0, 1.0, 3.0]
    vectors = torch.tensor(points)[None, :, None]
    expected = {
        (first, second): (points[first] - points[second]) ** 2
        / sum((points[first] - each) ** 2 for each in points)
        / 3
        for first in range(3)
        for second in range(3)
    }
    many = 30_000
    found = spread_centres(vectors.expand(many, -1, -1), 2, draws())[:, :, 0]
    for (first, second), chance in expected.items():
        hits = ((found[:, 0] == points[first]) & (found[:, 1] == points[second])).double().mean()
        assert float(hits) == pytest.approx(chance, abs=4 * (0.25 / many) ** 0.5)


def test_a_centre_without_vectors_moves_to_the_farthest_vector() -> None:
    vectors = torch.tensor([100.0, 100.1, 100.2, 109.0])[None, :, None]
    starts = torch.tensor([100.1, 500.0, 600.0])[None, :, None]
    centres, nearest = kmeans(vectors, 3, draws(), 20, starts)
    assert len(nearest.unique()) == 3
    assert sorted(round(float(each), 3) for each in centres.flatten()) in (
        [100.0, 100.15, 109.0], [100.05, 100.2, 109.0],
    )  # fmt: skip


@pytest.mark.parametrize("rows", [1, 4])
def test_fewer_vectors_than_centres(rows: int) -> None:
    vectors = blobs(2, rows, 3, 2)
    centres, nearest = kmeans(vectors, 9, draws(), 10)
    assert centres.shape == (2, rows, 3)
    torch.testing.assert_close(rows_of(centres, nearest), vectors)


def test_fewer_distinct_vectors_than_centres() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(6, 1)[None]
    centres, nearest = kmeans(vectors, 5, draws(), 10)
    torch.testing.assert_close(rows_of(centres, nearest), vectors)
    assert len(nearest.unique()) == 2


def test_more_iterations_are_never_worse() -> None:
    vectors = blobs(1, 300, 5, 12)
    starts = spread_centres(vectors, 12, draws(4))
    left = []
    for iterations in (1, 2, 5, 40):
        centres, nearest = kmeans(vectors, 12, draws(), iterations, starts)
        left.append(inertia(vectors[0], centres[0], nearest[0]))
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0]
