"""Inspections against plain counting over the small shop's own lists."""

from __future__ import annotations

import json

import polars as pl
import pytest
from small_shop import BRANDS, ITEMS, LENGTH, NOUNS, USERS, Shop, plan_of, title

from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.studies.artifact_loading import load_neighbours, load_texts
from grasp_bench.studies.inspection.layout import lay_out_neighbours, lay_out_text
from grasp_bench.studies.inspection.neighbours import inspect_neighbours
from grasp_bench.studies.inspection.texts import inspect_text

TRAINED = LENGTH - 2


def number_of(id: str) -> int:
    return int(id[1:])


def traits(items: list[int]) -> dict[str, set[str]]:
    categories = {part for item in items for part in ("Home", f"{NOUNS[item % 4].title()}s")}
    return {"category": categories, "brand": {BRANDS[item % 3] for item in items if item}}


def test_sampled_items_show_what_is_in_the_store(shop: Shop) -> None:
    opened = load_texts(shop.plan, shop.store, "items")
    found = inspect_text(opened, count=ITEMS)
    assert [each.id for each in found.samples] == opened.ids
    for each in found.samples:
        item = number_of(each.id)
        assert each.titles == (title(item),)
        assert title(item) in (each.text or "")
        assert each.prompt is None
        similarities = [nearby.similarity for nearby in each.nearest]
        assert len(similarities) == 3
        assert similarities == sorted(similarities, reverse=True)
        for nearby in each.nearest:
            ours, theirs = traits([item]), traits([number_of(nearby.id)])
            assert {k: set(v) for k, v in nearby.shared.items()} == {
                k: ours[k] & theirs[k] for k in nearby.shared
            }
            for column, overlap in nearby.overlap.items():
                expected = len(ours[column] & theirs[column]) / len(ours[column] | theirs[column])
                assert overlap == pytest.approx(expected, abs=1e-4)


def test_sampled_users_are_told_by_their_training_history(shop: Shop) -> None:
    found = inspect_text(load_texts(shop.plan, shop.store, "users"), count=USERS)
    for each in found.samples:
        trained = shop.histories[number_of(each.id)][:TRAINED]
        assert each.history == TRAINED
        assert list(each.titles) == [title(item) for item in reversed(trained)]
        for nearby in each.nearest:
            theirs = traits(shop.histories[number_of(nearby.id)][:TRAINED])
            ours = traits(trained)
            assert {k: set(v) for k, v in nearby.shared.items()} == {k: ours[k] & theirs[k] for k in ours}


def test_samples_are_drawn_by_the_seed(shop: Shop) -> None:
    opened = load_texts(shop.plan, shop.store, "items")
    drawn = [[each.id for each in inspect_text(opened, 5, seed).samples] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5
    assert inspect_text(opened, 0).samples == ()


def test_honest_text_covers_nothing(shop: Shop) -> None:
    found = inspect_text(load_texts(shop.plan, shop.store, "users"))
    assert found.coverage is not None
    assert not found.coverage.flagged
    assert found.statistics.count == found.statistics.distinct == USERS


def test_prompts_of_a_model_are_those_that_it_was_asked(shop: Shop) -> None:
    """The answers are put into the store by hand: asking is another package's matter."""
    told = ["text.items.provider=litellm", "text.items.model=openai/gpt-4o-mini"]
    plan = plan_of(shop.spec, [*told, "text.items.template=beauty_title"])
    node = next(cell for cell in plan.cells if "item_text" in cell.nodes).nodes["item_text"]
    ids = load_texts(shop.plan, shop.store, "items").ids
    facts = {"verdicts": {"text": ITEMS - 1, "na": 1}}
    with shop.store.writing("text", node.hash, {"hash": node.hash, "facts": facts}) as out:
        pl.DataFrame({"id": ids, "text": ["Shines."] * ITEMS}).write_parquet(out / "texts.parquet")
    found = inspect_text(load_texts(plan, shop.store, "items"), 4)
    for each in found.samples:
        assert each.text == "Shines."
        assert title(number_of(each.id)) in (each.prompt or "")
    assert found.verdicts == facts["verdicts"]
    assert found.statistics.commonest == ("Shines.", ITEMS)
    assert any("answers before the fallback: 23 text, 1 na" in line for line in _lines(lay_out_text(found)))


@pytest.mark.parametrize("side", ["users", "items"])
def test_agreement_with_behaviour_by_counting(shop: Shop, side: str) -> None:
    opened = load_neighbours(shop.plan, shop.store, side)
    found = inspect_neighbours(opened, 1)
    assert opened.table is not None
    trained = [set(history[:TRAINED]) for history in shop.histories]
    buyers = {item: {user for user, items in enumerate(trained) if item in items} for item in range(ITEMS)}
    having = {"users": dict(enumerate(trained)), "items": buyers}[side]
    of = [having[number_of(id)] for id in opened.ids]
    rates = [
        sum(bool(mine & of[other]) for other in row) / len(row)
        for mine, row in zip(of, opened.table.indices.tolist(), strict=True)
        if mine
    ]
    everyone = found.behaviour["all"]
    assert everyone.entities == len(rates)
    assert everyone.neighbours == pytest.approx(sum(rates) / len(rates))
    groups = [found.behaviour["head"], found.behaviour["tail"]]
    assert sum(group.entities for group in groups) == len(rates)


def test_traits_of_neighbours_by_counting(shop: Shop) -> None:
    opened = load_neighbours(shop.plan, shop.store, "items")
    assert opened.table is not None
    rates = []
    for id, row in zip(opened.ids, opened.table.indices.tolist(), strict=True):
        mine = traits([number_of(id)])["brand"]
        theirs = [traits([number_of(opened.ids[other])])["brand"] for other in row]
        if mine:
            rates.append(sum(bool(mine & each) for each in theirs) / len(row))
    found = inspect_neighbours(opened, 1).traits
    assert found["brand"].neighbours == pytest.approx(sum(rates) / len(rates))
    assert found["category"].neighbours == 1.0  # all are at home


@pytest.mark.parametrize("side", ["users", "items"])
def test_documents_and_json_hold_the_figures(shop: Shop, side: str) -> None:
    texts = inspect_text(load_texts(shop.plan, shop.store, side), 2)
    near = inspect_neighbours(load_neighbours(shop.plan, shop.store, side), 2)
    for found, document in ((texts, lay_out_text(texts)), (near, lay_out_neighbours(near))):
        plain = json.loads(json.dumps(as_json(found), allow_nan=False))
        assert plain["cell"] == "sasrec-grasp-s1"
        assert any(found.samples[0].titles[0] in line for line in _lines(document))
        assert all(len(row) == len(t.columns) for s in document.sections for t in s.tables for row in t.rows)


def _lines(document: object) -> list[str]:
    return [line for section in document.sections for line in section.lines]  # type: ignore[attr-defined]
