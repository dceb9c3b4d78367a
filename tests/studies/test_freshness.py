"""Freshness: figures from published ranks, tokens by a transcription of who is asked when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tiktoken
from results_builder import Results
from scipy import stats
from small_shop import Shop, make, plan_of, title

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.plan.compile import Plan
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.stages.text import write_text_table
from grasp_bench.studies.freshness.measure import measure_freshness, profile_tokens
from grasp_bench.studies.freshness.report import lay_out_freshness

AGES = [0, 1, 3]
PROMPT = "The user has visited the following items: {} please conclude the user's preference."


@pytest.fixture(scope="module")
def plan(shop: Shop) -> Plan:
    return plan_of(shop.spec, [f"compare.text.users.stale={AGES}", "ablations={}"])


def publish(plan: Plan, folder: Path, ranks: dict[int, np.ndarray], only: str = "") -> Results:
    """Cells of grasp with these ranks by age (seed 2 one rank worse), of none with others."""
    results = Results(folder / plan.name)
    for cell in plan.cells:
        stale = cell.experiment.text.users.stale or 0
        if cell.experiment.model.enhancer == "grasp" and only in cell.slug:
            assert cell.seed is not None
            about = {"enhancer": "grasp", "hash": cell.hash, "seed": cell.seed, "variant": dict(cell.variant)}
            results.cell(cell.slug, ranks[stale] + cell.seed - 1, **about)
    results.study()
    return results


def asked_by_hand(histories: list[list[int]], stale: int) -> int:
    """At a user's first interaction and whenever the profile would become older than it may be."""
    encoding = tiktoken.get_encoding("cl100k_base")
    total = 0
    for history in histories:
        age = None
        for place in range(1, len(history) - 1):  # the last two are held out
            age = 0 if age is None or age == stale else age + 1
            if age == 0:
                prompt = PROMPT.format(", ".join(title(item) for item in reversed(history[:place])))
                total += len(encoding.encode(prompt)) + 4 + 3  # one message, and the answer's beginning
    return total


