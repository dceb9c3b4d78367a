"""The tables of seeds needed: their pairs, their methods, and that figures are those of the statistics."""

from __future__ import annotations

import json

import numpy as np
import pytest
from results_builder import control, metric_values

from grasp_bench.core.errors import DataError, IncomparableError, UnknownNameError
from grasp_bench.report.renderers.terminal import render
from grasp_bench.stats.power import Outlook
from grasp_bench.stats.trainings import Trainings
from grasp_bench.studies.power.layout import lay_out_power
from grasp_bench.studies.power.preview import seeds_preview
from grasp_bench.studies.power.seeds_needed import PowerOptions, seeds_needed

HYPOTHESIS = {"better": "grasp", "than": "none", "metric": "NDCG@10", "protocol": "full"}


def write(results, enhancers=("none", "grasp"), seeds=(1, 2, 3), **study) -> dict[str, Trainings]:
    """Methods whose users, trainings and rest all vary; returns NDCG@10 of the full ranking."""
    rng = np.random.default_rng(0)
    base, values = rng.integers(1, 60, 200), {}
    for place, enhancer in enumerate(enhancers):
        rows = []
        for seed in seeds:
            ranks = np.maximum(1, base - 3 * place + rng.integers(-2, 3) + rng.integers(0, 4, 200))
            results.cell(f"sasrec-{enhancer}-s{seed}", ranks, seed=seed, enhancer=enhancer)
            rows.append(metric_values(ranks)["NDCG@10"])
        values[enhancer] = Trainings.of(rows)
    results.study(**study)
    return values


def test_declared_pairs_have_the_figures_of_their_outlook(results) -> None:
    values = write(results, hypotheses=[HYPOTHESIS, HYPOTHESIS | {"than": "llmesr"}])
    found = seeds_needed(results.folder, PowerOptions(points=(0.5, 20.0)))
    (scale,) = found["scales"]
    (pair,) = scale["pairs"]
    outlook = Outlook.of(values["grasp"], values["none"])
    assert outlook is not None
    assert (pair["better"], pair["than"], pair["trainings"]) == ("grasp", "none", (3, 3))
    assert pair["tells"] == pytest.approx(outlook.least([3, 3]))
    assert pair["difference"] == pytest.approx(values["grasp"].mean - values["none"].mean)
    assert [need["users"] for need in pair["needs"]] == [outlook.users(0.005), None]
    assert pair["needs"][0]["trainings"] is None
    assert pair["needs"][1]["trainings"] == outlook.trainings(0.2)
    json.dumps(found, allow_nan=False)
    text = render({}, lay_out_power(found))
    assert "grasp > none" in text
    assert "users: no number of trainings suffices" in text
    assert "only known to lie from 0.52 to 6.3 times its estimate" in text


def test_without_hypotheses_each_is_set_against_the_best_and_controls_are_not(results) -> None:
    results.cell("popularity", np.ones(200, dtype=int), **control("popularity"))
    write(results, enhancers=("none", "llminit", "grasp"))
    found = seeds_needed(results.folder, PowerOptions())
    (scale,) = found["scales"]
    assert [(pair["better"], pair["than"]) for pair in scale["pairs"]] == [
        ("llminit", "grasp"), ("none", "grasp"),
    ]  # fmt: skip
    assert [row["label"] for row in scale["methods"]] == ["grasp", "llminit", "none"]
    assert "Each method against the best, grasp" in render({}, lay_out_power(found))


def test_a_control_has_no_part_and_one_training_is_said(results) -> None:
    results.cell("popularity", np.full(200, 11), **control("popularity"))
    once = np.arange(1, 201)
    results.cell("sasrec-llmesr-s1", once, seed=1, enhancer="llmesr")
    pairs = [("grasp", "popularity"), ("grasp", "llmesr")]
    write(results, hypotheses=[HYPOTHESIS | {"better": a, "than": b} for a, b in pairs])
    found = seeds_needed(results.folder, PowerOptions())
    first, second = found["scales"][0]["pairs"]
    assert first["trainings"] == (3, 0)
    assert first["tells"] is not None
    assert (second["tells"], second["needs"]) == (None, [])
    text = render({}, lay_out_power(found))
    assert "Trained once: llmesr." in text
    assert "3 / –" in text


def test_options_stand_in_for_what_is_declared_and_what_was_not_measured_is_refused(results) -> None:
    write(results, hypotheses=[HYPOTHESIS, HYPOTHESIS | {"protocol": "sampled"}])
    both = seeds_needed(results.folder, PowerOptions())["scales"]
    assert [scale["protocol"] for scale in both] == ["full", "sampled"]
    (one,) = seeds_needed(results.folder, PowerOptions(metric="HR@5", protocol="sampled"))["scales"]
    assert (one["metric"], one["protocol"], len(one["pairs"])) == ("HR@5", "sampled", 1)
    with pytest.raises(UnknownNameError, match="did you mean 'HR@5'"):
        seeds_needed(results.folder, PowerOptions(metric="RH@5"))


def test_no_cells_and_no_such_ranking_are_refused(results) -> None:
    results.folder.mkdir(parents=True)
    with pytest.raises(DataError, match="no finished cell"):
        seeds_needed(results.folder, PowerOptions())
    results.cell("sasrec-none-s1", np.arange(1, 41), protocols=("sampled",), seed=1)
    with pytest.raises(IncomparableError, match="no full ranking"):
        seeds_needed(results.folder, PowerOptions(protocol="full"))


def test_a_plan_is_told_of_its_own_seeds_and_of_the_next_smaller_difference(results) -> None:
    values = write(results)
    head, line = seeds_preview(results.folder, [HYPOTHESIS], 5)
    outlook = Outlook.of(values["grasp"], values["none"])
    assert outlook is not None
    assert "80 % power" in head
    assert f"5 seeds tell {100 * outlook.least([5, 5]):.2f} points; 1 would take" in line
    assert seeds_preview(results.folder, [], 5) == seeds_preview(results.folder, [HYPOTHESIS], 1) == []
    assert seeds_preview(results.folder / "elsewhere", [HYPOTHESIS], 5) == []
    many = [HYPOTHESIS | {"metric": f"{name}@{k}"} for name in ("HR", "NDCG") for k in (5, 10, 20)]
    assert seeds_preview(results.folder, many, 3)[-1] == "  and 3 more: grasp-bench power toy_spec"
