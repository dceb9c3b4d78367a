"""Prompts compared: overlaps by the definition, metrics from results that fit the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from results_builder import Results
from small_shop import ITEMS, Shop, make, plan_of

from grasp_bench.core.errors import DataError, StoreError, UnknownNameError
from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.studies.artifact_loading import load_neighbours
from grasp_bench.studies.prompts.compare import compare_prompts, lay_out_prompts


def extrapolated(first: list[int], second: list[int], p: float) -> float:
    """Webber et al. (2010), eq. 32, term by term."""
    k = len(first)
    agreed = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, k + 1)]
    return agreed[-1] * p**k + (1 - p) / p * sum(a * p**d for d, a in enumerate(agreed, start=1))


def test_overlap_of_two_templates(shop: Shop, tmp_path: Path) -> None:
    found = compare_prompts(shop.plan, shop.store, tmp_path, persistence=0.8)
    (items,) = found.sides  # users have one text
    assert items.side == "items"
    assert list(items.texts) == ["base", "titles"]
    assert "beauty_title" in items.texts["titles"]
    assert (items.depth, items.entities, items.missing) == (4, ITEMS, ())
    (pair,) = items.pairs
    opened = [
        load_neighbours(shop.plan, shop.store, "items", slug).table
        for slug in ("sasrec-grasp-s1", "sasrec-grasp-titles-s1")
    ]
    rows = [(a, b) for a, b in zip(*(t.indices.tolist() for t in opened if t is not None), strict=True)]
    assert pair.rank_biased.mean == pytest.approx(sum(extrapolated(a, b, 0.8) for a, b in rows) / ITEMS)
    jaccards = [len({*a} & {*b}) / len({*a} | {*b}) for a, b in rows]
    assert pair.jaccard.mean == pytest.approx(sum(jaccards) / ITEMS)
    assert pair.jaccard.low <= pair.jaccard.mean <= pair.jaccard.high


def test_controls_are_no_prompts(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(shop.spec, ["controls=[shuffled, item_knn, random]"])
    assert any(cell.kind == "control" for cell in plan.cells)
    found, without = (compare_prompts(each, shop.store, tmp_path) for each in (plan, shop.plan))
    assert found == without


def test_metrics_stand_beside_and_stale_ones_do_not(shop: Shop, tmp_path: Path) -> None:
    results = Results(tmp_path / "shop")
    hashes = {cell.slug: cell.hash for cell in shop.plan.cells}
    results.cell("sasrec-grasp-s1", np.array([1, 1]), enhancer="grasp", hash=hashes["sasrec-grasp-s1"])
    results.cell("sasrec-grasp-s2", np.array([1, 50]), enhancer="grasp", hash=hashes["sasrec-grasp-s2"])
    results.cell("sasrec-grasp-titles-s1", np.array([1, 1]), enhancer="grasp", hash="of other settings")
    methods = {each.method: each for each in compare_prompts(shop.plan, shop.store, tmp_path).methods}
    base = methods["sasrec-grasp"]
    assert (base.done, base.seeds, base.texts) == (2, 2, {"users": "base", "items": "base"})
    assert base.metric["full"] == pytest.approx((1.0 + 0.5) / 2)  # NDCG@10 of ranks 1, 1 and 1, 50
    assert methods["sasrec-grasp-titles"].metric == {"full": None, "sampled": None}
    assert methods["sasrec-none"].texts == {}


def test_text_made_from_held_out_items_is_marked(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(shop.spec, ["text.users.scope=all", "text.users.leaks=mark"])
    make(shop, plan, "text", "embeddings", "neighbours")
    found = compare_prompts(plan, shop.store, tmp_path)
    assert {each.method: each.leaks for each in found.methods} == {
        "sasrec-none": False, "sasrec-grasp": True, "sasrec-grasp-titles": True,
    }  # fmt: skip
    document = lay_out_prompts(found)
    assert any("†" in row[0].text for row in document.sections[-1].tables[0].rows)
    assert json.loads(json.dumps(as_json(found)))["sides"][0]["pairs"][0]["first"] == "base"


def test_nothing_to_compare(shop: Shop, bare: Shop, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="all cells have the same text"):
        compare_prompts(shop.plan.only("sasrec-grasp-s1"), shop.store, tmp_path)
    with pytest.raises(StoreError, match="fewer than two neighbour tables"):
        compare_prompts(bare.plan, bare.store, tmp_path)
    with pytest.raises(DataError, match="p is 2"):
        compare_prompts(shop.plan, shop.store, tmp_path, persistence=2)


def test_a_text_whose_neighbours_are_not_there_is_named(bare: Shop, tmp_path: Path) -> None:
    both = "ablations.titles={text.items.template: beauty_title, text.users.order: oldest_first}"
    plan = plan_of(bare.spec, [both])
    make(bare, plan.only("sasrec-grasp-s1"), "split", "text", "embeddings", "neighbours")
    with pytest.raises(StoreError):
        compare_prompts(plan, bare.store, tmp_path)
    items_alone = plan_of(bare.spec)  # the same templates of items; users are told in one way
    make(bare, items_alone, "split", "text", "embeddings", "neighbours")
    sides = {side.side: side for side in compare_prompts(plan, bare.store, tmp_path).sides}
    assert sides["users"].missing == ("titles",)
    assert sides["users"].pairs == ()
    assert len(sides["items"].pairs) == 1


def test_lists_are_compared_to_one_length(shop: Shop, tmp_path: Path) -> None:
    """The item without a brand has no neighbours, in any text: that is neither likeness nor unlikeness."""
    wide = "ablations.wide={index.num_neighbours: 5, text.items.template: beauty_title}"
    plan = plan_of(shop.spec, ["index.restrict_items_to=brand", "index.num_neighbours=4", wide])
    make(shop, plan, "text", "embeddings", "neighbours")
    slugs = [f"sasrec-grasp{name}-s1" for name in ("", "-wide")]
    tables = [load_neighbours(plan, shop.store, "items", slug).table for slug in slugs]
    narrow, wider = (t.indices for t in tables if t is not None)
    assert (narrow.shape[1], wider.shape[1]) == (4, 5)
    whole = [k for k in range(ITEMS) if min(narrow[k]) >= 0 and min(wider[k][:4]) >= 0]
    assert 0 < len(whole) < ITEMS
    (items,) = (s for s in compare_prompts(plan, shop.store, tmp_path).sides if s.side == "items")
    assert (items.depth, items.entities) == (4, len(whole))
    pair = next(p for p in items.pairs if (p.first, p.second) == ("base", "wide"))
    rows = [({*narrow[k].tolist()}, {*wider[k][:4].tolist()}) for k in whole]
    assert pair.jaccard.mean == pytest.approx(sum(len(a & b) / len(a | b) for a, b in rows) / len(rows))


def test_several_datasets_are_not_compared(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(shop.spec, ["ablations.short={dataset.min_user: 4}"])
    with pytest.raises(DataError, match="several datasets"):
        compare_prompts(plan, shop.store, tmp_path)
