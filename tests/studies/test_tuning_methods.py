"""`tuning: {each: method}`: equal searches of all methods, the spec of the winners, and its board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuned_shop import made, write_shop
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.report.studies import read_findings
from grasp_bench.spec.loading import load, load_text
from grasp_bench.spec.tuning_space import dimension_of
from grasp_bench.studies.tuning.methods import bases_of, space_of_method
from grasp_bench.studies.tuning.methods_schema import expected_best

ASKED = [
    "tuning={each: method, trials: 3, sampler: random, space: {training.loss: [bce, softmax], "
    "model.embedding_dim: [4, 8, 16], model.dropout: [0.1, 0.5], model.mask_probability: [0.1, 0.5]}}",
    "compare={model.enhancer: [none, grasp], dataset.repair.ascending_runs: [keep, shuffle]}",
    "encoder.leaks=mark", "seeds=[1]",
    "ablations={soft: {model.attention: softmax}}", "training.max_epochs=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("methods") / "shop").parent
    run(
        folder, "tune", "shop.yaml", "--workers", "1", "--write-spec", str(folder / "best.yaml"), *overrides()
    )
    return folder


def overrides() -> list[str]:
    return [word for each in ASKED for word in ("--set", each)]


def run(folder: Path, command: str, spec: str, *arguments: str) -> str:
    there = [x for name in ("store", "results", "leaderboard") for x in (f"--{name}", str(folder / name))]
    done = CliRunner().invoke(app, [command, str(folder / spec), *arguments, *there, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    return done.output


def found_in(folder: Path) -> Any:
    return json.loads((folder / "results" / "shop" / "method_tuning.json").read_text())


def test_every_method_has_the_same_budget_and_begins_with_its_own_values(tuned: Path) -> None:
    methods = {each["method"]: each for each in found_in(tuned)["methods"]}
    # The compared order is no method: the first of its values is searched.
    assert list(methods) == ["sasrec+none", "sasrec+grasp", "sasrec+grasp/soft"]
    for each in methods.values():
        trials = each["tuning"]["trials"]
        assert [trial["number"] for trial in trials] == [0, 1, 2]
        assert each["default"] == trials[0]["value"]
        assert each["tuning"]["best"]["value"] == max(trial["value"] for trial in trials)
        own = trials[0]["params"]
        assert (own["training.loss"], own["model.embedding_dim"], own["training.lr"]) == ("bce", 8, 1e-2)
    spaces = {name: each["tuning"]["space"].keys() for name, each in methods.items()}
    assert "model.mlp_depth" in spaces["sasrec+grasp"]
    assert "model.mlp_depth" not in spaces["sasrec+none"]  # nothing there reads it
    # Equal draws of shared keys: no method is lucky in the sampler.
    dropouts = [[t["params"]["model.dropout"] for t in each["tuning"]["trials"]] for each in methods.values()]
    assert dropouts[0] == dropouts[1] == dropouts[2]


def test_the_written_spec_has_each_winner_and_own_settings_beside_it(tuned: Path) -> None:
    experiment = load(tuned / "best.yaml").experiment
    winners = {each["method"]: each["tuning"]["best"]["params"] for each in found_in(tuned)["methods"]}
    cells = compile_plan(experiment, Fingerprints()).cells
    for cell in cells:
        model, training = cell.experiment.model, cell.experiment.training
        name = f"{model.backbone}+{model.enhancer}"
        if cell.ablation == "own_settings" or cell.kind != "trained":
            assert (model.embedding_dim, training.loss.kind, training.lr) == (8, "bce", 1e-2)
        else:
            won = winners[f"{name}/{cell.ablation}" if cell.ablation else name]
            assert (model.embedding_dim, training.lr) == (won["model.embedding_dim"], won["training.lr"])
            assert training.loss.kind == won["training.loss"]
    assert {cell.variant.get("dataset.repair.ascending_runs") for cell in cells} == {"keep", "shuffle"}


def test_run_reuses_trainings_and_shows_budgets_and_gains(tuned: Path) -> None:
    before = made(tuned / "store")["train"]
    run(tuned, "run", "best.yaml", "--workers", "1", "--only", "*keep*")
    assert made(tuned / "store")["train"] == before  # winners and own settings: all trained by the search
    board = (tuned / "leaderboard" / "best.md").read_text()
    budgets = board[board.index("Tuning budgets") :]
    line = next(line for line in budgets.splitlines() if "sasrec+grasp " in line)
    figures = [cell.strip() for cell in line.strip("|").split("|")]
    assert figures[1] == "3"
    own, best, gain = map(float, figures[4:7])
    assert gain == pytest.approx(best - own, abs=0.011)


def test_the_findings_are_a_study_of_the_report(tuned: Path) -> None:
    (findings,) = read_findings(tuned / "results" / "shop")
    document = findings.study.document(findings.found)
    assert [section.title for section in document.sections][:2] == ["Methods", "Best value against trials"]
    assert (
        "each of 3 methods was tuned by 3 trials"
        in next(iter(findings.study.summary(findings.found))).lower()
    )


def test_expected_best_is_the_mean_of_the_best_of_n_draws() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(7)
    drawn = rng.choice(values, size=(200_000, 7))
    simulated = [drawn[:, :n].max(axis=1).mean() for n in range(1, 8)]
    np.testing.assert_allclose(expected_best(list(values)), simulated, atol=3e-3)
    assert expected_best([]) == []


@pytest.mark.parametrize("backbone", list(BACKBONES))
@pytest.mark.parametrize("enhancer", list(ENHANCERS))
def test_declared_keys_are_valid_and_change_the_training(backbone: str, enhancer: str) -> None:
    text = (
        f"name: x\ndataset: {{source: demo}}\nmodel: {{backbone: {backbone}, enhancer: {enhancer}}}\n"
        "tuning: {each: method, trials: 2}\n"
    )
    experiment = load_text(text).experiment
    assert experiment.tuning is not None
    (base,) = bases_of(experiment, experiment.tuning, Fingerprints())
    declared = space_of_method(experiment, experiment.tuning)
    assert {key: dimension_of(key, values) for key, values in declared.items()} == base.space
    assert base.first is None or base.first.keys() == base.space.keys()


def test_a_key_that_changes_no_method_is_named(tuned: Path) -> None:
    found = found_in(tuned)
    assert "model.mask_probability changes nothing of any method: not searched." in found["notes"]
    assert all("model.mask_probability" not in each["tuning"]["space"] for each in found["methods"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tuned: {sasrec+graps: {values: {}}}", "no method 'sasrec+graps' in this spec; did you mean"),
        ("tuned: {sasrec+grasp: {values: {model.attn: softmax}}}", "tuned.sasrec+grasp.values.model.attn"),
        ("tuned: {sasrec+grasp: {values: {training.lr: 0}}}", "greater than 0"),
        ("tuned: {sasrec+grasp: {values: {name: y}}}", "cannot vary"),
        ("tuned: {sasrec+grasp: {values: {model.enhancer: none}}}", "is also compared"),
        ("tuning: {each: method, sampler: grid}", "sampler grid has no ranges"),
        ("tuning: {trials: 3}", "space needs at least one key"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, expected: str) -> None:
    head = "name: x\ndataset: {source: demo}\ncompare: {model.enhancer: [none, grasp]}\n"
    with pytest.raises(SpecError) as caught:
        load_text(head + text)
    assert expected in str(caught.value)
    assert ":4:" in str(caught.value) or "4:" in str(caught.value)


def test_an_ablation_keeps_its_own_change_over_the_values_found_for_its_method() -> None:
    text = (
        "name: x\ndataset: {source: demo}\nmodel: {enhancer: grasp}\n"
        "ablations: {soft: {model.attention: softmax}, slow: {training.lr: 1e-5}}\n"
        "tuned:\n  sasrec+grasp: {values: {training.lr: 5e-3, model.attention: none}}\n"
        "  sasrec+grasp/slow: {values: {model.dropout: 0.1}}\n"
    )
    found = load_text(text).experiment
    assert found.cell_patch({}, None) == {"training.lr": 5e-3, "model.attention": "none"}
    assert found.cell_patch({}, "soft") == {"training.lr": 5e-3, "model.attention": "softmax"}
    assert found.cell_patch({}, "slow") == {"training.lr": 1e-5, "model.dropout": 0.1}
