"""Stage `control`: the files of the rank stage, of real small data, against a recount in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file
from small_shop import ITEMS, Shop, make, open_shop, plan_of

from grasp_bench.components import CONTROLS
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_split

UNTRAINED = set(CONTROLS)
SEEN = ("split", "candidates", "text", "embeddings", "control")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("controls"))
    plan = plan_of(made.spec, [f"controls=[{', '.join(UNTRAINED)}]"])
    make(made, plan, *SEEN)
    return replace(made, plan=plan)


def ranked(shop: Shop, slug: str) -> Artefact:
    node = next(cell for cell in shop.plan.cells if cell.slug == slug).nodes["rank"]
    return shop.store.get(node.stage, node.hash)


def ranks_of(artefact: Artefact) -> pl.DataFrame:
    return pl.read_parquet(artefact.file("ranks.parquet"))


def test_popularity_is_ranked_among_the_stored_candidates_and_the_catalogue(shop: Shop) -> None:
    cell = next(cell for cell in shop.plan.cells if cell.slug == "popularity")
    split = read_split(shop.store.get("split", cell.nodes["split"].hash).path)
    stored = shop.store.get("candidates", cell.nodes["candidates"].hash).file("test.safetensors")
    negatives = load_file(stored)["negatives"]
    counts = [int((split.train_items == item).sum()) for item in range(ITEMS)]
    frame = ranks_of(ranked(shop, "popularity"))
    assert frame.schema == {
        "user": pl.Int32, "item": pl.Int32, "sampled_better": pl.UInt16, "sampled_tied": pl.UInt16,
        "full_better": pl.UInt32, "full_tied": pl.UInt32,
    }  # fmt: skip
    for row, user, target in zip(range(len(frame)), split.test_users, split.test_items, strict=True):
        known = {*split.train_sequence(user), split.valid_items[row]} - {target}
        pools = {"sampled": negatives[row], "full": [i for i in range(ITEMS) if i not in known | {target}]}
        for name, pool in pools.items():
            found = frame.row(row, named=True)
            assert found[f"{name}_better"] == sum(counts[i] > counts[target] for i in pool)
            assert found[f"{name}_tied"] == sum(counts[i] == counts[target] for i in pool)


def test_all_controls_leave_the_same_files_about_the_same_users(shop: Shop) -> None:
    found = {cell.slug: ranked(shop, cell.slug) for cell in shop.plan.cells if cell.name}
    assert set(found) == UNTRAINED
    first = ranks_of(found["popularity"])
    for artefact in found.values():
        frame = ranks_of(artefact)
        assert frame.select("user", "item").equals(first.select("user", "item"))
        top = load_file(artefact.file("recommendations.safetensors"))["items"]
        assert top.shape == (len(frame), 20)
        assert top.dtype == np.int32


def test_constant_ties_with_everything(shop: Shop) -> None:
    frame = ranks_of(ranked(shop, "constant"))
    assert frame["sampled_better"].sum() == frame["full_better"].sum() == 0
    assert frame["sampled_tied"].unique().to_list() == [5]


def test_without_full_ranking_nothing_of_it_is_written(shop: Shop) -> None:
    plan = plan_of(shop.spec, ["dataset.protocol.also_full_ranking=false", "controls=[markov, constant]"])
    make(shop, plan, *SEEN)
    for cell in (cell for cell in plan.cells if cell.name):
        artefact = shop.store.get("control", cell.nodes["rank"].hash)
        sampled = ["user", "item", "sampled_better", "sampled_tied"]
        assert ranks_of(artefact).equals(ranks_of(ranked(shop, cell.slug)).select(sampled))
        assert not (artefact.path / "recommendations.safetensors").exists()
