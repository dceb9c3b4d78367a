"""Texts of items of which nothing is known are refused when a plan is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.experiment import Experiment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "amazon-fashion"
    folder.mkdir()
    (folder / "interactions.csv").write_text("user_id,item_id,position\n")
    (folder / "people.csv").write_text("user_id,age\n")
    return folder


def plan(folder: Path, enhancer: str = "grasp", users: str | None = None, **sections: Any) -> None:
    values = {
        "name": "x",
        "model": {"enhancer": enhancer},
        "dataset": {"source": str(folder), "users": users},
    }
    compile_plan(Experiment.model_validate(values | sections), str)


def refusal(folder: Path, **settings: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        plan(folder, **settings)
    return caught.value


def test_a_public_dataset_without_texts_fits_on_one_screen(folder: Path) -> None:
    error = refusal(folder)
    assert "has no items file beside it, and text.users and text.items tell of items" in error.message
    screen = str(error).splitlines()
    assert len(screen) < 24
    assert max(map(len, screen[1:])) < 200
    for command in (
        "run SPEC --prepare",
        "data prepare amazon-fashion --raw FOLDER",
        "run SPEC --dataset demo",
    ):
        assert command in str(error)
    assert "GRASP_BENCH_DATA=./prepared grasp-bench run" in str(error)


def test_any_other_dataset_is_told_what_is_missing(folder: Path) -> None:
    other = folder.rename(folder.parent / "shop")
    assert "add items.csv" in str(refusal(other).hint)


def test_only_what_is_read_must_be_told(folder: Path) -> None:
    plan(folder, "none")
    assert refusal(folder, users="people.csv").message.endswith(
        "and text.items tell of items by their titles"
    )
    paths = {"users": str(folder / "people.csv"), "items": str(folder / "interactions.csv")}
    precomputed = {side: {"provider": "precomputed", "path": path} for side, path in paths.items()}
    plan(folder, text=precomputed)
    assert "text.items" not in refusal(folder, text={"items": precomputed["items"]}).message
    (folder / "items.csv").write_text("item_id,title\n")
    plan(folder)
