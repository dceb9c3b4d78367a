"""Plans of specs that add seeds: compiled for all of them, and cut to those that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.selection import first_seeds, seeds_begun, with_seeds
from grasp_bench.spec.experiment import Experiment

UNTIL = {"from": 5, "least": 2, "most": 4, "until": "decided"}


def experiment(**sections: Any) -> Experiment:
    content = {
        "name": "t",
        "dataset": {"source": "demo"},
        "compare": {"model.backbone": ["sasrec", "gru4rec"]},
    }
    return Experiment.model_validate({**content, "seeds": UNTIL, "controls": ["markov"], **sections})


def slugs(plan: Plan) -> list[str]:
    return [cell.slug for cell in plan.cells]


def test_the_whole_plan_has_all_seeds_and_the_first_part_is_that_of_a_list() -> None:
    asked = experiment()
    whole = compile_plan(asked, str)
    assert [cell.seed for cell in whole.cells] == [5, 6, 7, 8, 5, 6, 7, 8, None]
    assert first_seeds(whole, asked) == compile_plan(experiment(seeds=[5, 6]), str)
    assert whole == compile_plan(experiment(seeds=[5, 6, 7, 8]), str)


def test_each_method_has_as_many_seeds_as_are_wanted_of_it() -> None:
    asked = experiment()

    def count(cell: Cell) -> int:
        return 3 if cell.experiment.model.backbone == "sasrec" else 1

    part = with_seeds(compile_plan(asked, str), asked, count)
    assert slugs(part) == ["sasrec-none-s5", "sasrec-none-s6", "sasrec-none-s7", "gru4rec-none-s5", "markov"]
    needed = {node.hash for cell in part.cells for node in cell.nodes.values()}
    assert {node.hash for node in part.nodes} == needed


def test_controls_on_shuffled_embeddings_have_the_first_seed_or_as_many_as_methods() -> None:
    grasp: dict[str, Any] = {"model": {"enhancer": "grasp"}, "compare": {}, "controls": ["shuffled"]}
    once, each = experiment(**grasp), experiment(**grasp, control_seeds="all")
    shuffled = [cell.seed for cell in compile_plan(once, str).cells if cell.kind == "control"]
    assert shuffled == [5]
    whole = compile_plan(each, str)
    assert [cell.seed for cell in whole.cells if cell.kind == "control"] == [5, 6, 7, 8]
    assert [cell.seed for cell in first_seeds(whole, each).cells if cell.kind == "control"] == [5, 6]


def test_imported_runs_have_seeds_of_their_own(tmp_path: Path) -> None:
    runs = [{"name": "theirs", "run": str(tmp_path / f"{seed}.csv"), "seed": seed} for seed in (5, 8, 99)]
    for run in runs:
        Path(run["run"]).write_text("user_id,item_id,score\n")
    asked = experiment(imported=runs)
    kept = first_seeds(compile_plan(asked, str), asked).cells
    assert [cell.seed for cell in kept if cell.kind == "imported"] == [5, 8, 99]


def test_what_is_finished_of_later_seeds_is_begun(tmp_path: Path) -> None:
    asked, store = experiment(compare={}), Store(tmp_path)
    whole = compile_plan(asked, str)
    later = next(cell for cell in whole.cells if cell.seed == 8)
    assert seeds_begun(whole, asked, store) == first_seeds(whole, asked)
    with store.writing("metrics", later.hash, {}):
        pass
    found = seeds_begun(whole, asked, store)
    assert [cell.seed for cell in found.cells] == [5, 6, 8, None]
