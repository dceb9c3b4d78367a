from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import DamagedError
from grasp_bench.core.store import Store
from grasp_bench.engine import diagnostics
from grasp_bench.services.credentials import KEY_VARIABLES


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRASP_BENCH_DATA", raising=False)
    return CliRunner()


def line_of(text: str, subject: str) -> str:
    return next(line for line in text.splitlines() if line[7:].startswith(subject))


def test_a_healthy_machine(runner: CliRunner) -> None:
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0, result.stdout
    for subject in ("python", "packages", "torch", "device", "cpu", "bfloat16", "store", "disk", "memory"):
        assert line_of(result.stdout, subject)
    assert line_of(result.stdout, "data").startswith("note")
    assert not Path(".grasp_bench").exists()  # looking leaves nothing behind


def test_datasets_are_listed(runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "a", "empty"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "data" / name / "interactions.csv").write_text("user_id,item_id\n")
    monkeypatch.setenv("GRASP_BENCH_DATA", str(tmp_path / "data"))
    assert line_of(runner.invoke(app, ["doctor"]).stdout, "data").endswith("data: a, b")
    monkeypatch.setenv("GRASP_BENCH_DATA", str(tmp_path / "nowhere"))
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert line_of(result.stdout, "data").startswith("BROKEN")


def test_missing_parts_are_told_with_the_command_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["no-such-package>=1", "no-such-gadget; extra == 'gadgets'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needed)
    findings = {finding.subject: finding for finding in diagnostics.run_checks(Path("store"))}
    assert findings["extra gadgets"].state == "note"
    assert findings["extra gadgets"].text == "not installed: pip install 'grasp-bench[gadgets]'"
    assert findings["packages"].state == "broken"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert runner.invoke(app, ["doctor", "--store", "locked/store"]).exit_code == 1


def test_a_store_that_is_a_file(runner: CliRunner) -> None:
    Path("store").write_text("")
    result = runner.invoke(app, ["doctor", "--store", "store"])
    assert result.exit_code == 1
    assert "BROKEN store" in result.stdout


def test_keys_are_told_of_by_name_only(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-000111222333444")
    Path(".env").write_text("GROQ_API_KEY=planted-in-a-file\nMISTRAL_API_KEY=\n")
    result = runner.invoke(app, ["doctor"])
    there, absent = line_of(result.stdout, "keys").split("; not set: ")
    assert there.endswith("set: OPENAI_API_KEY, GROQ_API_KEY")
    assert "MISTRAL_API_KEY" in absent
    assert "planted" not in result.stdout
    assert line_of(result.stdout, "litellm").split()[-1] == metadata.version("litellm")


def test_damaged_and_unverifiable_artefacts_are_told(runner: CliRunner) -> None:
    store, digests = Store(Path("store")), ("ab" * 8, "cd" * 8)
    for digest in digests:
        with store.writing("rank", digest, {}) as out:
            (out / "a.txt").write_text("a")
    (store.folder("rank", digests[0]) / "a.txt").write_text("b")
    with pytest.raises(DamagedError):
        store.get("rank", digests[0]).file("a.txt")
    (store.folder("rank", digests[1]) / "artefact.json").write_text(f'{{"hash": "{digests[1]}"}}')
    told = runner.invoke(app, ["doctor", "--store", "store"]).stdout
    assert "1 of 1 are of an earlier version, without checksums: not verifiable" in told
    assert f"{digests[0]}.damaged: made again by the next run that needs it" in told
