"""What a service has answered lies in the store as privately as in the ledger, under a umask of 022."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from calling import call
from llm_server.launch import Running
from llm_server.settings import Fault
from questionnaire import KEY
from small_study import KEYS, write_study
from typer.testing import Result

NOISE = ("--set", "noise={target: text, rates: [0.5]}")


def run(folder: Path) -> Result:
    quick = ("--device", "cpu", "--executor", "in_process")
    before = os.umask(0o022)
    try:
        return call(
            folder, "run", "study.yaml", *quick, *NOISE, **dict.fromkeys(KEYS) | {"OPENAI_API_KEY": KEY}
        )
    finally:
        os.umask(before)


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def modes_below(*folders: Path) -> set[tuple[bool, str]]:
    """Whether a folder, and mode, of all that lies below."""
    return {(path.is_dir(), mode(path)) for folder in folders for path in folder.rglob("*")}


def test_texts_and_what_is_made_of_them(llm_server: Callable[..., Running], tmp_path: Path) -> None:
    write_study(tmp_path, llm_server())
    done = run(tmp_path)
    assert done.exit_code == 0, done.stderr
    store = tmp_path / ".grasp_bench"
    assert mode(store / "requests.sqlite") == "600"
    artefacts = [
        path.parent for stage in ("text", "text_noise") for path in (store / stage).glob("*/texts.parquet")
    ]
    assert len(artefacts) == 4
    assert {mode(folder) for folder in artefacts} == {"700"}
    assert modes_below(*artefacts) == {(False, "600")}
    # Nothing else is hidden from those who share the store.
    assert {mode(store / stage) for stage in ("text", "text_noise", "split", "train")} == {"755"}
    assert modes_below(*(store / "split").glob("*/")) == {(False, "644")}


def test_what_a_failed_attempt_leaves(llm_server: Callable[..., Running], tmp_path: Path) -> None:
    write_study(tmp_path, llm_server(faults=[Fault("status", rate=1.0, status=401)]))
    assert run(tmp_path).exit_code != 0
    store = tmp_path / ".grasp_bench"
    partial = list((store / "text").glob("*.partial"))
    assert partial
    assert {mode(folder) for folder in partial} == {"700"}
    assert modes_below(*partial) <= {(False, "600"), (True, "700")}
    reports = list((store / "failures").iterdir())
    assert reports
    assert {mode(report) for report in reports} == {"600"}
