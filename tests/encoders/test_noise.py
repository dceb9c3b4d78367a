"""Noise on vectors: whom it hits, that rates are nested, and what each kind does, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grasp_bench.components import NOISES
from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.encoders.noise import UNKNOWN, add_noise, corrupted_rows

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("permute", {}),
    ("gaussian", {"strength": 1.0}),
    ("dropout", {"strength": 0.5}),
    ("category_flip", {"codes": np.arange(40) % 3}),
]


def vectors(count: int, width: int = 6) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, width)).astype(np.float32)


def test_these_are_all_kinds() -> None:
    assert {kind for kind, _ in KINDS} == set(NOISES)


@pytest.mark.parametrize(("kind", "more"), KINDS)
def test_rates_are_nested_down_to_the_values(kind: str, more: dict[str, Any]) -> None:
    clean, before = vectors(40), np.empty(0, dtype=np.int64)
    last = clean
    for rate, count in ((0.0, 0), (0.1, 4), (0.2, 8), (0.8, 32), (1.0, 40)):
        found, rows = add_noise(clean, "users", kind, rate, 3, **more)
        moved = np.flatnonzero((found != clean).any(axis=1))
        assert moved.tolist() == rows.tolist() == corrupted_rows(40, "users", rate, 3).tolist()
        assert len(rows) == count
        assert np.array_equal(found[before], last[before]), "wronged alike at both rates"
        before, last = rows, found


@pytest.mark.parametrize(("kind", "more"), KINDS)
def test_the_seed_and_the_side_decide_and_clean_vectors_stay(kind: str, more: dict[str, Any]) -> None:
    clean = vectors(40)
    copy = clean.copy()
    first = add_noise(clean, "items", kind, 0.5, 7, **more)[0]
    assert np.array_equal(first, add_noise(clean, "items", kind, 0.5, 7, **more)[0])
    assert not np.array_equal(first, add_noise(clean, "items", kind, 0.5, 8, **more)[0])
    assert not np.array_equal(first, add_noise(clean, "users", kind, 0.5, 7, **more)[0])
    assert np.array_equal(clean, copy)
    assert first.dtype == np.float32


@pytest.mark.parametrize(("kind", "more"), [each for each in KINDS if each[0] != "category_flip"])
@pytest.mark.parametrize("count", [0, 1])
def test_nobody_and_one_alone(kind: str, more: dict[str, Any], count: int) -> None:
    found, rows = add_noise(vectors(count), "items", kind, 1.0, 1, **more)
    assert found.shape == (count, 6)
    assert len(rows) == count
    assert np.isfinite(found).all()


def test_permuted_at_rate_one_every_vector_is_there_once_and_belongs_to_another() -> None:
    clean = vectors(500)
    found = add_noise(clean, "items", "permute", 1.0, 7)[0]
    assert sorted(found.tolist()) == sorted(clean.tolist())
    assert not (found == clean).all(axis=1).any()


def test_permuted_at_lower_rates_everyone_hit_has_the_vector_of_somebody_else() -> None:
    clean = vectors(100)
    found, rows = add_noise(clean, "items", "permute", 0.3, 7)
    owners = {tuple(row): k for k, row in enumerate(clean.tolist())}
    assert all(owners[tuple(found[k].tolist())] != k for k in rows)


@pytest.mark.parametrize("strength", [0.1, 1.0, 3.0])
def test_gaussian_noise_is_as_long_as_it_says_whatever_the_length_of_the_vector(strength: float) -> None:
    clean = vectors(300, 384) * np.linspace(0.1, 50, 300, dtype=np.float32)[:, None]
    found, _ = add_noise(clean, "users", "gaussian", 1.0, 5, strength=strength)
    added = np.linalg.norm(found - clean, axis=1) / np.linalg.norm(clean, axis=1)
    assert np.abs(added - strength).max() < 0.2 * strength
    assert abs(added.mean() - strength) < 0.01 * strength


@pytest.mark.parametrize(("strength", "left"), [(0.25, 6), (0.5, 4), (1.0, 1)])
def test_dropout_keeps_as_many_coordinates_as_it_says_and_the_largest(strength: float, left: int) -> None:
    clean = vectors(50, 8)
    found, _ = add_noise(clean, "users", "dropout", 1.0, 5, strength=strength)
    for row, before in zip(found, clean, strict=True):
        kept = np.flatnonzero(row)
        assert len(kept) == left
        assert np.abs(before).argmax() in kept
        assert np.array_equal(row[kept], before[kept])


def test_a_flip_takes_the_nearest_of_another_category_as_a_loop_finds_it() -> None:
    clean, codes = vectors(60), np.arange(60) % 4
    codes[5] = codes[17] = UNKNOWN
    found, rows = add_noise(clean, "items", "category_flip", 0.6, 9, codes=codes)
    for row in rows:
        best, nearest = -2.0, -1
        for other in range(60):
            if other == row or codes[other] == UNKNOWN or codes[other] == codes[row]:
                continue
            cosine = clean[row] @ clean[other] / np.linalg.norm(clean[row]) / np.linalg.norm(clean[other])
            if cosine > best:
                best, nearest = float(cosine), other
        assert np.array_equal(found[row], clean[nearest])


def test_without_two_categories_a_flip_is_refused() -> None:
    for codes in (None, np.zeros(9, dtype=np.int64), np.full(9, UNKNOWN)):
        with pytest.raises(DataError, match="fewer than two categories"):
            add_noise(vectors(9), "items", "category_flip", 0.5, 1, codes=codes)


def test_another_kind_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'permute'"):
        add_noise(vectors(3), "items", "permutate", 1.0, 1)
