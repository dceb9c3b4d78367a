"""Curves under noise against plain loops over users, rates and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from results_builder import Results, control, metric_values
from statsmodels.stats.multitest import multipletests

from grasp_bench.report.board import load_board
from grasp_bench.report.layout import headline, lay_out
from grasp_bench.report.renderers import markdown
from grasp_bench.report.sections.noise import drop_table
from grasp_bench.stats.crossed import contrast
from grasp_bench.stats.trainings import Trainings

RATES, SEEDS, METRIC = (0.0, 0.2, 0.6), (1, 2), "NDCG@10"
NOISE = {"kind": "permute", "side": "both", "when": "before_retrieval"}
RNG = np.random.default_rng(5)
BASE = RNG.integers(1, 25, size=200)


def ranks(method: str, rate: float, seed: int) -> np.ndarray:
    """grasp is better than its backbone and loses much, llmesr is worse and loses little."""
    jitter = np.random.default_rng([seed, int(10 * rate)]).integers(0, 2, size=200)
    gain, loss = {"none": (0, 0), "grasp": (6, 20), "llmesr": (-1, 4)}[method]
    return np.maximum(1, BASE - gain + round(loss * rate) + jitter)


def noisy(results: Results, **study: Any) -> dict[str, Any]:
    for seed in SEEDS:
        results.cell(f"none-{seed}", ranks("none", 0, seed), seed=seed)
        for method in ("grasp", "llmesr"):
            for rate in RATES:
                noise = {**NOISE, "rate": rate} if rate else None
                slug = f"{method}-{rate}-{seed}"
                results.cell(slug, ranks(method, rate, seed), seed=seed, enhancer=method, noise=noise)
    results.cell("popularity", BASE + 9, **control("popularity"))
    results.study(**study)
    return load_board(results.folder)["rankings"][0]


def users(method: str, rate: float, seed: int) -> np.ndarray:
    rate, seed = (0, seed) if method == "none" else (rate, seed)
    return metric_values(ranks(method, rate, seed))[METRIC]


def mean(method: str, rate: float) -> float:
    return float(np.mean([users(method, rate, seed).mean() for seed in SEEDS]))


def full(ranking: dict[str, Any]) -> Any:
    return next(each for each in ranking["noise"] if each["protocol"] == "full")


def curves(ranking: dict[str, Any]) -> dict[str, Any]:
    return {curve["label"]: curve for curve in full(ranking)["curves"]}


def test_points_areas_and_what_is_kept(results: Results) -> None:
    found = full(noisy(results))
    assert (found["kind"], found["rates"]) == ("permute, both, before retrieval", list(RATES))
    assert [curve["label"] for curve in found["curves"]] == ["none", "grasp", "llmesr"]
    assert [curve["constant"] for curve in found["curves"]] == [True, False, False]
    for curve in found["curves"]:
        means = [mean(curve["label"], rate) for rate in RATES]
        assert [point["mean"] for point in curve["points"]] == pytest.approx(means)
        assert all(point["low"] < point["mean"] < point["high"] for point in curve["points"])
        area = sum(
            (RATES[k + 1] - RATES[k]) * (means[k] + means[k + 1]) / 2 for k in range(len(RATES) - 1)
        ) / (RATES[-1] - RATES[0])
        assert curve["area"]["mean"] == pytest.approx(area)
        assert curve["retained"]["mean"] == pytest.approx(area / means[0])
        assert curve["trainings"] == [len(SEEDS)] * len(RATES)
    kept = found["curves"][1]["retained"]
    assert kept["low"] < kept["mean"] < kept["high"] < 1


def test_where_a_method_falls_below_its_backbone(results: Results) -> None:
    none, grasp, llmesr = curves(noisy(results)).values()
    gaps = [mean("grasp", rate) - mean("none", 0) for rate in RATES]
    assert gaps[1] > 0 > gaps[2], "the case that the test is about"
    assert grasp["below"] == pytest.approx(0.2 + 0.4 * gaps[1] / (gaps[1] - gaps[2]))
    assert grasp["below_words"] == f"from {grasp['below']:.2f}"
    assert (llmesr["below"], llmesr["below_words"]) == (0.0, "at every rate")
    assert (none["below"], none["below_words"]) == (None, "")


def test_its_own_backbone_has_its_own_settings(results: Results) -> None:
    """Of two widths each is held against the same width alone; an ablation of backbones against itself."""
    better, worse = BASE - 2, BASE + 6
    for slug, ranks_alone, changes in (
        ("8", worse, {"variant": {"model.embedding_dim": 8}}),
        ("16", better, {"variant": {"model.embedding_dim": 16}}),
        ("8-deep", better, {"variant": {"model.embedding_dim": 8}, "ablation": "deep"}),
    ):
        results.cell(f"none-{slug}", np.maximum(1, ranks_alone), seed=1, **changes)
        for rate in RATES:
            noise = {**NOISE, "rate": rate} if rate else None
            grasp = {"enhancer": "grasp", "noise": noise, "seed": 1, **changes}
            results.cell(f"grasp-{slug}-{rate}", BASE + round(rate), **grasp)
    results.study()
    found = curves(load_board(results.folder)["rankings"][0])
    assert {label: curve["below_words"] for label, curve in found.items()} == {
        "none (embedding_dim=8)": "", "none (embedding_dim=16)": "", "none/deep (embedding_dim=8)": "",
        "grasp (embedding_dim=8)": "not up to 0.6", "grasp (embedding_dim=16)": "at every rate",
        "grasp/deep (embedding_dim=8)": "at every rate",
    }  # fmt: skip


def test_drops_are_of_users_and_trainings_crossed_and_corrected_together(results: Results) -> None:
    found = full(noisy(results))["drops"]
    assert [(drop["a"], drop["b"], drop["rate"]) for drop in found] == [
        ("grasp", "llmesr", 0.2), ("grasp", "llmesr", 0.6),
    ]  # fmt: skip
    for drop in found:
        per_user = [
            np.mean([users(name, 0, s) - users(name, drop["rate"], s) for s in SEEDS], axis=0)
            for name in ("grasp", "llmesr")
        ]
        assert (drop["drop_a"], drop["drop_b"]) == pytest.approx([each.mean() for each in per_user])
        assert drop["difference"] == pytest.approx((per_user[0] - per_user[1]).mean())
        four = {
            (name, rate): Trainings.of([users(name, rate, s) for s in SEEDS])
            for name in ("grasp", "llmesr")
            for rate in (0.0, drop["rate"])
        }
        signs = {("grasp", 0.0): 1, ("llmesr", drop["rate"]): 1}
        expected = contrast([(signs.get(key, -1), each) for key, each in four.items()])
        assert (drop["p"], drop["low"]) == (pytest.approx(expected.p), pytest.approx(expected.interval()[0]))
    raw = [drop["p"] for drop in found]
    expected = multipletests(raw, method="fdr_bh")[1]
    assert [drop["p_adjusted"] for drop in found] == pytest.approx(list(expected))
    assert found[1]["p_adjusted"] < 0.01


def test_what_is_kept_has_the_interval_of_a_ratio(results: Results) -> None:
    """Against a bootstrap of users and trainings, drawn anew together."""
    kept = curves(noisy(results))["grasp"]["retained"]
    values = np.array([[users("grasp", rate, seed) for seed in SEEDS] for rate in RATES])
    rng, weights = np.random.default_rng(0), np.array([0.2, 0.6, 0.4]) / 1.2
    drawn = []
    for _ in range(2_000):
        chosen = rng.integers(0, values.shape[2], values.shape[2])
        means = np.array([each[rng.integers(0, 2, 2)].mean(axis=0)[chosen].mean() for each in values])
        drawn.append((weights * means).sum() / means[0])
    assert kept["high"] - kept["low"] == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.35)
    assert kept["low"] < np.mean(drawn) < kept["high"]


@pytest.mark.parametrize(("methods", "pairs"), [(12, 66), (14, 13)])
def test_drops_of_many_methods_are_compared_with_the_best_alone(
    results: Results, methods: int, pairs: int
) -> None:
    for k in range(methods):
        for rate in (0.0, 0.5):
            noise = {**NOISE, "rate": rate} if rate else None
            lists = np.maximum(1, BASE - (k == 3) * 3 + k % 3 + round(10 * rate))
            variant = {"index.num_neighbours": k}
            results.cell(f"c{k}-{rate}", lists, seed=1, enhancer="grasp", variant=variant, noise=noise)
    results.study()
    found = full(load_board(results.folder)["rankings"][0])
    drops, table = found["drops"], drop_table(found)
    assert len({(drop["a"], drop["b"]) for drop in drops}) == len(drops) == pairs
    assert table is not None
    alone = "each stands against grasp (num_neighbours=3)" in " ".join(table.notes)
    assert alone == (methods > 12) == ({drop["b"] for drop in drops} == {"grasp (num_neighbours=3)"})


def test_an_unfinished_rate_leaves_a_blank_and_no_area(results: Results) -> None:
    identity = {"slug": "grasp-0.9-1", "dataset": "toy", "backbone": "sasrec", "enhancer": "grasp", "seed": 1}
    results.plan({**identity, "noise": {**NOISE, "rate": 0.9}, "protocol_hash": "p1", "kind": "trained"})
    ranking = noisy(results)
    assert full(ranking)["rates"] == [*RATES, 0.9]
    found = curves(ranking)
    grasp = found["grasp"]
    assert [point["rate"] for point in grasp["points"]] == list(RATES)
    assert (grasp["area"], grasp["retained"]) == (None, None)
    assert found["none"]["area"] is not None, "who notices none is known at every rate"


def test_every_rate_has_the_trainings_that_it_has(results: Results) -> None:
    results.cell("grasp-lone", ranks("grasp", 0.2, 3), seed=3, enhancer="grasp", noise={**NOISE, "rate": 0.2})
    assert curves(noisy(results))["grasp"]["trainings"] == [2, 3, 2]


def test_two_kinds_are_two_curves_with_one_clean_point(results: Results) -> None:
    other = {**NOISE, "kind": "gaussian", "rate": 0.2}
    for seed in SEEDS:
        slug = f"grasp-g-{seed}"
        results.cell(slug, ranks("grasp", 0.6, seed), seed=seed, enhancer="grasp", noise=other)
    found = [each for each in noisy(results)["noise"] if each["protocol"] == "full"]
    assert [each["kind"].partition(",")[0] for each in found] == ["gaussian", "permute"]
    gaussian, permute = ({curve["label"]: curve for curve in each["curves"]} for each in found)
    assert set(gaussian) == {"grasp", "none"}, "llmesr was not run under it"
    assert found[0]["rates"] == [0.0, 0.2]
    assert gaussian["grasp"]["points"][0] == permute["grasp"]["points"][0]
    assert gaussian["grasp"]["points"][1]["mean"] == pytest.approx(mean("grasp", 0.6))


def test_without_noise_there_is_none_and_no_section(toy: Results) -> None:
    board = load_board(toy.folder)
    assert board["rankings"][0]["noise"] == []
    assert not any(section.title.startswith("Under noise") for section in lay_out(board).sections)


def test_the_board_tells_it_in_markdown(results: Results) -> None:
    noisy(results)
    board = load_board(results.folder)
    document = lay_out(board)
    assert "Under noise" in [section.title for section in headline(document).sections]
    text = markdown.render(board, document)
    assert "## Under noise" in text
    assert "by share of entities hit (permute, both, before retrieval)" in text
    assert "none (not affected)" in text
    assert "at every rate" in text
    assert "Drop against drop, full ranking" in text