def test_figures_tests_and_tokens(shop: Shop, plan: Plan, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(1, 12, 40)
    ranks = {0: base, 1: base, 3: base + rng.integers(0, 3, 40)}
    publish(plan, tmp_path, ranks)
    found = measure_freshness(plan, shop.store, tmp_path)
    assert [(c["label"], c["protocol"]) for c in found["curves"]] == [("grasp", "full"), ("grasp", "sampled")]
    ages = found["curves"][0]["ages"]
    assert [(age["stale"], age["trainings"]) for age in ages] == [(stale, 2) for stale in AGES]

    def values(stale: int) -> np.ndarray:
        seeds = [ranks[stale] + seed - 1 for seed in (1, 2)]
        return np.mean([np.where(r <= 10, 1 / np.log2(1 + r), 0.0) for r in seeds], axis=0)

    for age in ages:
        assert age["mean"] == pytest.approx(values(age["stale"]).mean())
        assert age["low"] is not None
        assert age["low"] <= age["mean"] <= (age["high"] or 1)
        asked = asked_by_hand(shop.histories, age["stale"])
        assert age["tokens"] == asked
        assert age["saved"] == pytest.approx(1 - asked / asked_by_hand(shop.histories, 0))
    fresh, same, old = ages
    assert (fresh["test"], fresh["p_adjusted"], fresh["saved"]) == (None, None, 0.0)
    assert same["test"] is not None
    assert old["test"] is not None
    assert (same["test"]["difference"], same["p_adjusted"]) == (0.0, 1.0)
    assert old["test"]["difference"] == pytest.approx((values(3) - values(0)).mean())
    assert old["test"]["p_t"] == pytest.approx(stats.ttest_rel(values(3), values(0)).pvalue)
    tests = [age["test"]["p"] for c in found["curves"] for age in c["ages"] if age["test"]]
    adjusted = stats.false_discovery_control(tests, method="bh")
    assert [a["p_adjusted"] for c in found["curves"] for a in c["ages"] if a["test"]] == pytest.approx(
        adjusted
    )


def test_unfinished_seeds_are_named_and_left_out(shop: Shop, plan: Plan, tmp_path: Path) -> None:
    ranks = {age: np.arange(1, 9) + age for age in AGES}
    results = publish(plan, tmp_path, ranks)
    for slug in ("sasrec-grasp-stale_1-s2", "sasrec-grasp-stale_3-s1"):
        (results.folder / slug / "cell.json").unlink()
    (results.folder / "sasrec-grasp-stale_1-s1" / "cell.json").unlink()
    found = measure_freshness(plan, shop.store, tmp_path)
    ages = found["curves"][0]["ages"]
    assert [(age["stale"], age["trainings"]) for age in ages] == [(0, 2), (3, 1)]
    assert ages[1]["p_adjusted"] is None, "one training decides nothing"
    assert any("not finished: sasrec-grasp-stale_1-s1" in note for note in found["notes"])
    assert any("of 30 users, 0 at 3" in note for note in found["notes"])  # all have four in training


def test_ablations_are_ages_too(shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(shop.spec, ["ablations={old: {text.users.stale: 2}}"])
    results = Results(tmp_path / plan.name)
    for cell in plan.cells:
        if cell.experiment.model.enhancer == "grasp":
            about = {"enhancer": "grasp", "hash": cell.hash, "seed": cell.seed, "ablation": cell.ablation}
            results.cell(cell.slug, np.array([1, 2, 3]), **about)
    results.study()
    found = measure_freshness(plan, shop.store, tmp_path)
    assert [(c["label"], [a["stale"] for a in c["ages"]]) for c in found["curves"][:1]] == [("grasp", [0, 2])]


def test_without_ages_or_without_results(shop: Shop, plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no method has profiles of several ages"):
        measure_freshness(shop.plan, shop.store, tmp_path)
    with pytest.raises(StoreError, match="fewer than two ages"):
        measure_freshness(plan, shop.store, tmp_path)


def test_results_without_the_split_they_were_made_on(bare: Shop, tmp_path: Path) -> None:
    plan = plan_of(bare.spec, ["compare.text.users.stale=[0, 1]", "ablations={}"])
    publish(plan, tmp_path, {0: np.array([1, 2]), 1: np.array([2, 2])})
    with pytest.raises(StoreError, match="no such artefact"):
        measure_freshness(plan, bare.store, tmp_path)
    make(bare, plan, "split")
    assert len(measure_freshness(plan, bare.store, tmp_path)["curves"]) == 2


def test_laid_out(shop: Shop, plan: Plan, tmp_path: Path) -> None:
    publish(plan, tmp_path, {0: np.array([1, 1]), 1: np.array([1, 3]), 3: np.array([3, 3])})
    text = document_text(lay_out_freshness(measure_freshness(plan, shop.store, tmp_path)))
    assert "by age of profiles, full ranking" in text
    assert "| grasp | 2 | 0 | " in text
    assert "| grasp | 2 | 3 | " in text
    assert "## Full ranking" in text
    assert "## Sampled negatives" in text


def test_of_a_language_model_the_answers_count_too(bare: Shop) -> None:
    settings = "{provider: litellm, model: openai/gpt-4o-mini, system: Be brief.}"
    plan = plan_of(bare.spec, [f"text.users={settings}", "ablations={}"])
    make(bare, plan, "split")
    cell = next(cell for cell in plan.cells if "user_text" in cell.nodes)
    encoding = tiktoken.get_encoding("o200k_base")
    prompts = [
        PROMPT.format(", ".join(title(item) for item in reversed(history[:place])))
        for history in bare.histories
        for place in range(1, len(history) - 1)
    ]
    asked = [
        len(encoding.encode(prompt)) + len(encoding.encode("Be brief.")) + 2 * 4 + 3 for prompt in prompts
    ]
    found = profile_tokens(cell, bare.store)
    assert (found.tokens.tolist(), found.exact) == (asked, True)
    node = cell.nodes["user_text"]
    with bare.store.writing(node.stage, node.hash, {"hash": node.hash}) as out:
        answers = ["one two three"] * len(bare.histories)
        write_text_table(out, pl.Series([f"u{k}" for k in range(len(answers))]), answers, lambda done: None)
    answered = profile_tokens(cell, bare.store).tokens
    assert answered.tolist() == [each + len(encoding.encode("one two three")) for each in asked]
