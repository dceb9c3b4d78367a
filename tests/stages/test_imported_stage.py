"""Stage `imported`: a run of our own scores gives our own ranks, in either format; gaps are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from safetensors.numpy import load_file
from small_shop import ITEMS, Shop, make, open_shop, plan_of

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_split, read_user_ids
from grasp_bench.plan.cells import Cell
from grasp_bench.stages.context import STAGES, RunContext

Pairs = list[tuple[str, str, float]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("imported"))
    make(made, plan_of(made.spec, ["controls=[popularity]"]), "split", "candidates", "control")
    return made


@pytest.fixture(scope="module")
def popularity(shop: Shop) -> Cell:
    return next(cell for cell in plan_of(shop.spec, ["controls=[popularity]"]).cells if cell.name)


@pytest.fixture(scope="module")
def everything(shop: Shop, popularity: Cell) -> Pairs:
    """Popularity, counted here, of every pair of the shop."""
    path = shop.store.get("split", popularity.nodes["split"].hash).path
    counts = [int((read_split(path).train_items == item).sum()) for item in range(ITEMS)]
    return [(u, i, n) for u in read_user_ids(path) for i, n in zip(read_item_ids(path), counts, strict=True)]


@pytest.fixture
def imported(shop: Shop, tmp_path: Path) -> Callable[..., tuple[Artefact, dict[str, Any]]]:
    """Write pairs as a run, import it under the shop's protocol."""

    def run(pairs: Pairs, suffix: str = "csv", **keys: Any) -> tuple[Artefact, dict[str, Any]]:
        path = tmp_path / f"peer.{suffix}"
        if suffix == "csv":
            pl.DataFrame(pairs, schema=["user_id", "item_id", "score"], orient="row").write_csv(path)
        else:
            path.write_text("".join(f"{u} Q0 {i} 0 {s} peer\n" for u, i, s in pairs))
        section = ", ".join(f"{key}: {value}" for key, value in {"name": "peer", "run": path, **keys}.items())
        plan = plan_of(shop.spec, ["controls=[]", f"imported=[{{{section}}}]"])
        node = next(cell for cell in plan.cells if cell.name == "peer").nodes["rank"]
        inputs = {role: shop.store.get(each.stage, each.hash) for role, each in node.inputs.items()}
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        out.mkdir()
        facts = STAGES.get("imported")().run(node, inputs, out, RunContext("cpu", 1, silent))
        return Artefact(out, {}), facts

    return run


def ours(shop: Shop, popularity: Cell) -> Artefact:
    return shop.store.get("control", popularity.nodes["rank"].hash)


def ranks_of(artefact: Artefact) -> pl.DataFrame:
    return pl.read_parquet(artefact.file("ranks.parquet"))


def candidates_of(shop: Shop, popularity: Cell, everything: Pairs) -> Pairs:
    path = shop.store.get("split", popularity.nodes["split"].hash).path
    stored = shop.store.get("candidates", popularity.nodes["candidates"].hash).file("test.safetensors")
    split, users, items = read_split(path), read_user_ids(path), read_item_ids(path)
    wanted = {
        (users[user], items[item])
        for user, target, negatives in zip(
            split.test_users, split.test_items, load_file(stored)["negatives"], strict=True
        )
        for item in (target, *negatives)
    }
    return [row for row in everything if row[:2] in wanted]


@pytest.mark.parametrize("suffix", ["csv", "trec"])
def test_the_whole_catalogue_gives_both_rankings(imported, everything, shop, popularity, suffix) -> None:
    artefact, facts = imported(everything, suffix, holds="catalogue")
    assert ranks_of(artefact).equals(ranks_of(ours(shop, popularity)))
    assert ranks_of(artefact).schema == ranks_of(ours(shop, popularity)).schema
    assert facts["absent"] == 0
    assert sorted(path.name for path in artefact.path.iterdir()) == [
        "ranks.parquet", "recommendations.safetensors",
    ]  # fmt: skip


def test_candidates_alone_give_the_sampled_ranking(imported, everything, shop, popularity) -> None:
    artefact, facts = imported(candidates_of(shop, popularity, everything)[::-1])
    sampled = ["user", "item", "sampled_better", "sampled_tied"]
    assert ranks_of(artefact).equals(ranks_of(ours(shop, popularity)).select(sampled))
    assert facts["absent"] == 0


def test_the_best_alone_give_the_full_ranking_down_to_their_depth(imported, everything) -> None:
    strict = [(u, i, s + k % ITEMS / 100) for k, (u, i, s) in enumerate(everything)]  # no ties
    best = pl.DataFrame(strict, schema=["u", "i", "s"], orient="row").sort("s", descending=True)
    lists = best.group_by("u", maintain_order=True).head(15).rows()  # five known items, ten others
    whole, (cut, facts) = imported(strict, holds="catalogue")[0], imported(lists, holds="top", depth=10)
    assert facts["depth"] == 10
    frame, measured = ranks_of(cut), ranks_of(whole)
    assert frame.columns == ["user", "item", "full_better", "full_tied"]
    within = measured["full_better"] < 10
    assert 0 < within.sum() < len(within)
    assert frame.filter(within).equals(measured.filter(within).select(frame.columns))
    assert frame.filter(~within)["full_better"].min() >= 10
    items = [load_file(each.file("recommendations.safetensors"))["items"] for each in (whole, cut)]
    assert items[1].shape == (len(frame), 10)
    assert (items[0][:, :10] == items[1]).all()


def test_pairs_that_are_absent_are_counted_and_refused_beyond_the_threshold(
    imported, everything, shop, popularity
) -> None:
    pairs = candidates_of(shop, popularity, everything)
    with pytest.raises(
        DataError, match=r"peer.csv: 5 of the 180 pairs that it should hold are absent \(2.78%\)"
    ):
        imported([row for row in pairs if row[0] != pairs[0][0]] + [pairs[0]])


def test_what_is_allowed_to_be_absent_ranks_last(imported, everything, shop, popularity) -> None:
    pairs = candidates_of(shop, popularity, everything)
    targets = ranks_of(ours(shop, popularity))
    split = shop.store.get("split", popularity.nodes["split"].hash).path
    user, target = read_user_ids(split)[targets["user"][0]], read_item_ids(split)[targets["item"][0]]
    artefact, facts = imported([row for row in pairs if row[:2] != (user, target)])
    assert facts["absent"] == 1
    assert ranks_of(artefact).row(0, named=True)["sampled_better"] == 5
    assert ranks_of(artefact)[1:].equals(targets.select(ranks_of(artefact).columns)[1:])


def test_a_test_user_without_scores_is_named(imported, everything) -> None:
    first = everything[0][0]
    with pytest.raises(DataError, match=rf"test user '{first}' has no score \(and 0 others\)"):
        imported([row for row in everything if row[0] != first], holds="catalogue")


def test_lists_that_are_too_short_are_refused(imported, everything) -> None:
    with pytest.raises(DataError, match=r"user 'u\d+' has \d items to rank.* and depth is 20"):
        imported([row for k, row in enumerate(everything) if k % ITEMS < 12], holds="top", depth=20)
