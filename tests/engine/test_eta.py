"""How long the rest takes: the plan's guess, corrected by a clock that tests turn by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Store
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.estimate import START_SECONDS, Estimate, estimate
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment

SPEC = {"name": "course", "dataset": {"source": "demo"}, "controls": [], "seeds": [1, 2, 3]}
PLAN = compile_plan(Experiment.model_validate(SPEC), str)  # a split, candidates, and three trainings
TRAINS = [node for node in PLAN.nodes if node.stage == "train"]


@dataclass
class Run:
    """A course with a guess of 100 s for each training, 1 s for all else, and 50 epochs."""

    workers: int = 1
    now: float = 0.0
    eta: Eta = field(init=False)

    def __post_init__(self) -> None:
        seconds = {node.hash: 100.0 if node.stage == "train" else 1.0 for node in PLAN.nodes}
        guess = Estimate(seconds, 0.0, 0.0, 0.0, 0.0, {node.hash: 50.0 for node in TRAINS})
        self.eta = Eta(PLAN.nodes, PLAN.cells, guess, self.workers, clock=lambda: self.now)

    def make(self, *nodes: Node, took: float, reused: bool = False) -> None:
        for node in nodes:
            self.eta.started(node)
            self.now += took
            self.eta.finished(Done(node, took, reused))

    def epochs(self, node: Node, *done: int, each: float) -> None:
        for epoch in done:
            self.now += each
            self.eta.progress(Progress(node, Event("train", epoch, 200, "epochs")))


def others(stage: str) -> list[Node]:
    return [node for node in PLAN.nodes if node.stage == stage]


def test_at_first_it_is_the_plans_guess() -> None:
    sum_of_all = 3 * 100 + (len(PLAN.nodes) - 3)
    assert Run().eta.seconds_left() == sum_of_all
    assert Run(workers=2).eta.seconds_left() == sum_of_all / 2
    assert Run(workers=99).eta.seconds_left() == 1 + 1 + 100 + 1 + 1  # one after the other, all the same


def test_the_plans_guess_is_what_estimate_says(tmp_path: Path) -> None:
    guess = estimate(PLAN, PLAN.nodes, Store(tmp_path), 2)
    assert Eta(PLAN.nodes, PLAN.cells, guess, 2).seconds_left() == pytest.approx(
        guess.seconds - START_SECONDS
    )
    assert guess.passes[TRAINS[0].hash] == 100  # of max_epochs 200, where patience tends to end it


def test_one_training_tells_of_the_others() -> None:
    run = Run()
    run.make(*others("split"), *others("candidates"), took=1)
    run.make(TRAINS[0], took=10)  # a tenth of what was guessed
    assert run.eta.seconds_left() == pytest.approx(2 * 10 + 6)


def test_a_training_under_way_tells_of_itself_and_of_the_others() -> None:
    run = Run()
    run.make(*others("split"), *others("candidates"), took=1)
    run.eta.started(TRAINS[0])
    run.now += 3  # until the first epoch is told
    run.epochs(TRAINS[0], 1, each=0)
    assert run.eta.seconds_left_of(TRAINS[0]) == 97  # one report has no speed
    run.epochs(TRAINS[0], 2, 3, 4, 5, each=0.5)
    assert run.eta.rate_of(TRAINS[0]) == 2
    assert run.eta.seconds_left_of(TRAINS[0]) == pytest.approx(45 * 0.5)
    projected = 3 + 4 * 0.5 + 45 * 0.5
    assert run.eta.seconds_left() == pytest.approx(45 * 0.5 + 2 * projected + 6)
    run.now += 0.4
    assert run.eta.seconds_left_of(TRAINS[0]) == pytest.approx(45 * 0.5 - 0.4)


def test_a_training_that_goes_on_longer_than_most_is_never_over_already() -> None:
    run = Run()
    run.eta.started(TRAINS[0])
    run.epochs(TRAINS[0], *range(1, 81), each=1)
    assert run.eta.seconds_left_of(TRAINS[0]) == pytest.approx(8)  # a tenth of what it took
    run.epochs(TRAINS[0], *range(81, 200), each=1)
    assert run.eta.seconds_left_of(TRAINS[0]) == pytest.approx(1)  # max_epochs ends it


def test_a_resumed_training_is_as_fast_as_it_is_now() -> None:
    run = Run()
    run.eta.started(TRAINS[0])
    run.epochs(TRAINS[0], 41, 42, 43, each=2)
    assert run.eta.seconds_left_of(TRAINS[0]) == pytest.approx((50 - 43) * 2)


def test_what_another_process_has_made_tells_nothing_of_speed() -> None:
    run = Run()
    before = run.eta.seconds_left()
    run.make(TRAINS[0], took=0.1, reused=True)
    assert run.eta.seconds_left() == pytest.approx(before - 100)


def test_what_hangs_on_a_failure_takes_no_time() -> None:
    run = Run()
    run.eta.started(TRAINS[0])
    run.eta.failed(Failure(TRAINS[0], "broke", None, None))
    assert run.eta.seconds_left() == 2 * 100 + 2 + 4  # of the failed cell, rank and metrics are not made
    run.eta.failed(Failure(others("split")[0], "broke", None, None))
    assert run.eta.seconds_left() == 0


def test_cells_are_counted() -> None:
    run = Run()
    assert (run.eta.cells, run.eta.cells_finished) == (3, 0)
    run.make(*PLAN.nodes[:4], took=1)
    finished = sum(node.stage == "metrics" for node in PLAN.nodes[:4])
    assert run.eta.cells_finished == finished
    some = Eta(PLAN.nodes[-1:], PLAN.cells, estimate(PLAN, PLAN.nodes, Store(Path("none")), 1), 1)
    assert some.cells_finished == 2  # were there before
