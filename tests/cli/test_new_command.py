"""`grasp-bench new`: what it writes passes its own test and trains on the demo, as written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from calling import call as grasp_bench
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.components import REGISTRIES
from grasp_bench.spec.plugins import follow_registries


def call(*words: str, kind: str = "backbone") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["new", kind, *words])
    return result.exit_code, result.output


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What a spec names of other packages is unknown again afterwards."""
    before = [set(registry) for registry in REGISTRIES]
    yield
    for registry, names in zip(REGISTRIES, before, strict=True):
        for plugin in set(registry) - names:
            registry.unplug(plugin)
    follow_registries()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(("kind", "other"), [("backbone", "sasrec"), ("enhancer", "none")])
def test_the_package_passes_the_contract_and_trains(
    kind: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = call("my_model", kind=kind)
    assert code == 0
    assert said == "wrote my_model; next: cd my_model && python -m pytest && grasp-bench run demo.yaml\n"
    folder = tmp_path / "my_model"
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout
    compared = f"compare={{model.{kind}: [{other}, 'my_model:MyModel']}}"
    monkeypatch.syspath_prepend(folder)  # where `python -m` looks first
    monkeypatch.delitem(sys.modules, "my_model", raising=False)
    small = ("dataset.sample_users=30", "training.max_epochs=1", "seeds=[1]", "model.my_model_bias=false")
    sets = [word for each in (*small, compared) for word in ("--set", each)]
    ran = grasp_bench(folder, "run", "demo.yaml", "--executor", "in_process", *sets)
    monkeypatch.delitem(sys.modules, "my_model")
    assert ran.exit_code == 0, ran.stderr
    assert "my_model:MyModel" in (folder / "leaderboard/my_model_demo.csv").read_text()


@pytest.mark.parametrize("name", ["My-Model", "class", "9lives"])
def test_a_name_that_python_cannot_import_is_refused(name: str, tmp_path: Path) -> None:
    code, said = call(name, "--to", str(tmp_path / "x"))
    assert code
    assert f"'{name}' is no name of a package" in said
    assert not (tmp_path / "x").exists()


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    code, said = call("fpmc", "--to", str(tmp_path))
    assert code
    assert "exists already" in said
    assert not list(tmp_path.iterdir())
