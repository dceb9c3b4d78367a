"""Every registered method of semantic IDs keeps the contract of `Quantiser`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from grasp_bench.components import SEMANTIC_IDS
from grasp_bench.semantic_ids.base import Items, Quantised, Signals

# Keys that make a method quick; a method without an entry is tested with its defaults.
SMALL = {"hidden": (16,), "latent_dim": 8, "epochs": 5}
QUICK: dict[str, dict[str, Any]] = {"rqvae": SMALL, "flexcode": SMALL}
LEARNT = ("rqvae", "flexcode")  # whose decoders need not fit a handful of items after a few steps
READING = [name for name in SEMANTIC_IDS if SEMANTIC_IDS.get(name).reads_vectors]
ITEMS, WIDTH, LEVELS, CODES = 60, 10, 3, 7


def vectors(items: int = ITEMS, width: int = WIDTH, seed: int = 0) -> Tensor:
    return torch.randn(items, width, generator=torch.Generator().manual_seed(seed))


def quantise(name: str, items: Items, draws: int = 0, progress: Any = None, **keys: Any) -> Quantised:
    given = {"levels": LEVELS, "codebook_size": CODES, **QUICK.get(name, {}), **keys}
    method = SEMANTIC_IDS.implementation(name).from_settings(SEMANTIC_IDS.get(name).model_validate(given))
    generator = torch.Generator().manual_seed(draws)
    return method.quantise(items, generator, progress or (lambda done, of: None))


def items_of(vectors_mD: Tensor) -> Items:
    """Items with signals that their vectors decide."""
    popular = (10 * vectors_mD[:, 0].abs()).long()
    signals = Signals(vectors_mD[:, :4].clone(), popular, vectors_mD[:, 1].sigmoid())
    return Items([f"i{k}" for k in range(len(vectors_mD))], vectors_mD, signals)


def asked(name: str, vectors_mD: Tensor) -> Items:
    """The items as the stage gives them: without vectors to a method that reads none."""
    items = items_of(vectors_mD)
    return items if name in READING else Items(items.ids, None)


@pytest.mark.parametrize("name", list(SEMANTIC_IDS))
def test_codes_are_whole_numbers_of_their_codebook(name: str) -> None:
    given = vectors()
    before = given.clone()
    found = quantise(name, asked(name, given))
    assert found.codes_mL.shape == (ITEMS, LEVELS)
    assert found.codes_mL.dtype == torch.int64
    assert found.codes_mL.min() >= 0
    sizes = found.sizes or (CODES,) * LEVELS
    assert all(int(level.max()) < size for level, size in zip(found.codes_mL.T, sizes, strict=True))
    assert torch.equal(given, before)


@pytest.mark.parametrize("name", list(SEMANTIC_IDS))
def test_a_seed_gives_the_same_codes_whatever_was_drawn_before(name: str) -> None:
    first = quantise(name, asked(name, vectors()), draws=3)
    torch.rand(5)
    second = quantise(name, asked(name, vectors()), draws=3)
    assert torch.equal(first.codes_mL, second.codes_mL)
    for one, other in ((first.rebuilt_mD, second.rebuilt_mD), (first.left_mE, second.left_mE)):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name in SEMANTIC_IDS if name != "hash"])
def test_another_seed_gives_other_codes(name: str) -> None:
    first, second = (quantise(name, asked(name, vectors()), draws=draws).codes_mL for draws in (1, 2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", READING)
def test_equal_vectors_get_equal_codes(name: str) -> None:
    once = vectors(23)
    found = quantise(name, items_of(torch.cat([once, once, once])))
    first, second, third = found.codes_mL.split(23)
    assert torch.equal(first, second)
    assert torch.equal(first, third)


@pytest.mark.parametrize("name", READING)
def test_what_comes_with_the_codes(name: str) -> None:
    """The last level's code is the nearest of its centres to what that level quantised."""
    found = quantise(name, items_of(vectors()))
    assert found.rebuilt_mD is not None
    assert found.rebuilt_mD.shape == (ITEMS, WIDTH)
    if found.sizes is not None:  # a place holds codes of several kinds, none of them the next best
        assert found.left_mE is found.last_KE is None
        assert not found.rebuilt_mD.requires_grad
        return
    assert found.left_mE is not None
    assert found.last_KE is not None
    assert not any(each.requires_grad for each in (found.rebuilt_mD, found.left_mE, found.last_KE))
    nearest = torch.cdist(found.left_mE.double(), found.last_KE.double()).argmin(1)
    assert torch.equal(nearest, found.codes_mL[:, -1])


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("items", [1, 2, 5])
def test_fewer_items_than_codes(name: str, items: int) -> None:
    found = quantise(name, items_of(vectors(items)), codebook_size=16)
    assert all(
        int(codes.max()) < size
        for codes, size in zip(found.codes_mL.T, found.sizes or (16,) * 3, strict=True)
    )
    assert found.rebuilt_mD is not None
    assert found.rebuilt_mD.isfinite().all()
    if name not in LEARNT:
        torch.testing.assert_close(found.rebuilt_mD, vectors(items), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", READING)
def test_vectors_that_are_all_alike(name: str) -> None:
    found = quantise(name, items_of(vectors(1).expand(9, WIDTH).clone()))
    assert len(found.codes_mL.unique(dim=0)) == 1
    assert found.rebuilt_mD is not None
    assert found.rebuilt_mD.isfinite().all()


@pytest.mark.parametrize("name", [name for name in READING if name not in LEARNT])
def test_more_codes_leave_less(name: str) -> None:
    left = []
    for codes in (2, 8, 32):
        rebuilt = quantise(name, items_of(vectors(200)), codebook_size=codes).rebuilt_mD
        assert rebuilt is not None
        left.append(float((rebuilt - vectors(200)).square().sum()))
    assert left[0] > left[1] > left[2]


@pytest.mark.parametrize("name", READING)
def test_progress_counts_up_to_the_end(name: str) -> None:
    seen: list[tuple[int, int]] = []
    quantise(name, items_of(vectors()), progress=lambda done, of: seen.append((done, of)))
    whole = seen[-1][1]
    assert seen == [(step, whole) for step in range(1, whole + 1)]
