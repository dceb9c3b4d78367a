from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.cli.spec import spec_name
from grasp_bench.spec.loading import load, load_text


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.mark.parametrize(
    ("arguments", "path", "name"),
    [
        ([], "starter.yaml", "starter"),
        (["mine.yaml"], "mine.yaml", "mine"),
        (["new/folder/a b.yaml"], "new/folder/a b.yaml", "a_b"),
        (["."], "starter.yaml", "starter"),
    ],
)
def test_what_is_written_is_valid(runner: CliRunner, arguments: list[str], path: str, name: str) -> None:
    result = runner.invoke(app, ["init", *arguments])
    assert result.exit_code == 0, result.stderr
    assert path in result.stdout
    assert load(Path(path)).experiment.name == name
    assert runner.invoke(app, ["validate", path]).stdout == f"ok: {name}, 18 cells\n"


def test_nothing_is_overwritten(runner: CliRunner) -> None:
    Path("mine.yaml").write_text("precious")
    result = runner.invoke(app, ["init", "mine.yaml"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: mine.yaml exists already")
    assert Path("mine.yaml").read_text() == "precious"


@pytest.mark.parametrize("stem", ["x", "ünï", "-", "..x", "a" * 300, "1", "true", "1e5", "null"])
def test_any_file_name_gives_a_valid_name(stem: str) -> None:
    from grasp_bench.cli.spec import starter_text

    name = spec_name(Path(f"{stem}.yaml"))
    assert load_text(starter_text(name)).experiment.name == name


def test_comments_list_what_is_registered_and_what_packages_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint, EntryPoints

    from grasp_bench.cli.spec import starter_text
    from grasp_bench.components import BACKBONES, CONTROLS, ENHANCERS

    offered = EntryPoint("fpmc", "fpmc:Fpmc", "grasp_bench.backbones")
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: EntryPoints([offered]).select(group=group)
    )
    lines = starter_text("x").splitlines()
    listed = {
        key: next(line for line in lines if line.startswith(f"  {key}:")) for key in ("backbone", "enhancer")
    }
    assert listed["backbone"].partition("# ")[2].split(", ") == [*BACKBONES, "fpmc"]
    assert listed["enhancer"].partition("# ")[2].split(", ") == list(ENHANCERS)
    controls = next(line for line in lines if line.startswith("# There are "))
    assert controls.removeprefix("# There are ").rstrip(".").split(", ") == [*CONTROLS, "shuffled"]
    assert not any("{" in line.partition("#")[2] for line in lines if "There are" in line or "back" in line)
