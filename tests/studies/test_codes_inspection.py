"""Inspected semantic IDs against plain loops over pairs of the small shop's items."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_shop import ITEMS, LENGTH, NOUNS, Shop, make, open_shop, plan_of, title

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.data.artefacts import read_split
from grasp_bench.plan.compile import Plan
from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.studies.artifact_loading import load_codes
from grasp_bench.studies.inspection import codes as module
from grasp_bench.studies.inspection.codes import (
    CodesInspection,
    Common,
    category_numbers,
    compare_prefixes,
    inspect_codes,
)
from grasp_bench.studies.inspection.codes_layout import lay_out_codes

CHANGES = [
    "compare={}", "model.enhancer=rpg", "seeds=[1, 2]",
    "semantic_ids={method: rq_kmeans, levels: 3, codebook_size: 3, collisions: keep, seed: 0}",
    "ablations={warm: {model.code_temperature: 0.3}, random: {semantic_ids.method: random}}",
]  # fmt: skip


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Plan]:
    shop = open_shop(tmp_path_factory.mktemp("coded") / "shop")
    plan = plan_of(shop.spec, CHANGES)
    make(shop, plan, "split", "text", "embeddings", "semantic_ids")
    return shop, plan


@pytest.fixture(scope="module")
def found(coded: tuple[Shop, Plan]) -> CodesInspection:
    shop, plan = coded
    return inspect_codes(plan.name, *load_codes(plan, shop.store))


def test_each_making_is_there_once_with_the_cells_that_read_it(found: CodesInspection) -> None:
    first, second = found.made
    assert first.cells == (
        "sasrec-rpg-s1", "sasrec-rpg-s2", "sasrec-rpg-warm-s1", "sasrec-rpg-warm-s2",
    )  # fmt: skip
    assert second.cells == ("sasrec-rpg-random-s1", "sasrec-rpg-random-s2")
    assert (first.settings["method"], first.vectors) == ("rq_kmeans", "text")
    assert (second.settings["method"], second.vectors) == ("random", None)
    assert found.missing == ()


def test_the_card_is_the_stored_one(coded: tuple[Shop, Plan], found: CodesInspection) -> None:
    shop, plan = coded
    node = next(cell for cell in plan.cells if cell.slug == found.made[0].cells[0]).nodes["item_codes"]
    assert found.made[0].card == shop.store.get("semantic_ids", node.hash).sidecar["facts"]
    assert {"used", "perplexity", "sharing_three", "neighbours_kept"} <= set(found.made[0].card)


def shared(alike: list[bool], pairs: list[tuple[int, int]], everyone: float) -> Common:
    rate = sum(alike) / len(pairs) if pairs else None
    return Common(len(pairs), rate, None if rate is None or not everyone else rate / everyone)


def assert_close(found: Common, expected: Common) -> None:
    assert found.pairs == expected.pairs
    assert found.share == (None if expected.share is None else pytest.approx(expected.share))
    assert found.lift == (None if expected.lift is None else pytest.approx(expected.lift))


def test_what_equal_prefixes_share_by_counting_pairs(
    coded: tuple[Shop, Plan], found: CodesInspection
) -> None:
    shop, plan = coded
    buyers = [{u for u, items in enumerate(shop.histories) if k in items[: LENGTH - 2]} for k in range(ITEMS)]
    for opened, made in zip(load_codes(plan, shop.store)[0], found.made, strict=True):
        numbers = [int(item[1:]) for item in opened.items["item_id"]]
        codes = [tuple(row) for row in opened.codes.tolist()]
        rates = {}
        for length, row in enumerate((made.everyone, *made.prefixes)):
            assert row.length == length
            pairs = [
                (a, b) for a, b in combinations(range(ITEMS), 2) if codes[a][:length] == codes[b][:length]
            ]
            groups = [each[:length] for each in codes]
            assert (row.pairs, row.distinct) == (len(pairs), len(set(groups)))
            assert row.largest == max(map(groups.count, groups))
            same = [NOUNS[numbers[a] % 4] == NOUNS[numbers[b] % 4] for a, b in pairs]
            met = [(a, b) for a, b in pairs if buyers[numbers[a]] and buyers[numbers[b]]]
            both = [bool(buyers[numbers[a]] & buyers[numbers[b]]) for a, b in met]
            if not length:
                rates = {"category": sum(same) / len(pairs), "buyer": sum(both) / len(met)}
            assert_close(row.category, shared(same, pairs, rates["category"]))
            assert_close(row.buyer, shared(both, met, rates["buyer"]))
        agreeing = {length for length in range(1, 4) if len({each[:length] for each in codes}) < ITEMS}
        assert {each.length for each in made.prefixes} == agreeing


@pytest.mark.parametrize("at_once", [1, 50, 1 << 22])
def test_blocks_of_pairs_count_the_same(
    coded: tuple[Shop, Plan], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Random codes and categories, some unknown; histories repeat items, and some items have no buyer."""
    shop, plan = coded
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(8)
    split = read_split(shop.store.get("split", plan.cells[0].nodes["split"].hash).path)
    few = np.where(split.train_items > 17, 3, split.train_items).astype(np.int32)
    split = replace(split, train_items=few)
    codes, category = rng.integers(0, 2, (ITEMS, 4)), rng.integers(-1, 3, ITEMS)
    buyers: dict[int, set[int]] = {}
    for user, item in zip(split.train_users.tolist(), split.train_items.tolist(), strict=True):
        buyers.setdefault(item, set()).add(user)
    for row in compare_prefixes(codes, category, split):
        agree = [
            (a, b)
            for a, b in combinations(range(ITEMS), 2)
            if codes[a, : row.length].tolist() == codes[b, : row.length].tolist()
        ]
        known = [(a, b) for a, b in agree if min(category[a], category[b]) >= 0]
        met = [(a, b) for a, b in agree if a in buyers and b in buyers]
        assert (row.pairs, row.category.pairs, row.buyer.pairs) == (len(agree), len(known), len(met))
        assert row.category.share == pytest.approx(np.mean([category[a] == category[b] for a, b in known]))
        assert row.buyer.share == pytest.approx(np.mean([bool(buyers[a] & buyers[b]) for a, b in met]))


