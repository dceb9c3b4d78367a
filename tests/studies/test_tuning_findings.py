"""Curves, contours and the page of a search, from trials written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tuned_shop import searched, write_shop

from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.stats.intervals import half_width
from grasp_bench.studies.tuning.findings import contours, curves, interval_width, tuning_of
from grasp_bench.studies.tuning.report import lay_out_tuning
from grasp_bench.studies.tuning.schema import Trial


def trial(number: int, values: tuple[float, float], **params: Any) -> Trial:
    return Trial(
        number=number, state="complete", params=params, value=sum(values) / 2,
        values={"1": values[0], "2": values[1]}, epochs=9, seconds=1.0,
    )  # fmt: skip


CROSS = [
    trial(0, (0.30, 0.32), n=2, d=8),
    trial(1, (0.20, 0.24), n=1, d=8),
    trial(2, (0.40, 0.40), n=4, d=8),
    trial(3, (0.10, 0.14), n=2, d=4),
    trial(4, (0.50, 0.52), n=2, d=16),
]
OWN = {"n": 2, "d": 8}


def test_other_keys_are_where_most_points_are() -> None:
    best = CROSS[4]  # n was varied at the spec's own d alone, d at the best n, which is the spec's
    by_key = {curve["key"]: curve for curve in curves(CROSS, best, OWN, [1, 2])}
    assert by_key["n"]["fixed"] == {"d": 8}
    assert [(point["x"], point["mean"]) for point in by_key["n"]["points"]] == [
        (1, pytest.approx(0.22)), (2, pytest.approx(0.31)), (4, pytest.approx(0.40)),
    ]  # fmt: skip
    assert by_key["d"]["fixed"] == {"n": 2}
    assert [point["x"] for point in by_key["d"]["points"]] == [4, 8, 16]
    half = half_width([[0.10, 0.14], [0.30, 0.32], [0.50, 0.52]])  # of its own points alone
    assert half is not None
    assert by_key["d"]["points"][0]["low"] == pytest.approx(0.12 - half)
    assert by_key["d"]["points"][0]["high"] == pytest.approx(0.12 + half)


def test_where_all_keys_move_at_once_a_point_is_the_best_at_its_value() -> None:
    moved = [trial(0, (0.1, 0.1), n=3, d=3), trial(1, (0.2, 0.2), n=5, d=7), trial(2, (0.3, 0.3), n=1, d=9)]
    moved += [trial(3, (0.05, 0.05), n=5, d=6)]
    n, d = curves(moved, moved[2], OWN, [1])
    assert (n["fixed"], d["fixed"]) == ({}, {})
    assert [(point["x"], point["mean"], point["low"]) for point in n["points"]] == [
        (1, pytest.approx(0.3), None), (3, pytest.approx(0.1), None), (5, pytest.approx(0.2), None),
    ]  # fmt: skip


def test_a_contour_has_holes_where_nothing_was_tried() -> None:
    (contour,) = contours(CROSS, ["n", "d"])
    assert (contour["x"], contour["y"]) == ([1, 2, 4], [4, 8, 16])
    assert contour["z"] == [
        [None, pytest.approx(0.12), None],
        [pytest.approx(0.22), pytest.approx(0.31), pytest.approx(0.40)],
        [None, pytest.approx(0.51), None],
    ]


def test_a_point_that_was_asked_twice_counts_once() -> None:
    once, twice = (curves(trials, CROSS[4], OWN, [1, 2]) for trials in (CROSS, [*CROSS, *CROSS]))
    assert once == twice
    assert interval_width(CROSS[:1], [1, 2]) is None
    assert interval_width([], [1, 2]) is None


def test_a_search_is_told_from_what_the_storage_has(tmp_path: Path) -> None:
    space = "tuning.space={model.embedding_dim: [4, 6, 8], model.heads: [1, 4, choice]}"
    overrides = [
        space,
        "ablations={soft: {model.attention: softmax}}",
        "tuning.trials=5",
        "training.max_epochs=1",
    ]
    found = searched(write_shop(tmp_path / "shop"), tmp_path / "store", overrides)
    told = tuning_of(found.config.base, found.study, 6, ["model.heads"])
    assert told["best"] is not None
    assert told["best"]["value"] == max(each["value"] or 0 for each in told["trials"])
    assert sum(told["importance"].values()) == pytest.approx(1, abs=1e-3)
    notes = "\n".join(told["notes"])
    assert "Not searched: what the spec says under ablations." in notes
    assert "5 of 6 trials begun; the same command goes on." in notes
    assert "model.heads alone changes nothing" in notes
    text = document_text(lay_out_tuning(told))
    assert "## Two keys at once" in text
    assert "sampler grid" in text


def test_nothing_is_said_of_nothing(tmp_path: Path) -> None:
    found = searched(
        write_shop(tmp_path / "shop"), tmp_path / "store",
        ["tuning.space={model.heads: [3, 5, 7]}", "tuning.trials=3"],
    )  # fmt: skip
    told = tuning_of(found.config.base, found.study, 3, [])
    assert (told["best"], told["importance"], told["curves"], told["contours"]) == (None, {}, [], [])
    assert "No trial is complete." in document_text(lay_out_tuning(told))
    assert "embedding\\_dim 8 is not divisible by heads 3" in document_text(lay_out_tuning(told))
