"""Optimised product quantisation against scikit-learn's k-means and scipy's Procrustes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.cluster import KMeans
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.semantic_ids.base import Items, Quantised
from grasp_bench.semantic_ids.product import OPQ, balanced_directions, best_rotation
from grasp_bench.semantic_ids.settings import OPQSettings

ITEMS, WIDTH, LEVELS, CODES = 500, 12, 3, 8


def correlated(width: int = WIDTH, items: int = ITEMS, seed: int = 0) -> Tensor:
    """Vectors whose variance falls fast and lies along no axis."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * 0.7 ** np.arange(width)[:, None]
    return torch.from_numpy((rng.normal(size=(items, width)) @ mixing + 2).astype(np.float32))


def quantise(vectors_mD: Tensor, seed: int = 0, **keys: int) -> Quantised:
    settings = OPQSettings.model_validate({"levels": LEVELS, "codebook_size": CODES, **keys})
    items = Items([str(k) for k in range(len(vectors_mD))], vectors_mD)
    return OPQ(settings).quantise(items, torch.Generator().manual_seed(seed), lambda *_: None)


def error(vectors_mD: Tensor, found: Quantised) -> float:
    assert found.rebuilt_mD is not None
    return float((vectors_mD.double() - found.rebuilt_mD.double()).square().sum())


def test_directions_are_orthonormal_and_balanced() -> None:
    vectors = correlated()
    centred = vectors - vectors.mean(0)
    directions = balanced_directions(centred, LEVELS)
    torch.testing.assert_close(directions.T @ directions, torch.eye(WIDTH), atol=1e-5, rtol=0)
    scatter = directions.T @ centred.T @ centred @ directions
    off_diagonal = scatter - scatter.diagonal().diag()
    assert off_diagonal.abs().max() < 1e-4 * scatter.max()  # principal directions
    logs = scatter.diagonal().double().log().view(LEVELS, -1).sum(1)
    as_sorted = scatter.diagonal().sort(descending=True).values.double().log().view(LEVELS, -1).sum(1)
    assert logs.max() - logs.min() < 0.2 * (as_sorted.max() - as_sorted.min())


def test_of_an_uneven_width_the_least_directions_are_left_out() -> None:
    vectors = correlated(width=14)
    centred = vectors - vectors.mean(0)
    directions = balanced_directions(centred, 4)
    assert directions.shape == (14, 12)
    torch.testing.assert_close(directions.T @ directions, torch.eye(12), atol=1e-5, rtol=0)
    kept = (centred @ directions).square().sum(0).sort(descending=True).values
    expected = np.linalg.eigvalsh((centred.T.double() @ centred.double()).numpy())[::-1][:12]
    np.testing.assert_allclose(kept.double().numpy(), expected, rtol=1e-3)
    found = quantise(vectors, levels=4)
    assert found.rebuilt_mD is not None
    assert found.rebuilt_mD.shape == vectors.shape
    assert error(vectors, found) < float((vectors - vectors.mean(0)).square().sum())


def test_the_best_rotation_is_scipys_and_orthonormal() -> None:
    vectors, rebuilt = correlated(), correlated(seed=1)
    rotation = best_rotation(vectors, rebuilt)
    expected, _ = orthogonal_procrustes(vectors.double().numpy(), rebuilt.double().numpy())
    np.testing.assert_allclose(rotation.numpy(), expected, atol=1e-3)
    narrow = best_rotation(vectors, rebuilt[:, :7])
    torch.testing.assert_close(narrow.T @ narrow, torch.eye(7), atol=1e-5, rtol=0)


def test_what_is_rebuilt_is_a_rotation_of_the_centres() -> None:
    """Distances between rebuilt vectors of equal codes on all but the last level are those of its centres."""
    vectors = correlated()
    found = quantise(vectors)
    assert found.rebuilt_mD is not None
    assert found.last_KE is not None
    groups: dict[tuple[int, ...], dict[int, Tensor]] = {}
    for row, codes in enumerate(found.codes_mL.tolist()):
        groups.setdefault(tuple(codes[:-1]), {})[codes[-1]] = found.rebuilt_mD[row]
    compared = 0
    for members in groups.values():
        (first, one), *others = members.items()
        for code, other in others:
            expected = (found.last_KE[first] - found.last_KE[code]).norm()
            torch.testing.assert_close((one - other).norm(), expected, atol=1e-3, rtol=1e-3)
            compared += 1
    assert compared > 20


def test_not_worse_than_plain_product_quantisation() -> None:
    vectors = correlated()
    plain = 0.0
    for part in vectors.double().numpy().reshape(ITEMS, LEVELS, -1).transpose(1, 0, 2):
        plain += KMeans(CODES, n_init=5, random_state=0).fit(part).inertia_
    for seed in range(3):
        assert error(vectors, quantise(vectors, seed)) < plain


def test_rotations_lower_the_error() -> None:
    """Vectors in few directions of a wide space: no axis is right from the start."""
    rng = np.random.default_rng(3)
    corners = rng.choice([-1.0, 1.0], size=(ITEMS, WIDTH)) * (1 + 0.05 * rng.normal(size=(ITEMS, WIDTH)))
    turned, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    vectors = torch.from_numpy((corners @ turned).astype(np.float32))
    errors = [
        np.mean([error(vectors, quantise(vectors, seed, rotations=rotations)) for seed in range(3)])
        for rotations in (0, 4, 16)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_fewer_dimensions_than_levels_are_refused() -> None:
    with pytest.raises(DataError, match=r"semantic_ids.levels 3: .* have 2 dimensions"):
        quantise(correlated(width=2))