def test_categories_are_whole_paths_and_may_be_unknown() -> None:
    table = pl.DataFrame({"item_id": list("abcde"), "category": ["x > y", "x", None, "", "x > y"]})
    first, second, *unknown, last = category_numbers(table).tolist()
    assert first == last != second
    assert min(first, second) >= 0
    assert unknown == [-1, -1]
    assert category_numbers(table.drop("category")).tolist() == [-1] * 5


def test_without_categories_there_is_nothing_to_share(coded: tuple[Shop, Plan]) -> None:
    shop, plan = coded
    (opened, *_), _ = load_codes(plan, shop.store)
    rows = compare_prefixes(opened.codes, np.full(ITEMS, -1), opened.split)
    assert all(row.category == Common(0, None, None) for row in rows)


def test_examples_are_items_of_the_prefix(coded: tuple[Shop, Plan], found: CodesInspection) -> None:
    shop, plan = coded
    opened = load_codes(plan, shop.store)[0][0]
    titles = [title(int(item[1:])) for item in opened.items["item_id"]]
    examples = found.made[0].examples
    assert {len(each.prefix) for each in examples} == {1, 2}
    for each in examples:
        having = [
            titles[k]
            for k, row in enumerate(opened.codes.tolist())
            if tuple(row[: len(each.prefix)]) == each.prefix
        ]
        assert each.items == len(having) > 1
        assert each.titles == tuple(having[:5])
    again, other = (inspect_codes("x", [opened], [], 1, seed).made[0].examples for seed in (0, 5))
    assert len(again) == len(other) == 2
    assert inspect_codes("x", [opened], [], 0).made[0].examples == ()


def test_the_layout_says_what_was_found(found: CodesInspection) -> None:
    text = document_text(lay_out_codes(found))
    assert "## rq\\_kmeans of text" in text
    assert "sasrec-rpg-s1, sasrec-rpg-s2, sasrec-rpg-warm-s1 and 1 more" in text
    assert "Codes of random have no order" in text
    assert text.count("have no order") == 1
    assert "the codes stand for no vectors" in text
    first = lay_out_codes(found).sections[0].plain_tables[0]
    assert [row[0].text for row in first.rows] == ["all pairs", "1", "2", "3"]
    assert first.rows[0][8].text == first.rows[0][10].text == "1.00"
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert plain["made"][0]["everyone"]["pairs"] == ITEMS * (ITEMS - 1) // 2


def test_one_cell_alone(coded: tuple[Shop, Plan]) -> None:
    shop, plan = coded
    opened, missing = load_codes(plan, shop.store, "sasrec-rpg-random-s2")
    assert [each.cells for each in opened] == [("sasrec-rpg-random-s2",)]
    assert missing == []


def test_codes_that_are_not_there_yet(coded: tuple[Shop, Plan], tmp_path: Path) -> None:
    shop, _ = coded
    more = "ablations={random: {semantic_ids.method: random}, more: {semantic_ids.levels: 9}}"
    plan = plan_of(shop.spec, [*CHANGES[:-1], more])
    opened, missing = load_codes(plan, shop.store)
    assert missing == ["sasrec-rpg-more-s1", "sasrec-rpg-more-s2"]
    assert len(opened) == 2
    shown = lay_out_codes(inspect_codes(plan.name, opened, missing))
    assert shown.lines == ["not there yet: those of sasrec-rpg-more-s1, sasrec-rpg-more-s2"]
    with pytest.raises(StoreError, match="the semantic IDs of sasrec-rpg-more-s1 are not there yet"):
        load_codes(plan, shop.store, "sasrec-rpg-more-s1")
    bare = open_shop(tmp_path / "bare")
    with pytest.raises(StoreError, match="the semantic IDs of sasrec-rpg-s1 are not there yet"):
        load_codes(plan_of(bare.spec, CHANGES), bare.store)


def test_specs_and_cells_that_read_no_codes(coded: tuple[Shop, Plan]) -> None:
    shop, _ = coded
    with pytest.raises(UnknownNameError, match="shop: no cell has semantic IDs"):
        load_codes(shop.plan, shop.store)
    both = plan_of(shop.spec, ["compare={model.enhancer: [none, rpg]}", *CHANGES[1:]])
    with pytest.raises(UnknownNameError, match="cell 'sasrec-none-s1' has no semantic IDs"):
        load_codes(both, shop.store, "sasrec-none-s1")
    with pytest.raises(UnknownNameError, match="no cell 'sasrec-rgp-s1'; did you mean"):
        load_codes(both, shop.store, "sasrec-rgp-s1")
