"""`grasp-bench tune` as people use it: processes that are killed, several at once, and the winner's spec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tuned_shop import write_shop

TUNE = [sys.executable, "-m", "grasp_bench", "tune", "shop.yaml", "--device", "cpu", "--log-format", "plain"]
RANDOM = ["--set", "tuning.sampler=random", "--set", "seeds=[1]", "--set",
          "tuning.space={training.lr: [1e-3, 1e-1, log]}"]  # fmt: skip


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TUNE, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def tune(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    said, told = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, said, told)


def grasp_bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grasp_bench", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def found_in(folder: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(
        (folder / "results" / "shop" / "tuning.json").read_text()
    )
    return found


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
    assert grasp_bench(folder, "validate", "best.yaml").returncode == 0
    assert "trainings 0" in grasp_bench(folder, "plan", "best.yaml").stdout
    ran = grasp_bench(folder, "run", "best.yaml", "--device", "cpu", "--log-format", "plain")
    assert ran.returncode == 0, ran.stderr
    assert "start   train" not in ran.stderr
    best = found["best"]["params"]  # type: ignore[call-overload]
    for cell in (folder / "results" / "best").glob("*/cell.json"):
        settings = json.loads(cell.read_text())["settings"]
        assert settings["index"]["num_neighbours"] == best["index.num_neighbours"]
        assert settings["model"]["embedding_dim"] == best["model.embedding_dim"]
    refused = tune(folder, "--write-spec", "best.yaml")
    assert refused.returncode == 1
    assert "best.yaml exists already" in refused.stderr
    again = tune(folder, "--write-spec", "best.yaml", "--overwrite")
    assert again.returncode == 0
    assert "0/4 trials to do" in again.stderr


def test_a_killed_search_goes_on_where_it_was(folder: Path) -> None:
    slow = [*RANDOM, "--workers", "1", "--set", "training.batch_size=2", "--set", "training.max_epochs=20"]
    process = start(folder, *slow, "--trials", "3")
    assert process.stderr is not None
    for line in process.stderr:
        if "start   trial 1" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    journal = next((folder / ".grasp_bench" / "tuning").glob("*.journal"))
    before = journal.read_text().count('"op_code":4')  # trials that were begun
    assert before >= 2
    done = tune(folder, *slow, "--trials", "3")
    assert done.returncode == 0, done.stderr
    killed = found_in(folder)
    assert [trial["state"] for trial in killed["trials"]] == ["complete"] * 3
    assert "2/3 trials to do" in done.stderr
    # Its course is that of a search that nobody disturbed.
    whole = write_shop(folder.parent / "other").parent
    assert tune(whole, *slow, "--trials", "3").returncode == 0
    points = [[(t["params"], t["value"]) for t in each["trials"]] for each in (killed, found_in(whole))]
    assert sorted(map(str, points[0])) == sorted(map(str, points[1]))


def test_two_commands_share_a_database(folder: Path) -> None:
    asked = [*RANDOM, "--workers", "1", "--storage", "sqlite:///shared.db", "--trials", "5"]
    commands = [start(folder, *asked) for _ in range(2)]
    for command in commands:
        told = command.communicate(timeout=120)[1]
        assert command.returncode == 0, told
    trials = found_in(folder)["trials"]
    final = tune(folder, *asked)
    assert "0/5 trials to do" in final.stderr
    trials = found_in(folder)["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 5
    assert len({str(trial["params"]) for trial in trials}) == 5


def test_ctrl_c_says_how_to_go_on(folder: Path) -> None:
    slow = [*RANDOM, "--workers", "1", "--set", "training.batch_size=1", "--set", "training.max_epochs=500"]
    slow += ["--set", "training.patience=500"]
    process = start(folder, *slow, "--trials", "2")
    assert process.stderr is not None
    for line in process.stderr:
        if "start   trial 0" in line:
            break
    process.send_signal(signal.SIGTERM)  # as a scheduler does; Ctrl-C takes the same way
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted; the same command resumes" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "tuning=null"], 2, "shop.yaml tuning: required key is missing"),
        (["--set", "model.enhancer=none", "--set", "tuning.space={index.num_neighbours: [1, 2, 3]}"], 2,
         "index.num_neighbours changes nothing of sasrec-none"),
        (["--storage", "nonsense://x/y"], 5, "nonsense://x/y: the study cannot be opened"),
        (["--study", "a/b"], 2, "--study a/b: letters, digits"),
        (["--set", "tuning.space={model.heads: [3, 5, 7]}", "--set", "seeds=[1]"], 6, "all 3 trials failed"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_said(arguments: list[str], code: int, message: str, folder: Path) -> None:
    done = tune(folder, *arguments)
    assert message in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_another_base_does_not_mix_with_a_named_study(folder: Path) -> None:
    asked = [*RANDOM, "--trials", "1", "--study", "mine", "--workers", "1"]
    assert tune(folder, *asked).returncode == 0
    done = tune(folder, *asked, "--set", "training.batch_size=8")
    assert done.returncode == 2
    assert "study 'mine'" in done.stderr
