"""Specs of thousands of cells: work grows as they do, and what cells share is made once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load_text

HEAD = "name: t\ndataset: {source: demo}\nmodel: {enhancer: grasp}\n"


def ablations(count: int) -> str:
    lines = (f"  a{k}: {{training.lr: {k + 1}.0e-5}}\n" for k in range(count))
    return f"{HEAD}ablations:\n{''.join(lines)}"


def crossed(count: int) -> str:
    """Methods that read the compared key, and some that all collapse into one."""
    return (
        f"{HEAD}compare:\n  model.enhancer: [grasp, none]\n  index.num_neighbours: {[*range(1, count + 1)]}\n"
    )


def wrong(count: int) -> str:
    lines = (f"  a{k}: {{training.lr: -{k + 1}.0, modl.x: {k}}}\n" for k in range(count))
    return f"{HEAD}ablations:\n{''.join(lines)}"


@contextmanager
def counted_calls() -> Iterator[Callable[[], int]]:
    """Counts calls of Python functions: a measure of work that no other process disturbs."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield lambda: calls
    finally:
        sys.setprofile(before)


def work(text: str) -> int:
    with counted_calls() as calls, suppress(SpecError):
        compile_plan(load_text(text).experiment, str)
    return calls()


@pytest.mark.parametrize("spec", [ablations, crossed, wrong])
def test_twice_the_cells_take_twice_the_work(spec: Callable[[int], str]) -> None:
    work(spec(150))  # what is cached for the whole process
    assert work(spec(800)) < 2.5 * work(spec(400))


def test_files_are_looked_at_once_for_all_cells(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user_id,item_id,position\n")
    (tmp_path / "items.csv").write_text("item_id,title\n")
    looked: list[str] = []

    def fingerprint(path: Path) -> str:
        looked.append(path.name)
        return path.name

    values = {
        "name": "t",
        "dataset": {"source": str(tmp_path)},
        "seeds": range(4),
        "compare": {"model.enhancer": ["none", "grasp"], "training.lr": [0.1, 0.2, 0.3]},
    }
    assert len(compile_plan(Experiment.model_validate(values), fingerprint).cells) > 24
    assert sorted(looked) == ["interactions.csv", "items.csv"]


def test_values_that_are_equal_in_python_alone_are_told_apart() -> None:
    """1 and 1.0 are one number, and two texts in the settings that name an artefact."""
    cuts = "{split: temporal, temporal: {valid_from: %s, test_from: 9}}"
    text = (
        f"{HEAD}controls: []\nablations:\n"
        f"  whole: {{dataset.protocol: {cuts % '1'}}}\n  real: {{dataset.protocol: {cuts % '1.0'}}}\n"
    )
    cells = {cell.ablation: cell for cell in compile_plan(load_text(text).experiment, str).cells}
    told = {name: cells[name].nodes["split"].settings["temporal"]["valid_from"] for name in ("whole", "real")}
    assert [type(value) for value in told.values()] == [int, float]
    assert cells["whole"].nodes["split"] != cells["real"].nodes["split"]
