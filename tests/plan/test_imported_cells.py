"""Imported runs: rows of one node of their own under the spec's protocol, named by the file's content."""

from __future__ import annotations

from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.experiment import Experiment


def cells(*runs: dict[str, Any], **sections: Any) -> dict[str, Cell]:
    content = {
        "name": "t", "dataset": {"source": "demo"}, "controls": [], "seeds": [1, 2],
        "compare": {"model.enhancer": ["none", "grasp"]}, "imported": runs, **sections,
    }  # fmt: skip
    return {cell.slug: cell for cell in compile_plan(Experiment.model_validate(content), str).cells}


THEIRS = {"name": "theirs", "run": "a.csv"}


def test_a_run_is_one_row_beside_the_others() -> None:
    found = cells(THEIRS)
    assert list(found)[-1] == "theirs"
    cell, model = found["theirs"], found["sasrec-none-s1"]
    assert (cell.kind, cell.name, cell.seed, dict(cell.variant)) == ("imported", "theirs", None, {})
    assert cell.protocol_hash == model.protocol_hash
    rank = cell.nodes["rank"]
    assert set(rank.inputs) == {"split", "candidates"}
    assert model.nodes["rank"].settings.items() <= rank.settings.items()
    assert rank.located()["path"] == "a.csv"
    assert cell.nodes["metrics"].settings == model.nodes["metrics"].settings
    assert {slug: each.hash for slug, each in cells().items()} == {
        slug: each.hash for slug, each in found.items() if slug != "theirs"
    }


def test_seeds_of_one_name_are_rows_of_one_method() -> None:
    found = cells({**THEIRS, "seed": 1}, {**THEIRS, "run": "b.csv", "seed": 2})
    assert [(slug, cell.seed) for slug, cell in found.items() if cell.name] == [
        ("theirs-s1", 1), ("theirs-s2", 2),
    ]  # fmt: skip


def test_a_list_of_the_best_is_measured_down_to_its_depth() -> None:
    found = cells({**THEIRS, "holds": "top", "depth": 7})["theirs"]
    assert found.nodes["metrics"].settings["cutoffs"] == [1, 3, 5]


def protocol(**keys: Any) -> dict[str, Any]:
    return {"dataset": {"source": "demo", "protocol": keys}}


TOP = {"holds": "top", "depth": 2}


@pytest.mark.parametrize(
    ("run", "sections", "words"),
    [
        (TOP, protocol(cutoffs=[5, 10]), "depth 2 is below all of dataset.protocol.cutoffs"),
        (TOP, protocol(also_full_ranking=False), "also_full_ranking is false"),
        ({}, protocol(candidates="redrawn"), "need stored ones"),
        ({}, {"compare": {"dataset.min_user": [3, 4]}}, "leave dataset.. out of compare"),
    ],
)
def test_what_its_protocol_cannot_measure_is_refused(
    run: dict[str, Any], sections: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=rf"imported\[0\] \(theirs\): .*{words}"):
        cells({**THEIRS, **run}, **sections)
