"""Attention weights of trained cells against the equations, pair by pair."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from attentive_shop import MAX_LEN, inspect, open_attentive
from safetensors.numpy import load_file
from small_shop import Shop, plan_of

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.attention.inspection import weights_of
from grasp_bench.studies.attention.reading import (
    cells_with_attention,
    history_pairs,
    open_reading,
    unchosen_pairs,
)
from grasp_bench.studies.attention.schema import AttentionCell, Weights

PARTS = ["self", "similar", "global"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_attentive(tmp_path_factory.mktemp("attentive") / "shop")


def cell_of(shop: Shop, slug: str) -> Cell:
    return next(cell for cell in shop.plan.cells if cell.slug == slug)


def tables(shop: Shop, cell: Cell) -> dict[str, np.ndarray]:
    """u, ū, i, ī as they lie in the store."""
    found = {}
    for role in ("user", "item"):
        node = cell.nodes[f"{role}_embeddings"]
        path = shop.store.folder(node.stage, node.hash) / "embeddings.safetensors"
        found[role] = load_file(path)["vectors"].astype(float)
        node = cell.nodes[f"{role}_neighbours"]
        path = shop.store.folder(node.stage, node.hash) / "neighbours.safetensors"
        found[f"{role}_mean"] = load_file(path)["pooled"].astype(float)
    return found


def known_histories(shop: Shop, cell: Cell) -> dict[int, list[int]]:
    folder = shop.store.folder("split", cell.nodes["split"].hash)
    histories: dict[int, list[int]] = {}
    for part in ("train", "valid"):
        for user, item in pl.read_parquet(folder / f"{part}.parquet").iter_rows():
            histories.setdefault(user, []).append(item)
    return histories


def logits(known: dict[str, np.ndarray], user: int, item: int, scale: list[float]) -> list[float]:
    """Equation 3 with its dot products written out."""
    u, um, i, im = (
        known["user"][user],
        known["user_mean"][user],
        known["item"][item],
        known["item_mean"][item],
    )
    width = len(u)
    own, similar = sum(a * b for a, b in zip(u, i)), sum(a * b for a, b in zip(um, im))  # noqa: B905
    plain = [own / math.sqrt(width), similar / math.sqrt(width), (own + similar) / math.sqrt(2 * width)]
    return [factor * logit for factor, logit in zip(scale, plain, strict=True)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("slug", "factor"),
    [("sasrec-grasp-s1", 1.0), ("sasrec-grasp-wide-s1", 30.0), ("gru4rec-grasp-gru-s1", 1.0),
     ("bert4rec-grasp-bert-s1", 1.0)],
)  # fmt: skip
def test_history_weights_are_those_of_the_equations(shop: Shop, slug: str, factor: float) -> None:
    cell = cell_of(shop, slug)
    known = tables(shop, cell)
    reading = open_reading(cell, shop.store)
    pairs = history_pairs(reading, reading.model())
    expected = [
        (user, item, [sigmoid(x) for x in logits(known, user, item, [factor] * 3)], place)
        for user, items in sorted(known_histories(shop, cell).items())
        for place, item in list(enumerate(items))[-MAX_LEN:]
    ]
    assert list(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)) == [
        (user, item) for user, item, _, _ in expected
    ]
    np.testing.assert_allclose(pairs.weights, [weights for _, _, weights, _ in expected], atol=1e-6)
    lengths = {user: len(items) for user, items in known_histories(shop, cell).items()}
    assert pairs.held_out.tolist() == [place == lengths[user] - 1 for user, _, _, place in expected]


def test_softmax_weights_are_shares_of_what_came_before(shop: Shop) -> None:
    cell = cell_of(shop, "sasrec-grasp-soft-s1")
    known = tables(shop, cell)
    reading = open_reading(cell, shop.store)
    pairs = history_pairs(reading, reading.model())
    expected = []
    for user, items in sorted(known_histories(shop, cell).items()):
        exponentials = [[math.exp(x) for x in logits(known, user, i, [1.0] * 3)] for i in items[-MAX_LEN:]]
        for place, row in enumerate(exponentials):
            totals = [sum(each[part] for each in exponentials[: place + 1]) for part in range(3)]
            expected.append([value / total for value, total in zip(row, totals, strict=True)])
    np.testing.assert_allclose(pairs.weights, expected, atol=1e-6)


def test_unchosen_items_are_validations_negatives(shop: Shop) -> None:
    cell = cell_of(shop, "sasrec-grasp-s1")
    known = tables(shop, cell)
    folder = shop.store.folder("candidates", cell.nodes["candidates"].hash)
    negatives = load_file(folder / "valid.safetensors")["negatives"]
    reading = open_reading(cell, shop.store)
    pairs = unchosen_pairs(reading, reading.model(), per_user=2)
    assert pairs.items.tolist() == negatives[:, :2].flatten().tolist()
    expected = [
        [sigmoid(x) for x in logits(known, user, item, [1.0] * 3)]
        for user, item in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)
    ]
    np.testing.assert_allclose(pairs.weights, expected, atol=1e-6)
    assert not pairs.held_out.any()


def test_a_learned_factor_is_shown_a_part_and_makes_the_weights(shop: Shop) -> None:
    slug = "sasrec-grasp-learned-s1"
    cell = cell_of(shop, slug)
    saved = load_file(shop.store.folder("train", cell.nodes["train"].hash) / "model.safetensors")
    factors = [math.exp(x) for x in saved["enhancer.holistic.log_scale"].tolist()]
    assert len(set(factors)) == 3, "each part has its own, and it has learned"
    found = inspect(shop, slug)["cells"][0]
    assert list(found["scale"]) == PARTS
    assert list(found["scale"].values()) == pytest.approx(factors)
    known, reading = tables(shop, cell), open_reading(cell, shop.store)
    pairs = history_pairs(reading, reading.model())
    user, item = int(pairs.users[0]), int(pairs.items[0])
    expected = [sigmoid(x) for x in logits(known, user, item, factors)]
    np.testing.assert_allclose(pairs.weights[0], expected, atol=1e-6)


def test_statistics_are_counted_weight_by_weight() -> None:
    values = [0.1, 0.489, 0.491, 0.5, 0.509, 0.511, 0.999, 1.0]
    found = weights_of("self", "all", np.array(values))
    mean = sum(values) / 8
    assert found["mean"] == pytest.approx(mean)
    assert found["std"] == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in values) / 8))
    assert found["saturated"] == 3 / 8  # 0.491, 0.5, 0.509
    assert found["quantiles"]["0.5"] == pytest.approx((0.5 + 0.509) / 2)
    bins = [0] * 50
    for value in values:
        bins[min(49, int(value * 50))] += 1
    assert found["counts"] == bins
    assert (found["edges"][0], found["edges"][-1], len(found["edges"])) == (0.0, 1.0, 51)


def group(cell: AttentionCell, part: str, name: str) -> Weights:
    return next(each for each in cell["weights"] if (each["part"], each["group"]) == (part, name))


def test_groups_part_the_pairs(shop: Shop) -> None:
    found = inspect(shop, "sasrec-grasp-s1")["cells"][0]
    assert found["pairs"] == group(found, "self", "all")["count"] == 30 * MAX_LEN
    histories = known_histories(shop, cell_of(shop, "sasrec-grasp-s1"))
    for one, two in (("training", "validation"), ("head_items", "tail_items")):
        there = [each["count"] for each in found["weights"] if each["group"] in (one, two)]
        assert sum(there) == 3 * found["pairs"]
    assert group(found, "self", "validation")["count"] == len(histories)
    # All users have as many items: nobody is head, and an empty group is not there.
    assert {each["group"] for each in found["weights"]} == {
        "all", "tail_users", "head_items", "tail_items", "training", "validation", "unchosen",
    }  # fmt: skip


def test_every_kind_of_cell_is_looked_at_and_the_rest_is_said(shop: Shop) -> None:
    found = inspect(shop)
    json.dumps(found, allow_nan=False)
    slugs = [cell["slug"] for cell in found["cells"]]
    assert "shuffled" in "".join(slugs)
    assert not any("blind" in slug or "none" in slug for slug in slugs)
    assert "sasrec-grasp-blind-s1: attention is none, all weights are 1" in found["notes"]
    only = next(cell for cell in found["cells"] if cell["slug"] == "sasrec-grasp-only_self-s1")
    assert {each["part"] for each in only["weights"]} == {"self"} == set(only["scale"])
    assert [len(cell["heat_maps"]) for cell in found["cells"]] == [2] * len(slugs)


def test_heat_maps_hold_a_users_history(shop: Shop) -> None:
    cell = cell_of(shop, "sasrec-grasp-s1")
    ids = pl.read_parquet(shop.store.folder("split", cell.nodes["split"].hash) / "users.parquet")["user_id"]
    user = ids.to_list().index("u7")
    found = inspect(shop, cell.slug, users=["u7"])["cells"][0]["heat_maps"][0]
    items = known_histories(shop, cell)[user][-MAX_LEN:]
    known = tables(shop, cell)
    assert found["user"] == "u7"
    assert len(found["items"]) == MAX_LEN
    for part, weights in enumerate(found["weights"]):
        expected = [sigmoid(logits(known, user, item, [1.0] * 3)[part]) for item in items]
        assert weights == pytest.approx(expected, abs=2e-6)


def test_test_targets_are_never_read(shop: Shop, tmp_path: Path) -> None:
    store = Store(shutil.copytree(shop.store.root, tmp_path / "store"))
    for name in ("test.parquet", "test.safetensors"):
        for path in store.root.rglob(name):
            path.write_bytes(b"poison")
    assert inspect(shop, store=store)["cells"] == inspect(shop)["cells"]


def test_what_cannot_be_looked_at_is_said_in_one_line(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sasrec-grasp-wide-s1'"):
        cells_with_attention(shop.plan, shop.store, "sasrec-grasp-wid-s1")
    with pytest.raises(UnknownNameError, match="all weights are 1"):
        cells_with_attention(shop.plan, shop.store, "*blind*")
    with pytest.raises(UnknownNameError, match="'popularity' has no holistic attention"):
        cells_with_attention(shop.plan, shop.store, "popularity")
    none = plan_of(shop.spec, ["model.enhancer=none", "ablations={}", "controls=[]"])
    with pytest.raises(UnknownNameError, match="no cell has holistic attention"):
        cells_with_attention(none, shop.store)
    with pytest.raises(StoreError, match="is there yet") as error:
        cells_with_attention(shop.plan, Store(tmp_path), "*")
    assert "grasp-bench run" in str(error.value.hint)
    with pytest.raises(UnknownNameError, match="no user 'u77'; did you mean 'u7'"):
        inspect(shop, "sasrec-grasp-s1", users=["u77"])
