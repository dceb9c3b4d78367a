"""The downstream probe: pairs that no model chose, figures that sklearn and scipy give too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from resealed import reseal
from small_shop import Shop
from trained_shop import SETTINGS, open_trained, train
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import DataError, IncomparableError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_test, read_train
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.studies.probe.measure import (
    Pairs,
    base_features,
    draw_pairs,
    fit,
    learned_features,
    probe_cells,
)
from grasp_bench.studies.serving import Serving, cell_named, open_cell


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Plan]:
    return open_trained(tmp_path_factory.mktemp("probe") / "shop")


def cells_of(plan: Plan) -> list[Cell]:
    return [cell for cell in plan.cells if cell.kind == "trained"]


def pairs_of(users: int) -> Pairs:
    """Of no shop: the first half teaches."""
    items = np.zeros((users, 2), dtype=np.int64)
    return Pairs(np.arange(users), items, np.arange(users) < users // 2)


def test_pairs_are_test_targets_and_items_the_user_never_had(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    pairs = draw_pairs(cells_of(plan), shop.store, 1000, seed=3)
    split = shop.store.get("split", cells_of(plan)[0].nodes["split"].hash).path
    users, targets = read_test(split)
    assert np.array_equal(pairs.users_U, users)
    assert np.array_equal(pairs.items_U2[:, 0], targets)
    train_part = read_train(split)
    known = pl.DataFrame(
        {"user": np.repeat(np.arange(30), np.diff(train_part.train_offsets)), "item": train_part.train_items}
    )
    for user, other in zip(pairs.users_U.tolist(), pairs.items_U2[:, 1].tolist(), strict=True):
        assert other not in known.filter(user=user)["item"].to_list()
        assert other != dict(zip(users.tolist(), targets.tolist(), strict=True))[user]
    assert pairs.learns_U.sum() == len(users) // 2
    again, other_seed = (
        draw_pairs(cells_of(plan), shop.store, 1000, 3),
        draw_pairs(cells_of(plan), shop.store, 1000, 4),
    )
    assert np.array_equal(again.items_U2, pairs.items_U2)
    assert not np.array_equal(other_seed.items_U2, pairs.items_U2)
    few = draw_pairs(cells_of(plan), shop.store, 10, 3)
    assert len(few.users_U) == len(set(few.users_U.tolist())) == 10


def test_base_features_are_what_the_tables_say(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    cells = cells_of(plan)
    pairs = draw_pairs(cells, shop.store, 1000, seed=0)
    found, names = base_features(pairs, cells, cells[0], shop.store)
    assert names == ["log popularity", "log activity", "cosine of the texts"]
    split = shop.store.get("split", cells[0].nodes["split"].hash).path
    counts = pl.read_parquet(split / "train.parquet")["item"].value_counts()
    popular = dict(counts.iter_rows())
    for row in range(len(pairs.users_U)):
        wanted = [np.log1p(popular.get(item, 0)) for item in pairs.items_U2[row].tolist()]
        np.testing.assert_allclose(found[row, :, 0], wanted)
    assert np.allclose(found[:, :, 1], np.log(1 + 4))  # of six items, two are held out
    assert (np.abs(found[:, :, 2]) <= 1 + 1e-6).all()
    no_text = base_features(pairs, [], cells[0], shop.store)[1]
    assert no_text == names[:2]


@pytest.mark.parametrize("slug", ["sasrec-none-s1", "sasrec-grasp-s1"])
def test_the_product_of_the_states_is_the_score(trained: tuple[Shop, Plan], slug: str) -> None:
    shop, plan = trained
    pairs = draw_pairs(cells_of(plan), shop.store, 1000, seed=0)
    serving = Serving(open_cell(cell_named(plan, slug), shop.store))
    found = learned_features(pairs, serving)
    states, vectors, products = np.split(found, 3, axis=-1)
    np.testing.assert_allclose(products, states * vectors)
    requests = [
        serving.request(u, items) for u, items in zip(pairs.users_U.tolist(), pairs.items_U2, strict=True)
    ]
    np.testing.assert_allclose(products.sum(-1), serving.scores(requests), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("probe", ["logistic", "mlp"])
def test_a_probe_finds_what_is_there_and_nothing_else(probe: str) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(1200, 2, 3))
    blind = fit(noise, pairs_of(1200), probe, seed=0)
    assert np.quantile(blind.aucs_R, 0.005) < 0.5 < np.quantile(blind.aucs_R, 0.995)
    told = noise.copy()
    told[:, 0, 1] += 1.5  # Φ(1.5/√2): the chance that one normal exceeds another
    seeing = fit(told, pairs_of(1200), probe, seed=0)
    assert seeing.auc == pytest.approx(0.8556, abs=0.03)
    assert seeing.log_loss < blind.log_loss
    low, high = np.quantile(seeing.aucs_R, [0.025, 0.975])
    assert low < seeing.auc < high
    again = fit(told, pairs_of(1200), probe, seed=0)
    assert np.array_equal(again.aucs_R, seeing.aucs_R)


def test_no_user_teaches_and_is_predicted() -> None:
    """A feature that names the user and tells all of it to who has seen the user: worth nothing here."""
    users, rng = 400, np.random.default_rng(2)
    features = np.zeros((users, 2, users))
    features[np.arange(users), 0, np.arange(users)] = rng.normal(size=users)
    features[~pairs_of(users).learns_U] = 0
    found = fit(features, pairs_of(users), "logistic", seed=0)
    assert found.auc == 0.5


def test_gains_are_paired_with_the_base(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    found = probe_cells(plan, plan, shop.store, lambda _: None)
    assert (found["train_pairs"], found["test_pairs"], found["test_read"]) == (30, 30, True)
    by_name = {(each["cell"], each["probe"]): each for each in found["probes"]}
    assert len(by_name) == 2 * 3  # the base, none, grasp
    for (cell, probe), each in by_name.items():
        assert each["auc_low"] <= each["auc_high"]
        if cell == "base":
            assert each["auc_gain"] is None
        else:
            assert each["auc_gain"] == pytest.approx(each["auc"] - by_name["base", probe]["auc"])
            assert each["log_loss_gain"] == pytest.approx(
                by_name["base", probe]["log_loss"] - each["log_loss"]
            )
    again = probe_cells(plan, plan, shop.store, lambda _: None)
    assert again == found


def test_what_cannot_be_probed_is_said(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    shop, plan = trained
    with pytest.raises(StoreError, match="no cell of shop is trained"):
        probe_cells(plan, plan, Store(tmp_path), lambda _: None)
    other = train(shop, "compare={model.enhancer: [none]}", "dataset.protocol.negatives=4")
    with pytest.raises(IncomparableError, match="other held-out items or candidates"):
        draw_pairs([*cells_of(plan), *cells_of(other)], shop.store, 10, 0)
    with pytest.raises(DataError, match="too few"):
        _few(shop, plan)


def _few(shop: Shop, plan: Plan) -> None:
    path = shop.store.get("split", cells_of(plan)[0].nodes["split"].hash).path / "test.parquet"
    kept = path.read_bytes()
    try:
        pl.read_parquet(path).head(3).write_parquet(path)
        reseal(path.parent)
        draw_pairs(cells_of(plan), shop.store, 10, 0)
    finally:
        path.write_bytes(kept)
        reseal(path.parent)


def test_the_command_writes_figures_and_a_table(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    shop, _ = trained
    sets = [part for change in SETTINGS for part in ("--set", change)]
    places = ["--store", shop.store.root, "--results", tmp_path / "r", "--leaderboard", tmp_path / "b"]
    done = CliRunner().invoke(app, [str(each) for each in ("probe", shop.spec, *sets, *places)])
    assert done.exit_code == 0, done.output
    assert "test targets of 30 users are read" in done.output
    found = json.loads((tmp_path / "r" / "shop" / "probe.json").read_text())
    assert {each["label"] for each in found["probes"]} == {"base", "none", "grasp"}
    assert "| grasp, seed 1 |" in (tmp_path / "b" / "shop.probe.md").read_text()
