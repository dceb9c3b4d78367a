"""The run and its trackers: nothing of theirs reaches the run, whatever happens to either."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import run_fakes
from fake_study import Fakes
from patience import PATIENCE
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from grasp_bench.core.errors import MissingExtraError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Store
from grasp_bench.engine import tracking
from grasp_bench.engine.run import Outcome, RunConfig, run_plan
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.engine.trackers.registry import State, TrackedRun, Tracker, open_trackers
from grasp_bench.engine.trackers.tensorboard import TensorBoardTracker
from grasp_bench.engine.tracking import TrackerCallback

PLAN = run_fakes.fake_plan()
GRASP = next(cell for cell in PLAN.cells if cell.slug == "sasrec-grasp-s42")


def run(fakes: Fakes, *trackers: str) -> Outcome:
    shop = RunConfig(
        store=fakes.store, results=fakes.results, devices=("cpu",), executor="in_process",
        log_format="plain", stages="fake_stages:FAKES",
        trackers=open_trackers(trackers, fakes.store / "trackers"),
    )  # fmt: skip
    return run_plan(PLAN, shop)


def read(folder: Path, slug: str) -> EventAccumulator:
    return EventAccumulator(str(folder / "fakes" / slug)).Reload()


def state_of(folder: Path, slug: str) -> str:
    return read(folder, slug).Tensors("state")[-1].tensor_proto.string_val[0].decode()


def test_a_tracker_that_fails_is_switched_off_with_one_word(
    fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    good = tmp_path / "good"
    outcome = run(fakes, f"tensorboard={tmp_path / 'taken'}")
    assert not outcome.failed
    said = capsys.readouterr().err
    assert said.count("warning: tracker tensorboard is switched off, the run goes on: ") == 1
    assert not run(fakes, f"tensorboard={good}").failed  # all is there: nobody is told
    assert not good.exists()


def test_a_missing_library_stops_everything_before_it_begins(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match="mlflow"):
        run(fakes, "mlflow")
    assert fakes.runs() == []
    assert not fakes.results.exists()


def test_failed_and_finished_cells_say_so(fakes: Fakes, tmp_path: Path) -> None:
    fakes.order("rank sasrec-grasp-s42", "refuse")
    assert set(run(fakes, f"tensorboard={tmp_path / 'tb'}").failed) == {"sasrec-grasp-s42"}
    assert state_of(tmp_path / "tb", "sasrec-grasp-s42") == "failed"
    assert state_of(tmp_path / "tb", "sasrec-none-s42") == "finished"
    fakes.relent()
    assert not run(fakes, f"tensorboard={tmp_path / 'tb'}").failed
    assert state_of(tmp_path / "tb", "sasrec-grasp-s42") == "finished"


def watch(trackers: Mapping[str, Tracker], store: Path, stream: io.StringIO) -> TrackerCallback:
    return TrackerCallback(trackers, PLAN.cells, "fakes", Store(store), lambda line: print(line, file=stream))


def test_an_attempt_after_an_interrupted_one_has_one_whole_curve(tmp_path: Path) -> None:
    train = GRASP.nodes["train"]
    for epochs in (3, 2):
        view = watch({"tensorboard": TensorBoardTracker(None, tmp_path)}, tmp_path / "store", io.StringIO())
        view.started(train)
        for epoch in range(1, epochs + 1):
            view.progress(Progress(train, Event("train", epoch, 9, figures={"loss": epochs + epoch / 10})))
        view.close()
        assert state_of(tmp_path / "tensorboard", GRASP.slug) == "interrupted"
        time.sleep(1.1)  # event files are told apart and ordered by seconds
    told = read(tmp_path / "tensorboard", GRASP.slug).Scalars("training/loss")
    assert [(event.step, pytest.approx(event.value)) for event in told] == [(1, 2.1), (2, 2.2)]


class Slow:
    """A tracker that takes its time, as one behind a bad connection does."""

    place = "far away"

    def __init__(self, where: str | None, folder: Path) -> None:
        self.began = 0

    def begin(self, run: TrackedRun) -> None:
        self.began += 1
        time.sleep(PATIENCE)

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        raise AssertionError("never reached")

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        raise AssertionError("never reached")


def test_a_slow_tracker_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "SECONDS_TO_SEND", 0.2)
    stream, train = io.StringIO(), GRASP.nodes["train"]
    view = watch({"slow": Slow(None, tmp_path)}, tmp_path / "store", stream)
    begun = time.perf_counter()
    view.started(train)
    for epoch in range(100):
        view.progress(Progress(train, Event("train", epoch, 100, figures={"loss": 1.0})))
    view.finished(Done(train, 1.0, reused=False))
    view.close()
    assert time.perf_counter() - begun < 30
    assert "slow has not taken all in 0.2 s; the rest is lost" in stream.getvalue()
