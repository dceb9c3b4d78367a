"""FlexCode's two codebooks, router and places, against loops and hand-made tables."""

from __future__ import annotations

import math

import pytest
import torch

from grasp_bench.semantic_ids.base import Items, Quantised, Signals
from grasp_bench.semantic_ids.flexcode import (
    FlexCode,
    Router,
    alignment,
    joined,
    roughness,
    soft_mask,
)
from grasp_bench.semantic_ids.settings import FlexCodeSettings

ITEMS = 120


def quantised(**keys: object) -> tuple[Quantised, Signals]:
    """Codes of items of every popularity, whose two vectors are equally hard to code."""
    draws = torch.Generator().manual_seed(5)
    text, signal = (torch.randn(ITEMS, 5, generator=draws) for _ in range(2))
    popular = torch.arange(ITEMS) % 30
    signals = Signals(signal, popular, torch.rand(ITEMS, generator=draws))
    settings = FlexCodeSettings.model_validate(
        {"levels": 4, "codebook_size": 8, "hidden": (16,), "latent_dim": 8, "epochs": 60, **keys}
    )
    items = Items([str(k) for k in range(ITEMS)], text, signals)
    found = FlexCode.from_settings(settings).quantise(
        items, torch.Generator().manual_seed(0), lambda done, of: None
    )
    return found, signals


def counts_in(found: Quantised, budget: int = 4, size: int = 8) -> list[int]:
    """How many of an item's codes are collaborative, read off the codes."""
    return [
        sum(place < budget - 1 and code < size for place, code in enumerate(row))
        for row in found.codes_mL.tolist()
    ]


def test_each_place_has_collaborative_codes_first_and_then_the_semantic_ones() -> None:
    collaborative, semantic = torch.tensor([[1, 2], [3, 0]]), torch.tensor([[4, 5], [6, 7]])
    codes, sizes = joined(collaborative, semantic, torch.tensor([1, 2]), 8)
    # Place 1 holds 8 collaborative codes and 8 of semantic level 0; place 2 semantic levels 0 and 1.
    assert codes.tolist() == [[1, 8 + 4, 8 + 5], [3, 0, 6]]
    assert sizes == (8, 16, 16)


def test_no_two_codings_are_written_alike() -> None:
    every = [(k, c, s) for k in (1, 2, 3) for c in range(2**3) for s in range(2**3)]
    bits = torch.tensor([[value >> shift & 1 for shift in range(3)] for value in range(8)])
    count, first, second = (torch.tensor(column) for column in zip(*every, strict=True))
    codes, sizes = joined(bits[first], bits[second], count, 2)
    used = {(k, tuple(bits[c, :k].tolist()), tuple(bits[s, : 4 - k].tolist())) for k, c, s in every}
    assert len(codes.unique(dim=0)) == len(used)
    assert all(int(level.max()) < size for level, size in zip(codes.T, sizes, strict=True))


def test_the_router_shares_the_whole_budget_and_leaves_each_kind_a_code() -> None:
    router = Router(6, 5, True, torch.Generator().manual_seed(1))
    share = router.share(10 * torch.randn(50, 4, generator=torch.Generator().manual_seed(2)))
    collaborative, semantic = router.counts(share)
    torch.testing.assert_close(collaborative + semantic, torch.full((50,), 6.0))
    rounded = router.rounded(torch.tensor([0.0, 0.3, 0.5, 1.0]))
    assert rounded.tolist() == [1, 2, 3, 5]
    assert Router(5, 5, True, torch.Generator()).rounded(torch.tensor([0.5])).tolist() == [3]  # of 2.5
    halves = Router(6, 5, False, torch.Generator()).share(torch.randn(3, 4))
    assert halves.tolist() == [0.5] * 3


def test_codes_of_several_levels_are_not_moved_to_free_ones() -> None:
    with pytest.raises(ValueError, match="none of them next to another"):
        FlexCodeSettings.model_validate({"collisions": "nearest_free"})


def test_masks_are_sigmoids_that_become_steps() -> None:
    mask = soft_mask(torch.tensor([1.0, 2.6]), 3, 0.5)
    for row, count in enumerate((1.0, 2.6)):
        for level in range(3):
            assert float(mask[row, level]) == pytest.approx(1 / (1 + math.exp(-(count - level - 0.5) / 0.5)))
    assert soft_mask(torch.tensor([2.0]), 4, 1e-3).round().tolist() == [[1, 1, 0, 0]]


def test_alignment_is_the_mean_of_both_directions_by_hand() -> None:
    first, second = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(3))
    total = 0.0
    for one, other in ((first, second), (second, first)):
        for row in range(5):
            cosines = [
                float(one[row] @ other[k] / (one[row].norm() * other[k].norm())) / 0.2 for k in range(5)
            ]
            total += math.log(sum(map(math.exp, cosines))) - cosines[row]
    assert float(alignment(first, second, 0.2)) == pytest.approx(total / 10, rel=1e-5)


def test_roughness_compares_neighbours_in_popularity() -> None:
    share, popularity = torch.tensor([0.1, 0.9, 0.5]), torch.tensor([7, 1, 4])
    assert float(roughness(share, popularity)) == pytest.approx((0.4**2 + 0.4**2) / 2)
    assert float(roughness(share[:1], popularity[:1])) == 0.0


def test_popular_items_get_more_collaborative_codes_and_half_where_all_are_alike() -> None:
    found, signals = quantised(epochs=200, lr=1e-2, smooth_codes=0.0)
    counts = torch.tensor(counts_in(found)).double()
    assert counts.min() >= 1
    assert counts.max() <= 3
    assert found.facts["collaborative_codes"] == pytest.approx(float(counts.mean()), abs=1e-3)
    little, much = counts[signals.interactions_m < 3].mean(), counts[signals.interactions_m > 20].mean()
    assert much > little
    by_decile = found.facts["by_popularity"]
    order = signals.interactions_m.argsort(stable=True)
    assert by_decile[0] == pytest.approx(float(counts[order[:12]].mean()), abs=1e-3)
    assert by_decile[-1] == pytest.approx(float(counts[order[-12:]].mean()), abs=1e-3)
    alike, _ = quantised(allocation="static", epochs=2)
    assert set(counts_in(alike)) == {2}


def test_both_kinds_of_vectors_are_learnt() -> None:
    early, _ = quantised(epochs=1, allocation="static")
    late, _ = quantised(epochs=150, allocation="static", lr=3e-3)
    assert late.facts["collaborative_error"] < early.facts["collaborative_error"]
    assert late.facts["collaborative_error"] < 0.9
