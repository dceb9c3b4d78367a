"""What FlexCode is trained on and how it codes items, against plain loops over items and levels."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from grasp_bench.semantic_ids.base import Items, Signals
from grasp_bench.semantic_ids.flexcode import FlexCode, Router, soft_mask
from grasp_bench.semantic_ids.rqvae import QuantisedAutoencoder, ResidualCodebooks
from grasp_bench.semantic_ids.settings import FlexCodeSettings

ITEMS, BUDGET, CODES, LATENT = 12, 4, 3, 4
POPULAR = [0, 40, 3, 7, 1, 90, 12, 5, 2, 25, 60, 9]  # all different, so that their order is certain
KEYS: dict[str, Any] = {
    "levels": BUDGET, "codebook_size": CODES, "hidden": (16,), "latent_dim": LATENT, "trusted_from": 8.0,
    "align_codes": 0.7, "align_codes_temperature": 0.4, "smooth_codes": 0.9, "mask_temperature": 0.6,
}  # fmt: skip


class Parts:
    """The modules of FlexCode, untrained, and what they are given."""

    def __init__(self, allocation: str = "adaptive") -> None:
        draws = torch.Generator().manual_seed(11)
        self.settings = FlexCodeSettings.model_validate({**KEYS, "allocation": allocation})
        text, table = torch.randn(ITEMS, 5, generator=draws), torch.randn(ITEMS, 3, generator=draws)
        recency = torch.rand(ITEMS, generator=draws)
        self.signals, self.text = Signals(table, torch.tensor(POPULAR), recency), text
        self.semantic = QuantisedAutoencoder(text, BUDGET - 1, self.settings, draws)
        self.collaborative = QuantisedAutoencoder(table, BUDGET - 1, self.settings, draws)
        self.router = Router(BUDGET, 5, allocation == "adaptive", draws)
        with torch.no_grad():  # far apart, so that items differ in their counts
            for layer in (self.router.layers[0], self.router.layers[2]):
                layer.weight.mul_(6)
        self.method = FlexCode.from_settings(self.settings)

    def losses(self, rows: Tensor) -> dict[str, Tensor]:
        return self.method._losses(self.semantic, self.collaborative, self.router, self.signals, rows)


def nearest_codes(coder: QuantisedAutoencoder, latent: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """The code of each level, its vector, and what is left before it, of one item."""
    found = []
    left = latent
    for book in coder.books.codebooks.detach():
        code = min(range(CODES), key=lambda k: float((left - book[k]).square().sum()))
        found.append((code, book[code], left))
        left = left - book[code]
    return found


def share_of(parts: Parts, item: int, latents: dict[str, Tensor]) -> float:
    """The router's share, from log popularity, recency, and the share of each latent that no code holds."""
    errors = []
    for name, coder in (("collaborative", parts.collaborative), ("semantic", parts.semantic)):
        latent = latents[name][item]
        left = latent - torch.stack([vector for _, vector, _ in nearest_codes(coder, latent)]).sum(0)
        errors.append(min(1.0, float(left.square().sum() / latent.square().sum())))
    features = [math.log1p(POPULAR[item]), float(parts.signals.recency_m[item]), *errors]
    return float(parts.router.layers(torch.tensor([features]))[0, 0].sigmoid().detach())


def latents_of(parts: Parts) -> dict[str, Tensor]:
    coders = {"collaborative": parts.collaborative, "semantic": parts.semantic}
    return {name: coder.encoder(coder.inputs_mD).detach() for name, coder in coders.items()}


