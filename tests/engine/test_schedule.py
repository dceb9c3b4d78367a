"""The order of submission, the threads given out, and what a failure blocks: with an executor of paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_fakes import fake_plan

from grasp_bench.engine.run import Schedule
from grasp_bench.engine.tasks import Broken, Done, End, Failure, Progress, Task
from grasp_bench.plan.nodes import Node


class Paper:
    """Ends the oldest task at each wait; breaks those named."""

    def __init__(self, slots: int, broken: str = "") -> None:
        self.slots = slots
        self.broken = broken
        self.on: list[Task] = []
        self.seen: list[Task] = []

    def submit(self, task: Task) -> None:
        assert len(self.on) < self.slots
        self.on.append(task)
        self.seen.append(task)

    def wait(self) -> list[End]:
        task = self.on.pop(0)
        if task.node.label == self.broken:
            return [Broken(task.node, "DataError", "no", None, "")]
        return [Done(task.node, 1.0, reused=False)]

    def close(self) -> None: ...
    def stop(self) -> None: ...


class Deaf:
    """A view that shows nothing."""

    def note(self, line: str) -> None: ...
    def started(self, node: Node) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, done: Done) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def close(self) -> None: ...


def run(paper: Paper, store: Path, threads: int) -> tuple[Schedule, list[str]]:
    plan = fake_plan()
    schedule = Schedule(plan.nodes, plan.cells, threads=threads)
    made: list[str] = []
    schedule.run(paper, store, Deaf(), lambda node: made.append(node.label))  # type: ignore[arg-type]
    return schedule, made


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_inputs_are_made_before_what_reads_them(tmp_path: Path, slots: int) -> None:
    _, made = run(Paper(slots), tmp_path, threads=1)
    plan = fake_plan()
    assert sorted(made) == sorted(node.label for node in plan.nodes)
    for node in plan.nodes:
        assert all(made.index(up.label) < made.index(node.label) for up in node.inputs.values())


def test_what_several_cells_wait_for_goes_first(tmp_path: Path) -> None:
    _, made = run(Paper(1), tmp_path, threads=2)
    shared = [name for name in made if name.split()[0] in ("text", "embeddings", "neighbours")]
    assert len(shared) == 6
    assert max(map(made.index, shared)) < made.index("train sasrec-none-s42")


def test_a_cells_own_nodes_always_get_the_same_threads(tmp_path: Path) -> None:
    paper = Paper(slots=4)
    run(paper, tmp_path, threads=2)
    threads = {task.node.label: task.threads for task in paper.seen}
    own = {"train", "rank", "metrics"}
    assert {count for label, count in threads.items() if label.split()[0] in own} == {2}
    assert threads["split demo"] == 8  # alone on four workers of two threads each
    assert all(2 <= count <= 8 for count in threads.values())


def test_a_failure_blocks_what_hangs_on_it_and_nothing_else(tmp_path: Path) -> None:
    schedule, made = run(Paper(2, broken="neighbours items"), tmp_path, threads=1)
    cells = {cell.slug: schedule.failure_of(cell) for cell in fake_plan().cells}
    assert cells["sasrec-none-s42"] is None
    assert cells["sasrec-grasp-s42"] is cells["sasrec-grasp-softmax-s42"] is not None
    assert "train sasrec-grasp-s42" not in made
    assert "neighbours users" in made
    assert (tmp_path / "failures").is_dir()


def test_a_failure_is_told_even_when_its_report_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    schedule, _ = run(Paper(1, broken="split demo"), blocked, threads=1)
    failure = schedule.failure_of(fake_plan().cells[0])
    assert failure is not None
    assert failure.message == "no"
    assert failure.report is None
