"""Requests of trained cells: the answers are the ranker's, and the times are of what they say."""

from __future__ import annotations

import gc
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from small_shop import ITEMS, Shop
from trained_shop import SETTINGS, open_trained, train
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.rank import RankStage
from grasp_bench.stats.bootstrap import median_interval
from grasp_bench.studies.latency.claim import CANNOT_TELL, FAILS, HOLDS, claim_of
from grasp_bench.studies.latency.measure import Measure, _bare, _Comparison, _extras, _pairs, measure_latency
from grasp_bench.studies.latency.timing import LiveSearch, Times, in_turns
from grasp_bench.studies.serving import Serving, cell_named, open_cell, trained_cells

QUICK = Measure(requests=6, candidates=5, batch_size=4, cold=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Plan]:
    return open_trained(tmp_path_factory.mktemp("latency") / "shop")


@pytest.mark.parametrize("slug", ["sasrec-none-s1", "sasrec-grasp-s1"])
def test_a_request_is_answered_as_the_ranker_scores(trained: tuple[Shop, Plan], slug: str) -> None:
    shop, plan = trained
    cell = cell_named(plan, slug)
    node = cell.nodes["rank"]
    inputs = {role: shop.store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    ranker, scorer = RankStage().scoring(node, inputs, RunContext("cpu", 1, silent))
    users = ranker.queries.users_Q.tolist()
    serving = Serving(open_cell(cell, shop.store))
    requests = [serving.request(user, np.arange(ITEMS)) for user in users]
    for rows, _, scores_Bm in ranker.catalogue_scores(scorer, exclude_history=False):
        mine = serving.all_scores(requests[rows])
        np.testing.assert_allclose(mine, scores_Bm.numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(serving.scores(requests[rows]), mine, rtol=1e-5, atol=1e-6)
        assert np.array_equal(serving.best(requests[rows]), scores_Bm.topk(10, dim=1).indices.numpy())
    alone = np.concatenate([serving.best([request]) for request in requests])
    assert np.array_equal(alone, serving.best(requests))


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_neighbours_searched_in_the_request_are_the_stored_ones(
    trained: tuple[Shop, Plan], kind: str
) -> None:
    shop, _ = trained
    plan = train(shop, f"index.kind={kind}", "compare={model.enhancer: [grasp]}")
    opened = open_cell(cell_named(plan, "sasrec-grasp-s1"), shop.store)
    stored = load_file(opened.inputs["user_neighbours"].file("neighbours.safetensors"))["pooled"]
    search = LiveSearch(opened, 1)
    assert search.kind == kind
    for user in range(len(stored)):
        profile = search.profile(user)
        np.testing.assert_allclose(profile.similar_BD[0].numpy(), stored[user], rtol=1e-5, atol=1e-5)
    serving = Serving(opened)
    request = serving.request(3, np.arange(4))
    by_row, by_profile = serving.scores([request]), serving.scores([request], search.profile(3))
    np.testing.assert_allclose(by_profile, by_row, rtol=1e-5)


def test_paths_percentiles_and_extras_are_of_all_requests(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    found = measure_latency(plan, plan, shop.store, QUICK, lambda _: None)
    assert (found["items"], found["candidates"], found["threads"]) == (ITEMS, 5, 1)
    by_slug = {cell["slug"]: cell for cell in found["cells"]}
    bare, grasp = by_slug["sasrec-none-s1"], by_slug["sasrec-grasp-s1"]
    assert bare["extras"] == []
    assert bare["extra_ms"] is None
    ways = [(each["path"], each["ranking"]) for each in grasp["extras"]]
    assert set(ways) == {(path, r) for path in ("model", "live", "text") for r in ("catalogue", "candidates")}
    for cell in found["cells"]:
        for timing in cell["timings"]:
            assert 0 < timing["p50"] <= timing["p95"] <= timing["p99"]
            assert timing["requests"] % QUICK.requests == 0
        assert cell["requests_per_second"] > 0
    main = next(each for each in grasp["extras"] if (each["path"], each["ranking"]) == ("model", "catalogue"))
    assert grasp["extra_ms"] == main["ms"]
    assert all(each["low"] <= each["ms"] <= each["high"] for each in grasp["extras"])
    json.dumps(found, allow_nan=False)


def test_backbones_are_found_outside_of_only_and_missing_ones_said(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    quickest = replace(QUICK, requests=1)
    found = measure_latency(plan, plan.only("sasrec-grasp-s1"), shop.store, quickest, lambda _: None)
    assert [cell["slug"] for cell in found["cells"]] == ["sasrec-none-s1", "sasrec-grasp-s1"]
    alone = train(shop, "compare={model.enhancer: [grasp]}")
    found = measure_latency(alone, alone, shop.store, quickest, lambda _: None)
    assert found["cells"][0]["extras"] == []
    assert "cannot be told" in found["claim"]
    assert any("Without a trained bare backbone" in note for note in found["notes"])


def test_a_backbone_of_another_size_is_nothing_to_compare_with(trained: tuple[Shop, Plan]) -> None:
    """A deeper backbone, or one that reads more items, would pass for the cost of the enhancer."""
    shop, _ = trained
    plan = train(shop, "compare={model.enhancer: [none, grasp], model.blocks: [1, 2]}")
    cells, _ = trained_cells(plan, shop.store)
    compared = [(cell, bare) for cell, bare in _pairs(cells, plan, shop.store) if bare is not None]
    assert len(compared) == 2
    for cell, bare in compared:
        assert cell.experiment.model.blocks == bare.experiment.model.blocks
    deep = next(cell for cell, _ in compared if cell.experiment.model.blocks == 2)
    shallow = tuple(cell for cell in cells if cell.experiment.model.blocks == 1)
    assert _bare(deep, replace(plan, cells=(deep, *shallow)), shop.store) is None


def test_nothing_trained_and_nothing_trainable_are_errors(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    _shop, plan = trained
    with pytest.raises(StoreError, match="no cell of shop is trained"):
        measure_latency(plan, plan, Store(tmp_path), QUICK, lambda _: None)
    with pytest.raises(UnknownNameError, match="did you mean 'sasrec-grasp-s1'"):
        cell_named(plan, "sasrec-grasp-s2")


def test_the_command_writes_figures_and_a_table(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    """With a fresh process, in which the package is imported anew."""
    shop, _ = trained
    sets = [part for change in SETTINGS for part in ("--set", change)]
    arguments: list[Any] = [
        "latency", shop.spec, *sets, "--store", shop.store.root, "--results", tmp_path / "r",
        "--leaderboard", tmp_path / "b", "--requests", 6, "--cold", 1, "--only", "sasrec-none-s1",
    ]  # fmt: skip
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert "Under 1 ms extra a request" in done.output
    found = json.loads((tmp_path / "r" / "shop" / "latency.json").read_text())
    states = [(each["path"], each["state"], each["requests"]) for each in found["cells"][0]["timings"]]
    assert states == [("model", "warm", 6), ("model", "warm", 6), ("model", "cold", 1)]
    assert "| all precomputed | cold | 1 |" in (tmp_path / "b" / "shop.latency.md").read_text()


def test_times_know_slow_from_fast_and_puts_the_collector_back() -> None:
    asked: list[str] = []

    def slow(name: str) -> None:
        asked.append(name)
        assert not gc.isenabled()
        time.sleep(0.003)

    taken = in_turns({"slow": slow, "fast": lambda name: None}, [f"r{k}" for k in range(25)])
    assert gc.isenabled()
    assert taken["slow"].ms.min() >= 3.0 > np.median(taken["fast"].ms)
    assert np.median(taken["slow"].cpu_ms) < 1.0  # asleep, not at work
    assert set(asked) == {f"r{k}" for k in range(25)}


def test_the_medians_interval_is_that_of_order_statistics() -> None:
    """Oracle: the binomial interval of a median, by scipy."""
    from scipy.stats import quantile_test

    values = np.random.default_rng(3).gamma(2.0, size=400)
    exact = quantile_test(values, p=0.5).confidence_interval(0.95)
    ours = median_interval(values)
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high), rel=0.03)
    assert median_interval([2.0]).low == median_interval([2.0]).high == 2.0


def test_what_is_extra_is_paired_by_request(trained: tuple[Shop, Plan]) -> None:
    """Requests that differ by far more than the cells do: only differences of the same request are small."""
    _, plan = trained
    bare, cell = (cell_named(plan, f"sasrec-{name}-s1") for name in ("none", "grasp"))
    long = np.random.default_rng(2).permutation(np.geomspace(1.0, 1000.0, 40))
    taken: Any = {
        (bare.slug, "model", "catalogue"): Times(long, long),
        (cell.slug, "model", "catalogue"): Times(long + 0.25, long + 0.125),
    }
    (extra,) = _extras(_Comparison(cell, bare, [], taken, 1, {}, {}, ITEMS))
    found = [extra[key] for key in ("ms", "low", "high", "cpu_ms")]
    assert found == pytest.approx([0.25, 0.25, 0.25, 0.125])
    assert extra["verdict"] == HOLDS


def test_claims_are_told_by_ranking_and_verdict() -> None:
    def cell(label: str, verdicts: tuple[str, str]) -> Any:
        both = zip(("catalogue", "candidates"), verdicts, strict=True)
        return {"label": label, "extras": [{"path": "model", "ranking": r, "verdict": v} for r, v in both]}

    told = claim_of([cell("a", (FAILS, HOLDS)), cell("b", (CANNOT_TELL, HOLDS))], 12_101, 101)
    assert "(12,101 items): does not hold for a, cannot be told for b" in told
    assert "101 candidates: holds for a, b." in told


def test_threads_are_those_asked_for(trained: tuple[Shop, Plan]) -> None:
    shop, plan = trained
    before = torch.get_num_threads()
    try:
        measure_latency(plan, plan.only("sasrec-none-s1"), shop.store, QUICK, lambda _: None)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
