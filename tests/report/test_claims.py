"""Hypotheses of a size, about noise, and over several looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_builder import Results, metric_values
from statsmodels.stats.multitest import multipletests

from grasp_bench.report.board import load_board
from grasp_bench.report.formatting import short_verdict
from grasp_bench.report.layout import lay_out
from grasp_bench.report.renderers import markdown
from grasp_bench.stats.correction import looks_at, shares
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.trainings import Trainings

USERS, METRIC = 400, "NDCG@10"
NOISE = {"kind": "permute", "side": "both", "when": "before_retrieval"}
BASE = np.random.default_rng(1).integers(1, 30, USERS)
SHIFTS = {"none": 0, "grasp": 1, "llmesr": 6}


def ranks(method: str, seed: int, rate: float = 0.0) -> np.ndarray:
    jitter = np.random.default_rng([seed, SHIFTS[method], int(10 * rate)]).integers(0, 4, USERS)
    return np.maximum(1, BASE + 6 - SHIFTS[method] + round(8 * rate) + jitter)


def values(method: str, seeds: range, rate: float = 0.0) -> Trainings:
    return Trainings.of([metric_values(ranks(method, seed, rate))[METRIC] for seed in seeds])


def hypothesis(better: str, than: str, **more: Any) -> dict[str, Any]:
    return {"better": better, "than": than, "metric": METRIC, "protocol": "full", **more}


def board(
    folder: Path,
    hypotheses: list[dict[str, Any]],
    rates: tuple[float, ...] = (0.0,),
    seeds: int = 3,
    **study: Any,
) -> Any:
    results = Results(folder)
    for method in SHIFTS:
        for seed in range(seeds):
            for rate in rates if method != "none" else (0.0,):
                noise = {**NOISE, "rate": rate} if rate else None
                slug = f"{method}-{rate}-{seed}"
                results.cell(slug, ranks(method, seed, rate), seed=seed, enhancer=method, noise=noise)
    results.study(hypotheses=hypotheses, **study)
    return load_board(folder)


@pytest.mark.parametrize(
    ("better", "than", "at_least", "verdict", "short"),
    [
        ("llmesr", "none", 3.0, "better", "better by at least 3 points"),
        ("none", "llmesr", 3.0, "worse", "worse by more than 3 points"),
        ("grasp", "none", 30.0, "equivalent", "equivalent within 30 points"),
        ("llmesr", "none", 0.0, "supported", "supported"),
        ("none", "llmesr", 0.0, "refuted", "not supported (refuted)"),
    ],
)
def test_a_size_that_matters_has_its_own_verdicts(
    tmp_path: Path, better: str, than: str, at_least: float, verdict: str, short: str
) -> None:
    (claim,) = board(tmp_path / "s", [hypothesis(better, than, at_least=at_least)])["claims"]
    assert (claim["verdict"], short_verdict(claim)) == (verdict, short)
    low, high = difference(*(values(name, range(3)) for name in (better, than))).interval()
    inside = {
        "better": low > at_least / 100, "supported": low > 0, "refuted": high < 0,
        "worse": high < -at_least / 100, "equivalent": -at_least / 100 < low and high < at_least / 100,
    }  # fmt: skip
    assert inside[verdict]


def test_adding_noise_leaves_what_was_declared_as_it_was(tmp_path: Path) -> None:
    declared = [hypothesis("grasp", "none"), hypothesis("grasp", "llmesr")]
    without = board(tmp_path / "clean", declared)["claims"]
    asked = [*declared, hypothesis("grasp", "llmesr", noise=0.3)]
    found = board(tmp_path / "noisy", asked, rates=(0.0, 0.3))["claims"]
    assert [claim["p_holm"] for claim in found[:2]] == [claim["p_holm"] for claim in without]
    assert [(claim["family"], claim["noise"]) for claim in found] == [
        ("declared", 0.0), ("declared", 0.0), ("noise", 0.3),
    ]  # fmt: skip
    assert (found[2]["better"], found[2]["than"]) == ("grasp (noise=0.3)", "llmesr (noise=0.3)")
    noisy = difference(*(values(name, range(3), 0.3) for name in ("grasp", "llmesr")))
    assert found[2]["p_holm"] == pytest.approx(noisy.p), "alone in its family"
    text = markdown.render(load_board(tmp_path / "noisy"), lay_out(load_board(tmp_path / "noisy")))
    assert "over 2 declared tests and, by itself, over 1 declared test about noise" in text


def test_each_look_spends_its_share_and_what_fell_stays(tmp_path: Path) -> None:
    """Against a plain loop over looks: p over its share, the least so far, Holm over the family."""
    looks = looks_at(2, 6)
    pairs = [("llmesr", "none"), ("grasp", "none")]
    claims = board(
        tmp_path / "looks", [hypothesis(*pair) for pair in pairs], seeds=looks[-1], looks=list(looks)
    )["claims"]
    least, fell = [1.0, 1.0], [None, None]
    corrected: list[float] = []
    for k, share in zip(looks, shares(looks), strict=True):
        for place, pair in enumerate(pairs):
            p = difference(*(values(name, range(k)) for name in pair)).p or 0.0
            least[place] = min(least[place], p / share, 1.0)
        corrected = list(multipletests(least, method="holm")[1])
        fell = [k if at is None and p < 0.05 else at for at, p in zip(fell, corrected, strict=True)]
    assert fell[0] == 3, "the case that the test is about"
    assert [claim["look"] for claim in claims] == [at or looks[-1] for at in fell]
    assert [claim["verdict"] != "undecided" for claim in claims] == [at is not None for at in fell]
    first = claims[0]
    assert (first["seeds"], first["than_seeds"], first["test"]["trainings"]) == (
        [0, 1, 2], [0, 1, 2], [3, 3],
    )  # fmt: skip
    assert "look 2 of 4 (3 trainings)" in first["words"]


def test_a_look_needs_its_trainings_on_both_sides(tmp_path: Path) -> None:
    (claim,) = board(tmp_path / "few", [hypothesis("grasp", "none")], seeds=4, looks=[3, 5, 8])["claims"]
    assert (claim["look"], claim["seeds"], claim["looks"]) == (3, [0, 1, 2], [3, 5, 8])
    (early,) = board(tmp_path / "early", [hypothesis("grasp", "none")], seeds=2, looks=[3, 5])["claims"]
    assert (early["verdict"], early["words"]) == (
        "untested", "not tested: the first look is at 3 trainings of both",
    )  # fmt: skip
