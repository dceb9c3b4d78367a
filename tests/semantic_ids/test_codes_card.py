"""The card of semantic IDs against scipy, `Counter` and plain loops."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from grasp_bench.semantic_ids import card as module
from grasp_bench.semantic_ids.card import card, fidelity, perplexity


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def vectors(items: int, width: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(items, width)).astype(np.float32))


@pytest.mark.parametrize("codes", [[0, 0, 0, 5], [3], [0, 1, 2, 3], [7, 7, 1, 1, 1, 2, 0, 0, 0, 0]])
def test_perplexity_is_scipys(codes: list[int]) -> None:
    counts = list(Counter(codes).values())
    assert perplexity(torch.tensor(codes)) == pytest.approx(2 ** entropy(counts, base=2))


def test_collisions_and_codes_used_by_counting() -> None:
    rng = np.random.default_rng(4)
    made = rng.integers(0, [3, 4, 6], (70, 3))
    after = np.column_stack([made, rng.integers(0, 9, 70)])
    found = card(torch.from_numpy(made), torch.from_numpy(after), (3, 4, 6, 9))
    sharing = Counter(map(tuple, made.tolist()))
    collided = sum(count for count in sharing.values() if count > 1)
    assert 0 < collided < 70
    assert found == {
        "items": 70,
        "levels": 4,
        "codes": [3, 4, 6, 9],
        "collided_items": collided,
        "collided_share": pytest.approx(collided / 70, abs=1e-6),
        "largest_collision": max(sharing.values()),
        "sharing_three": sum(count for count in sharing.values() if count >= 3),
        "distinct": len(set(map(tuple, after.tolist()))),
        "distinct_made": len(sharing),
        "used": [len(set(level)) for level in after.T.tolist()],
        "perplexity": pytest.approx(
            [np.exp(entropy(list(Counter(level).values()))) for level in after.T.tolist()], abs=1e-3
        ),
    }


@pytest.mark.parametrize("items", [6, 40, 150])
def test_neighbours_kept_by_plain_loops(items: int) -> None:
    before = vectors(items, 5, 1)
    after = before + 0.6 * vectors(items, 5, 2)
    found = fidelity(before, after, draws())
    wanted = min(10, items - 1)
    shares = []
    for item in range(items):
        lists = []
        for table in (before, after):
            cosine = [
                -2.0 if other == item else float(torch.cosine_similarity(table[item], table[other], dim=0))
                for other in range(items)
            ]
            lists.append(set(np.argsort(cosine)[::-1][:wanted].tolist()))
        shares.append(len(lists[0] & lists[1]) / wanted)
    assert found["neighbours"] == wanted
    assert found["neighbours_kept"] == pytest.approx(np.mean(shares), abs=1e-5)
    spread = sum(float((row - before.mean(0)).square().sum()) for row in before)
    left = sum(float((row - other).square().sum()) for row, other in zip(before, after, strict=True))
    assert found["reconstruction_error"] == pytest.approx(left / spread, rel=1e-4)


def test_the_vectors_themselves_and_their_mean() -> None:
    given = vectors(50, 4, 3)
    same = fidelity(given, given, draws())
    assert (same["reconstruction_error"], same["neighbours_kept"]) == (0, 1)
    mean = fidelity(given, given.mean(0).expand_as(given), draws())
    assert mean["reconstruction_error"] == pytest.approx(1, abs=1e-5)


def test_many_items_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share of a sample is one of as many lists of ten, and near that of all."""
    before = vectors(300, 6, 1)
    after = before + 0.5 * vectors(300, 6, 2)
    whole = fidelity(before, after, draws())["neighbours_kept"]
    monkeypatch.setattr(module, "QUERIES", 80)
    sampled = fidelity(before, after, draws())["neighbours_kept"]
    assert sampled != whole
    assert sampled == pytest.approx(whole, abs=0.1)
    assert sampled * 800 == pytest.approx(round(sampled * 800), abs=1e-2)


def test_a_catalogue_without_spread_or_neighbours_has_blanks_that_json_can_say() -> None:
    alike = torch.ones(5, 3)
    assert fidelity(alike, alike, draws())["reconstruction_error"] is None
    alone = fidelity(torch.ones(1, 3), torch.ones(1, 3), draws())
    assert (alone["neighbours"], alone["neighbours_kept"]) == (0, None)