def test_each_loss_is_that_of_loops_over_items_and_levels() -> None:
    parts, rows = Parts(), [7, 0, 5, 3, 10]
    latents = latents_of(parts)
    shares = {item: share_of(parts, item, latents) for item in rows}
    expected = dict.fromkeys(parts.losses(torch.tensor(rows)), 0.0)
    for name, coder in (("collaborative", parts.collaborative), ("semantic", parts.semantic)):
        for item in rows:
            summed = torch.zeros(LATENT)
            count = 1 + shares[item] * (BUDGET - 2)
            if name == "semantic":
                count = BUDGET - count
            for level, (_, vector, left) in enumerate(nearest_codes(coder, latents[name][item])):
                summed += vector / (1 + math.exp(-(count - level - 0.5) / 0.6))
                expected[f"{name}_codebooks"] += 1.25 * float((left - vector).square().sum()) / len(rows)
            wrong = coder.decoder(summed[None])[0] - coder.inputs_mD[item]
            trust = POPULAR[item] / (POPULAR[item] + 8) if name == "collaborative" else 1.0
            expected[f"{name}_error"] += LATENT * trust * float(wrong.square().mean().detach()) / len(rows)
    met = [item for item in rows if POPULAR[item]]  # one of them has no interaction
    assert len(met) == len(rows) - 1
    for one, other in (("collaborative", "semantic"), ("semantic", "collaborative")):
        for item in met:
            cosines = [
                float(torch.cosine_similarity(latents[one][item], latents[other][each], dim=0)) / 0.4
                for each in met
            ]
            surprise = math.log(sum(map(math.exp, cosines))) - cosines[met.index(item)]
            expected["alignment"] += 0.7 * surprise / (2 * len(met))
    ordered = [shares[item] for item in sorted(rows, key=lambda item: POPULAR[item])]
    steps = [(after - before) ** 2 for before, after in pairwise(ordered)]
    expected["smoothness"] = 0.9 * sum(steps) / len(steps)
    found = {name: float(value.detach()) for name, value in parts.losses(torch.tensor(rows)).items()}
    assert found == pytest.approx(expected, rel=1e-4)
    assert all(value > 0 for value in expected.values())


@pytest.mark.parametrize("allocation", ["adaptive", "static"])
def test_every_part_learns(allocation: str) -> None:
    """Gradients are finite and not all zero; a router that nobody asks gets none."""
    parts = Parts(allocation)
    sum(parts.losses(torch.arange(ITEMS)).values(), torch.zeros(())).backward()
    for coder in (parts.semantic, parts.collaborative):
        for name, parameter in coder.named_parameters():
            assert parameter.grad is not None, name
            assert bool(parameter.grad.isfinite().all()), name
            assert bool(parameter.grad.any()), name
    given = [parameter.grad for parameter in parts.router.parameters()]
    if allocation == "static":
        assert given == [None] * len(given)
    else:
        assert all(each is not None and bool(each.isfinite().all()) for each in given)
        assert any(each is not None and bool(each.any()) for each in given)


@torch.no_grad()
def test_items_have_their_first_codes_of_both_kinds_and_stand_for_what_these_decode_to() -> None:
    parts = Parts()
    found = parts.method._coded(parts.semantic, parts.collaborative, parts.router, parts.signals)
    latents, counts, wrong = latents_of(parts), [], 0.0
    for item in range(ITEMS):
        share = share_of(parts, item, latents)
        count = min(range(1, BUDGET), key=lambda k: abs(k - 1 - share * (BUDGET - 2)))
        counts.append(count)
        first = nearest_codes(parts.collaborative, latents["collaborative"][item])[:count]
        second = nearest_codes(parts.semantic, latents["semantic"][item])[: BUDGET - count]
        places = []
        for place in range(BUDGET):
            if place < count:
                places.append(first[place][0])
            else:
                level = place - count
                before = CODES if place < BUDGET - 1 else 0  # of collaborative codes, which end there
                places.append(before + level * CODES + second[level][0])
        assert found.codes_mL[item].tolist() == places
        assert found.rebuilt_mD is not None
        rebuilt = parts.semantic.decoder(sum(vector for _, vector, _ in second)[None])[0]
        deviation, mean = torch.std_mean(parts.text, dim=0, correction=0)
        torch.testing.assert_close(found.rebuilt_mD[item], rebuilt * deviation + mean, atol=1e-5, rtol=1e-4)
        table = parts.signals.vectors_mE
        deviation, mean = torch.std_mean(table, dim=0, correction=0)
        rebuilt = parts.collaborative.decoder(sum(vector for _, vector, _ in first)[None])[0]
        wrong += float((rebuilt * deviation + mean - table[item]).square().sum())
    assert set(counts) == {1, 2, 3}
    spread = float((table - table.mean(0)).square().sum())
    assert found.facts["collaborative_error"] == pytest.approx(wrong / spread, rel=1e-4)
    assert found.facts["collaborative_codes"] == pytest.approx(sum(counts) / ITEMS, abs=1e-4)


