"""Which cell is opened, and what is said when something is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_shop import ITEMS, USERS, Shop, make, plan_of

from grasp_bench.core.errors import DataError, StoreError, UnknownNameError
from grasp_bench.studies.artifact_loading import load_neighbours, load_texts
from grasp_bench.studies.inspection.neighbours import inspect_neighbours
from grasp_bench.studies.inspection.texts import inspect_text


def test_the_first_cell_that_has_text(shop: Shop) -> None:
    opened = load_texts(shop.plan, shop.store, "items")
    assert opened.cell == "sasrec-grasp-s1"
    assert opened.texts is not None
    assert len(opened.texts) == len(opened.ids) == ITEMS
    assert opened.table is not None
    assert opened.table.indices.shape == (ITEMS, 4)


def test_a_cell_by_its_slug(shop: Shop) -> None:
    opened = load_texts(shop.plan, shop.store, "items", "sasrec-grasp-titles-s2")
    assert opened.texts != load_texts(shop.plan, shop.store, "items").texts
    assert len(load_neighbours(shop.plan, shop.store, "users", "sasrec-grasp-titles-s2").ids) == USERS


@pytest.mark.parametrize(
    ("slug", "message"),
    [
        ("sasrec-gasp-s1", "no cell 'sasrec-gasp-s1'; did you mean 'sasrec-grasp-s1'"),
        ("sasrec-none-s1", "cell 'sasrec-none-s1' has no text of items"),
    ],
)
def test_other_slugs_are_refused(shop: Shop, slug: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        load_texts(shop.plan, shop.store, "items", slug)


def test_a_spec_without_text(shop: Shop) -> None:
    plan = shop.plan.only("*-none-*")
    with pytest.raises(UnknownNameError, match="shop: no cell has neighbours of users"):
        load_neighbours(plan, shop.store, "users")


def test_what_is_not_made_yet(bare: Shop) -> None:
    with pytest.raises(StoreError, match="the texts of items of sasrec-grasp-s1 are not there") as caught:
        load_texts(bare.plan, bare.store, "items")
    assert "grasp-bench run" in str(caught.value.hint)
    make(bare, bare.plan, "split", "text")
    assert load_texts(bare.plan, bare.store, "items").table is None
    with pytest.raises(StoreError, match="the neighbours of items"):
        load_neighbours(bare.plan, bare.store, "items")


def test_precomputed_vectors_have_neighbours_and_no_text(shop: Shop, tmp_path: Path) -> None:
    for side, count in (("user", USERS), ("item", ITEMS)):
        np.save(tmp_path / f"{side}s.npy", np.random.default_rng(0).normal(size=(count, 4)))
        (tmp_path / f"{side}s.ids.txt").write_text("\n".join(f"{side[0]}{k}" for k in range(count)))
    spec = tmp_path / "vectors.yaml"
    old = "encoder: {kind: sentence_transformers, model: all-MiniLM-L6-v2}"
    new = f"encoder: {{kind: precomputed, users: {tmp_path}/users.npy, items: {tmp_path}/items.npy}}"
    spec.write_text(shop.spec.read_text().replace(old, new))
    plan = plan_of(spec)
    with pytest.raises(UnknownNameError, match="no cell has text of items"):
        load_texts(plan, shop.store, "items")
    make(shop, plan, "embeddings", "neighbours")
    opened = load_neighbours(plan, shop.store, "items")
    assert opened.texts is None
    assert inspect_neighbours(opened, 2).samples[0].text is None
    with pytest.raises(DataError, match="have vectors and no text"):
        inspect_text(opened)
