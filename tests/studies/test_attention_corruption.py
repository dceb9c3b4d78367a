"""Corrupted context: who is hit, what a pair's share is, and whether weights tell, counted pair by pair."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attentive_shop import inspect, open_attentive
from safetensors.numpy import load_file
from small_shop import Shop

from grasp_bench.plan.cells import Cell
from grasp_bench.studies.artifact_loading import load_texts
from grasp_bench.studies.attention.corruption import (
    Corrupted,
    corrupt,
    corruption_of,
    shares_of_pairs,
    told_wrong,
    trained_under,
)
from grasp_bench.studies.attention.reading import Pairs, history_pairs, open_reading

NOISY = """
controls: []
noise: {{kind: permute, side: {side}, when: {when}, target: {target}, rates: [0, 0.4]}}
"""
SLUG = "sasrec-grasp-noise_0.4-s1"


def noisy(
    folder: Path, side: str = "both", when: str = "before_retrieval", target: str = "embeddings"
) -> Shop:
    return open_attentive(folder / "shop", NOISY.format(side=side, when=when, target=target))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return noisy(tmp_path_factory.mktemp("noisy"))


def cell_of(shop: Shop, slug: str = SLUG) -> Cell:
    return next(cell for cell in shop.plan.cells if cell.slug == slug)


def hit(shop: Shop, role: str) -> list[bool]:
    """Rows whose vectors are not what they were: all that were hit, where no two are alike."""
    cell = cell_of(shop)
    vectors = [
        load_file(shop.store.folder(node.stage, node.hash) / "embeddings.safetensors")["vectors"]
        for node in (cell_of(shop, "sasrec-grasp-s1").nodes[role], cell.nodes[role])
    ]
    return [bool((a != b).any()) for a, b in zip(*vectors, strict=True)]


@pytest.mark.parametrize("target", ["embeddings", "text"])
def test_who_is_hit_is_who_has_another_vector(shop: Shop, tmp_path: Path, target: str) -> None:
    shop = shop if target == "embeddings" else noisy(tmp_path, target="text")
    found = trained_under(open_reading(cell_of(shop), shop.store))
    for side, role in (("users", "user_embeddings"), ("items", "item_embeddings")):
        changed = hit(shop, role)
        assert found[side].own.tolist() == [float(each) for each in changed]
        assert sum(changed) == round(0.4 * len(changed))


def test_neighbours_are_corrupted_by_their_share_and_wholly_if_searched_by_a_wrong_vector(shop: Shop) -> None:
    reading = open_reading(cell_of(shop), shop.store)
    found = trained_under(reading)
    for side, role in (("users", "user_embeddings"), ("items", "item_embeddings")):
        changed = hit(shop, role)
        for entity, neighbours in enumerate(reading.neighbours[side].tolist()):
            share = sum(changed[other] for other in neighbours) / len(neighbours)
            assert found[side].similar[entity] == pytest.approx(1.0 if changed[entity] else share)


def test_noise_behind_retrieval_leaves_neighbours_clean(tmp_path: Path) -> None:
    shop = noisy(tmp_path, side="users", when="after_retrieval")
    found = trained_under(open_reading(cell_of(shop), shop.store))
    assert list(found) == ["users"]
    assert found["users"].own.sum() == 12
    assert not found["users"].similar.any()
    told = inspect(shop, SLUG)["cells"][0]
    assert {(each["part"], each["side"]) for each in told["corruption"]} == {
        ("self", "users"),
        ("global", "users"),
    }
    assert told["noise"] == "permute 0.4 of users, after retrieval"


def test_a_clean_cell_has_nothing_corrupted(shop: Shop) -> None:
    assert not trained_under(open_reading(cell_of(shop, "sasrec-grasp-s1"), shop.store))
    found = inspect(shop)["cells"]
    assert [bool(cell["corruption"]) for cell in found] == [False, True]
    assert [cell["noise"] for cell in found] == [None, "permute 0.4 of both sides, before retrieval"]


@pytest.mark.parametrize(("claims", "wrong"), [("contradicted", [3]), ("ungrounded", [3, 4])])
def test_texts_with_claims_that_attributes_do_not_bear_out_are_corrupted(
    shop: Shop, claims: Any, wrong: list[int]
) -> None:
    reading = open_reading(cell_of(shop, "sasrec-grasp-s1"), shop.store)
    opened = load_texts(shop.plan, shop.store, "items", "sasrec-grasp-s1")
    assert opened.texts is not None
    texts = [*opened.texts]
    brands = opened.subjects.items["brand"].to_list()
    other = next(brand for brand in brands if brand and brand != brands[3])
    texts[3], texts[4] = f"By {other}", "Of 1999"
    found = told_wrong(reading, [replace(opened, texts=texts)], claims)["items"]
    assert np.flatnonzero(found.own).tolist() == wrong
    with_wrong = np.isin(reading.neighbours["items"], wrong).any(axis=1)
    assert (found.similar > 0).tolist() == with_wrong.tolist()


def test_a_pairs_share_is_that_of_its_dot_products() -> None:
    """Neighbour by neighbour: a product with a corrupted factor is corrupted."""
    neighbours = {"u": [1, 0, 0, 1], "i": [0, 1, 0, 0]}
    own = {"u": 1.0, "i": 0.0}
    products = [a or b for a, b in product(neighbours["u"], neighbours["i"])]
    similar = sum(products) / len(products)
    corrupted = {
        "users": Corrupted(np.array([own["u"]]), np.array([sum(neighbours["u"]) / 4])),
        "items": Corrupted(np.array([own["i"]]), np.array([sum(neighbours["i"]) / 4])),
    }
    zero = np.zeros(1, dtype=np.int64)
    pairs = Pairs(zero, zero, zero, zero.astype(bool), np.zeros((1, 3)))
    shares = {part: dict(shares_of_pairs(corrupted, pairs, part)) for part in ("self", "similar", "global")}
    assert shares["self"] == {"users": [1.0], "items": [0.0], "either": [1.0]}
    assert shares["similar"] == {"users": [0.5], "items": [0.25], "either": [pytest.approx(similar)]}
    assert shares["global"]["either"] == [pytest.approx((1.0 + similar) / 2)]
    assert shares["global"]["users"] == [pytest.approx(0.75)]


def test_auc_and_correlation_are_counted_over_all_pairs() -> None:
    rng = np.random.default_rng(4)
    weights = rng.integers(0, 12, 60) / 12  # with ties
    shares = rng.integers(0, 5, 60) / 4
    found = corruption_of("self", "users", weights, shares)
    assert found is not None
    dirty = [w for w, s in zip(weights, shares, strict=True) if s >= 0.5]
    clean = [w for w, s in zip(weights, shares, strict=True) if s < 0.5]
    wins = sum(1.0 if d < c else 0.5 if d == c else 0.0 for d, c in product(dirty, clean))
    assert found["auc"] == pytest.approx(wins / (len(dirty) * len(clean)))
    assert (found["corrupted"], found["clean"]) == (len(dirty), len(clean))

    def ranks(values: np.ndarray) -> list[float]:
        return [sum(o < v for o in values) + (sum(o == v for o in values) - 1) / 2 for v in values]

    assert found["correlation"] == pytest.approx(np.corrcoef(ranks(weights), ranks(shares))[0, 1])
    assert found["mean_corrupted"] == pytest.approx(sum(dirty) / len(dirty))


def test_where_nothing_differs_there_is_nothing_to_tell() -> None:
    weights, half = np.linspace(0, 1, 6), np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    assert corruption_of("self", "users", weights, np.ones(6)) is None
    assert corruption_of("self", "users", weights, np.zeros(6)) is None
    same = corruption_of("self", "users", np.full(6, 0.5), half)
    assert same is not None
    assert (same["auc"], same["correlation"]) == (0.5, 0.0)


def test_all_hit_alike_is_said(tmp_path: Path) -> None:
    shop = open_attentive(tmp_path / "shop", "controls: [shuffled]")
    found = inspect(shop)
    shuffled = next(cell for cell in found["cells"] if cell["noise"])
    assert not shuffled["corruption"]
    assert any(shuffled["slug"] in note and "corrupted alike" in note for note in found["notes"])
    json.dumps(found, allow_nan=False)


def test_corruption_behind_the_trained_models_back(shop: Shop) -> None:
    """Means of the same neighbours, of whom some have another's vector."""
    reading = open_reading(cell_of(shop, "sasrec-grasp-s1"), shop.store)
    known, found = corrupt(reading, 0.5, seed=3)
    clean = reading.knowledge
    for side, before, after, mean in (
        ("users", clean.users_nD, known.users_nD, known.similar_users_nD),
        ("items", clean.items_mD, known.items_mD, known.similar_items_mD),
    ):
        assert before is not None and after is not None and mean is not None  # noqa: PT018
        changed = (before != after).any(dim=1).tolist()
        assert found[side].own.tolist() == [float(each) for each in changed]
        assert sum(changed) == len(changed) // 2
        for entity, neighbours in enumerate(reading.neighbours[side].tolist()):
            expected = sum(after[other] for other in neighbours) / len(neighbours)
            np.testing.assert_allclose(mean[entity], expected, atol=1e-6)
            share = sum(changed[other] for other in neighbours) / len(neighbours)
            assert found[side].similar[entity] == pytest.approx(share)
    weights = history_pairs(reading, reading.model(known)).weights
    assert not np.allclose(weights, history_pairs(reading, reading.model()).weights)
    told = inspect(shop, corrupt=0.5)
    assert "behind the trained model's back" in str(told["cells"][0]["noise"])
    assert told["cells"][0]["corruption"]
    assert f"Trained under noise, so not corrupted once more: {SLUG}." in told["notes"]


def test_three_users_have_fewer_neighbours_than_are_asked_for(tmp_path: Path) -> None:
    shop = open_attentive(tmp_path / "shop", "controls: []", users=3)
    reading = open_reading(shop.plan.cells[0], shop.store)
    assert (reading.neighbours["users"] >= 0).sum(axis=1).tolist() == [2, 2, 2]
    _, found = corrupt(reading, 0.3, seed=0)
    hit = found["users"].own.tolist().index(1.0)
    assert found["users"].similar.tolist() == [0.0 if user == hit else 0.5 for user in range(3)]
    json.dumps(inspect(shop, corrupt=0.3), allow_nan=False)