def test_weights_scale_the_codes_and_learn_how_well_each_fits() -> None:
    draws = torch.Generator().manual_seed(2)
    books = ResidualCodebooks(3, CODES, LATENT, 0.25)
    latent, towards = (torch.randn(5, LATENT, generator=draws) for _ in range(2))
    books.start(latent, draws)
    latent.requires_grad_()
    weights = torch.rand(5, 3, generator=draws).requires_grad_()
    quantised, codes, _ = books(latent, weights)
    (quantised * towards).sum().backward()
    assert latent.grad is not None
    assert weights.grad is not None
    torch.testing.assert_close(latent.grad, towards)  # straight through
    vectors = books.codebooks.detach()
    for item in range(5):
        chosen = [vectors[level, codes[item, level]] for level in range(3)]
        summed = sum(float(weights[item, k].detach()) * chosen[k] for k in range(3))
        torch.testing.assert_close(quantised[item].detach(), summed, atol=1e-6, rtol=1e-5)
        for level in range(3):
            assert float(weights.grad[item, level]) == pytest.approx(
                float(chosen[level] @ towards[item]), rel=1e-4, abs=1e-6
            )
    whole, _, _ = books(latent.detach(), torch.ones(5, 3))
    torch.testing.assert_close(whole, books(latent.detach())[0])


@pytest.mark.parametrize("budget", [2, 3, 4, 6])
def test_masks_of_both_kinds_sum_to_the_budget_but_for_the_codes_that_no_item_may_have(budget: int) -> None:
    """A place's masks of both kinds sum to 1: a kind's code l is the other's place budget − 1 − l."""
    collaborative = torch.linspace(1, budget - 1, 7)
    masks = [soft_mask(count, budget, 0.3) for count in (collaborative, budget - collaborative)]
    torch.testing.assert_close(masks[0] + masks[1].flip(1), torch.ones(7, budget))
    used = [soft_mask(count, budget - 1, 0.3).sum(1) for count in (collaborative, budget - collaborative)]
    left_out = masks[0][:, -1] + masks[1][:, -1]
    torch.testing.assert_close(used[0] + used[1], budget - left_out)
    assert float(left_out.max()) <= 2 / (1 + math.exp(0.5 / 0.3)) + 1e-6


@pytest.mark.parametrize("budget", [2, 3, 4, 5, 6, 7])
def test_rounded_counts_share_the_budget(budget: int) -> None:
    router = Router(budget, 4, True, torch.Generator().manual_seed(1))
    share = torch.linspace(0, 1, 101)
    counts = router.rounded(share)
    assert int(counts.min()) == 1
    assert int(counts.max()) == budget - 1
    assert bool((counts.diff() >= 0).all())
    torch.testing.assert_close(sum(router.counts(share)), torch.full((101,), float(budget)))


def test_the_card_has_the_losses_of_the_last_epoch_and_no_error_of_vectors_that_do_not_vary() -> None:
    parts = Parts()
    settings = FlexCodeSettings.model_validate({**KEYS, "epochs": 1, "lr": 1e-12, "batch_size": 7})
    table = torch.ones(ITEMS, 3)
    still = Signals(table, parts.signals.interactions_m, parts.signals.recency_m)
    items = Items([str(k) for k in range(ITEMS)], parts.text, parts.signals)
    seen: list[dict[str, Tensor]] = []

    class Watched(FlexCode):
        def _losses(self, *given: Any) -> dict[str, Tensor]:
            seen.append(super()._losses(*given))
            return seen[-1]

    for each, error in ((items, float), (Items(items.ids, parts.text, still), type(None))):
        seen.clear()
        found = Watched.from_settings(settings).quantise(
            each, torch.Generator().manual_seed(0), lambda done, of: None
        )
        assert len(seen) == 2  # of 7 and 5 items
        means = {name: sum(float(each[name].detach()) for each in seen) / 2 for name in seen[0]}
        assert found.facts["losses"] == pytest.approx(means, abs=1e-5)
        assert isinstance(found.facts["collaborative_error"], error)
