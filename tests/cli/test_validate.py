from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench.cli.app import app

GOOD = "name: good\ndataset: {source: demo}\nseeds: [1, 2, 3]\ncontrols: []\n"
VARIED = (
    "name: varied\ndataset: {source: demo}\nseeds: [1, 2]\ncontrols: []\n"
    "compare: {model.enhancer: [none, grasp]}\n"
    "ablations: {soft: {model.attention: softmax}, same: {training.lr: 1e-3}}\n"
)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(GOOD)
    Path("varied.yaml").write_text(VARIED)
    Path("bad.yaml").write_text("name: x\ndataset: {sorce: demo}\nmodel: {hedas: 1}\n")
    return CliRunner()


def test_cells_are_counted_without_duplicates(runner: CliRunner) -> None:
    result = runner.invoke(app, ["validate", "good.yaml", "varied.yaml"])
    assert result.exit_code == 0
    # none, grasp, grasp/soft; softmax means nothing to none, and `same` is the default.
    assert result.stdout == "ok: good, 3 cells\nok: varied, 6 cells\n"


def test_one_cell_is_no_plural(runner: CliRunner) -> None:
    assert runner.invoke(app, ["validate", "good.yaml", "--set", "seeds=[1]"]).stdout == "ok: good, 1 cell\n"


def test_all_problems_go_to_stderr(runner: CliRunner) -> None:
    result = runner.invoke(app, ["validate", "bad.yaml", "good.yaml"])
    assert result.exit_code == 2
    assert result.stdout == "ok: good, 3 cells\n"
    assert result.stderr.splitlines() == [
        "bad.yaml:2:1 dataset.source: required key is missing",
        "bad.yaml:2:11 dataset.sorce: unknown key; did you mean 'source'?",
        "bad.yaml:3:9 model.hedas: unknown key; did you mean 'heads'?",
        "3 problems",
    ]


def test_a_missing_file(runner: CliRunner) -> None:
    result = runner.invoke(app, ["validate", "god.yaml"])
    assert result.exit_code == 3
    assert result.stderr.startswith("error: god.yaml: no such file; did you mean 'good.yaml'?")


def test_data_that_is_elsewhere_does_not_make_a_spec_invalid(runner: CliRunner) -> None:
    result = runner.invoke(app, ["validate", "varied.yaml", "--set", "dataset.source=not/here"])
    assert result.exit_code == 0
    assert result.stdout == "ok: varied, at most 12 cells\n"
    assert "note: --set dataset.source 'not/here'" in result.stderr


def test_what_a_run_would_refuse_is_refused_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "i.csv").write_text("user_id,item_id,timestamp\n" + "".join(f"a,{n},{n}\n" for n in range(4)))
    (tmp_path / "g.yaml").write_text("name: g\ndataset: {source: i.csv}\nmodel: {enhancer: grasp}\n")
    validated, planned = (CliRunner().invoke(app, [command, "g.yaml"]) for command in ("validate", "plan"))
    assert validated.exit_code == planned.exit_code == 3
    assert "has no items file beside it" in validated.output
    (tmp_path / "g.yaml").write_text("name: g\ndataset: {source: i.csv, min_user: 9}\n")
    validated = CliRunner().invoke(app, ["validate", "g.yaml"])  # what only the rows show
    assert validated.exit_code == 3
    assert "no interactions are left with min_user 9" in validated.output


def test_what_does_not_fit_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{user},{item},{item}\n" for user in "ab" for item in (1, 2, 3, 4, 4))
    (tmp_path / "interactions.csv").write_text(f"user_id,item_id,timestamp\n{rows}")
    (tmp_path / "items.csv").write_text("item_id,title\n1.0,a\n2.0,b\n3.0,c\n4.0,d\n")
    (tmp_path / "g.yaml").write_text("name: g\ndataset: {source: .}\nmodel: {enhancer: grasp}\n")
    result = CliRunner().invoke(app, ["validate", "g.yaml", "g.yaml"])
    assert result.exit_code == 0
    assert result.output.count("it has '1.0', the interactions have '1', which may be the same item") == 1
    assert result.output.count("2 of 10 interactions repeat the user, item and time") == 1
