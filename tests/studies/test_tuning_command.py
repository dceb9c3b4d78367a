"""`grasp-bench tune` as people use it: processes that are killed, several at once, and the winner's spec."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from patience import PATIENCE
from tuned_shop import searched, write_shop
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import IncomparableError, RunFailedError, SpecError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.plan.selection import status
from grasp_bench.spec.loading import load
from grasp_bench.studies.tuning.search import SearchOptions
from grasp_bench.studies.tuning.search import tune as search
from grasp_bench.studies.tuning.storage import StudyLocation, open_study

TUNE = [sys.executable, "-m", "grasp_bench", "tune", "shop.yaml", "--device", "cpu", "--log-format", "plain"]
RANDOM = ["tuning.sampler=random", "seeds=[1]", "tuning.space={training.lr: [1e-3, 1e-1, log]}"]
SLOW = [*RANDOM, "training.batch_size=2", "training.max_epochs=20"]


def command_line(overrides: list[str]) -> list[str]:
    return [*(word for override in overrides for word in ("--set", override)), "--workers", "1"]


QUICKLY, SLOWLY = command_line(RANDOM), command_line(SLOW)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TUNE, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def tune(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    said, told = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, said, told)


def found_in(folder: Path) -> Any:
    return json.loads((folder / "results" / "shop" / "tuning.json").read_text())


def asked(folder: Path, **options: Any) -> SearchOptions:
    store, results, boards = folder / ".grasp_bench", folder / "results", folder / "leaderboard"
    return SearchOptions(store, results, boards, ("cpu",), log_format="plain", **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop").parent


def test_from_a_search_to_the_winners_run(folder: Path) -> None:
    done = tune(folder, "--workers", "2", "--write-spec", "best.yaml")
    assert done.returncode == 0, done.stderr
    assert "Importance" in done.stdout
    found = found_in(folder)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 4
    assert "4/4 trials to do" in done.stderr
    markdown = (folder / "leaderboard" / "shop.tuning.md").read_text()
    assert markdown.startswith("# Tuning: shop")
    # The winner is a spec like any other, and all of it that costs is there.
    written = load(folder / "best.yaml").experiment
    best = found["best"]["params"]
    assert written.index.num_neighbours == best["index.num_neighbours"]
    assert written.model.embedding_dim == best["model.embedding_dim"]
    assert (written.name, written.seeds, written.tuning) == ("best", (1, 2), None)
    status_now = status(compile_plan(written, Fingerprints()), Store(folder / ".grasp_bench"))
    assert status_now.trainings == 0
    assert {node.stage for node in status_now.to_run} == {"rank", "metrics"}
    again = ["tune", str(folder / "shop.yaml"), "--write-spec", str(folder / "best.yaml")]
    refused = CliRunner().invoke(app, again)
    assert refused.exit_code == 1
    assert "best.yaml exists already" in refused.output


def test_a_killed_search_goes_on_where_it_was(folder: Path) -> None:
    process = start(folder, *SLOWLY, "--trials", "3")
    assert process.stderr is not None
    for line in process.stderr:
        if "start   trial 1" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    journal = next((folder / ".grasp_bench" / "tuning").glob("*.journal"))
    before = journal.read_text().count('"op_code":4')  # trials that were begun
    assert before >= 2
    done = tune(folder, *SLOWLY, "--trials", "3")
    assert done.returncode == 0, done.stderr
    killed = found_in(folder)
    assert [trial["state"] for trial in killed["trials"]] == ["complete"] * 3
    assert "2/3 trials to do" in done.stderr
    # Its each is that of a search that nobody disturbed.
    whole = searched(folder / "shop.yaml", folder / "other", [*SLOW, "tuning.trials=3"])
    series = [
        [(t["params"], t["value"]) for t in killed["trials"]],
        list(zip(whole.params, whole.values, strict=True)),
    ]
    assert sorted(map(str, series[0])) == sorted(map(str, series[1]))


def test_a_worker_that_dies_is_replaced(folder: Path) -> None:
    process = start(folder, *SLOWLY, "--trials", "1")
    assert process.stderr is not None
    for line in process.stderr:
        if "start   trial 0" in line:
            break
    (worker,) = (
        child for child in psutil.Process(process.pid).children() if "spawn_main" in str(child.cmdline())
    )
    worker.kill()
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, told
    assert "a worker died, exit -9; its trial is asked again" in told
    assert [trial["state"] for trial in found_in(folder)["trials"]] == ["complete"]


def test_two_commands_share_a_database(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = [*QUICKLY, "--storage", "sqlite:///shared.db", "--trials", "3"]
    command, here = start(folder, *shared), asked(folder, storage=f"sqlite:///{folder}/shared.db", trials=3)
    loaded = load(folder / "shop.yaml", RANDOM)
    search(loaded, here)
    told = command.communicate(timeout=PATIENCE)[1]
    assert command.returncode == 0, told
    trials = search(loaded, here)["trials"]
    assert "0/3 trials to do" in capsys.readouterr().err
    assert [trial["state"] for trial in trials] == ["complete"] * 3
    assert len({str(trial["params"]) for trial in trials}) == 3


def test_ctrl_c_says_how_to_go_on(folder: Path) -> None:
    process = start(folder, *SLOWLY, "--set", "training.max_epochs=500", "--set", "training.patience=500")
    assert process.stderr is not None
    for line in process.stderr:
        if "start   trial 0" in line:
            break
    process.send_signal(signal.SIGTERM)  # as a scheduler does; Ctrl-C takes the same way
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    assert "interrupted; the same command resumes" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("overrides", "options", "error", "message"),
    [
        (["tuning=null"], {}, SpecError, "shop.yaml tuning: required key is missing"),
        (["model.enhancer=none", "tuning.space={index.num_neighbours: [1, 2, 3]}"], {}, SpecError,
         "index.num_neighbours changes nothing of sasrec-none"),
        ([], {"storage": "nonsense://x:secret@y/z"}, StoreError, "nonsense://…@y/z: the study cannot be"),
        ([], {"study": "a/b"}, SpecError, "--study a/b: letters, digits"),
        (["tuning.space={model.heads: [3, 5, 7]}"], {}, RunFailedError, "all 3 trials failed"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_said(
    overrides: list[str], options: dict[str, str], error: type[Exception], message: str, folder: Path
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        search(load(folder / "shop.yaml", overrides), asked(folder, **options))


def test_another_base_does_not_mix_with_a_named_study(folder: Path) -> None:
    kept = StudyLocation(str(folder / "x.journal"), "mine", folder / "workers")
    open_study(kept, "one base")
    open_study(kept, "one base")
    with pytest.raises(IncomparableError, match="study 'mine'"):
        open_study(kept, "another")
