"""Whole plans over fake stages in real processes: finishing, failing, dying, going on."""

from __future__ import annotations

import json

import pytest
from fake_study import Fakes
from run_fakes import fake_plan

from grasp_bench.core.store import Store
from grasp_bench.plan.selection import status

BASE, GRASP, SOFTMAX = "sasrec-none-s42", "sasrec-grasp-s42", "sasrec-grasp-softmax-s42"


@pytest.mark.parametrize("executor", ["process_pool", "in_process"])
def test_every_node_runs_once_and_every_cell_is_published(
    fakes: Fakes, executor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = fakes.run(executor, workers=1)
    assert [cell.slug for cell in outcome.finished] == [BASE, GRASP, SOFTMAX]
    assert sorted(fakes.runs()) == sorted(node.label for node in fake_plan().nodes)
    assert "3 cells, 17 nodes, 17 to do, about" in capsys.readouterr().err
    cell = json.loads((fakes.results / "fakes" / SOFTMAX / "cell.json").read_text())
    assert cell["ablation"] == "softmax"
    assert cell["train"]["epochs"] == 3
    assert cell["train"]["best_epoch"] == 2
    assert cell["train"]["seconds"] >= 0
    assert cell["settings"]["model"]["attention"] == "softmax"
    assert cell["versions"]["grasp_bench"]
    assert cell["machine"].endswith("CPU")
    assert (fakes.results / "fakes" / BASE / "ranks.parquet").read_bytes() == b"ranks"


def test_a_second_run_does_nothing(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.run("in_process", workers=1)
    before = fakes.runs()
    published = fakes.results / "fakes" / BASE / "cell.json"
    written = published.stat().st_mtime_ns
    outcome = fakes.run("in_process", workers=1)
    assert len(outcome.finished) == 3
    assert fakes.runs() == before
    assert published.stat().st_mtime_ns == written
    assert "nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("refuse", "user 'ünï' has no history"),
        ("crash", "ZeroDivisionError: division by zero"),
        ("be killed", "worker died, exit -9"),
        ("exit", "worker died, exit 3"),
    ],
)
def test_a_failed_node_fails_its_cells_and_no_others(fakes: Fakes, word: str, message: str) -> None:
    fakes.order(f"train {GRASP}", word)
    outcome = fakes.run()
    assert [cell.slug for cell in outcome.finished] == [BASE, SOFTMAX]
    assert list(outcome.failed) == [GRASP]
    failure = outcome.failed[GRASP]
    assert failure.node.stage == "train"
    assert failure.message == message
    assert failure.report is not None
    text = failure.report.read_text()
    assert message in text
    assert {"crash": "Traceback", "be killed": "last words"}.get(word, "") in text
    assert not (fakes.results / "fakes" / GRASP).exists()

    fakes.relent()
    before = len(fakes.runs())
    assert not fakes.run("in_process", workers=1).failed
    assert sorted(fakes.runs()[before:]) == [f"metrics {GRASP}", f"rank {GRASP}", f"train {GRASP}"]
    assert not failure.report.exists()


def test_a_shared_node_that_fails_is_one_failure_of_many_cells(fakes: Fakes) -> None:
    fakes.order("embeddings users", "refuse")
    outcome = fakes.run()
    assert [cell.slug for cell in outcome.finished] == [BASE]
    assert list(outcome.failed) == [GRASP, SOFTMAX]
    assert len(outcome.failures) == 1
    assert outcome.failures[0].hint == "drop the user"


def test_a_stage_finds_what_a_killed_one_left(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.order(f"train {GRASP}", "be killed")
    fakes.run()
    plan, store = fake_plan(), Store(fakes.store)
    train = next(cell for cell in plan.cells if cell.slug == GRASP).nodes["train"]
    assert status(plan, store).states[train.hash] == "resume"
    fakes.relent()
    capsys.readouterr()
    fakes.run("in_process", workers=1)
    assert "resuming 1/3 cells" in capsys.readouterr().err
    assert store.get("train", train.hash).sidecar["facts"]["found_before"] == ["made.json"]


def test_workers_live_on_from_node_to_node(fakes: Fakes) -> None:
    fakes.run(workers=2)
    store = Store(fakes.store)
    pids = {store.get(node.stage, node.hash).sidecar["facts"]["pid"] for node in fake_plan().nodes}
    assert len(pids) <= 2


def test_a_sidecar_says_how_the_artefact_came_about(fakes: Fakes) -> None:
    fakes.run("in_process", workers=1)
    node = next(node for node in fake_plan().nodes if node.stage == "rank")
    sidecar = Store(fakes.store).get("rank", node.hash).sidecar
    assert sidecar["inputs"] == {role: upstream.hash for role, upstream in node.inputs.items()}
    assert sidecar["settings"] == dict(node.settings)
    assert {"hash", "stage", "version", "label", "versions", "seconds", "finished", "inputs"} <= set(sidecar)
