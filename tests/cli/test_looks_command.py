"""`run` and `plan` of a spec that adds seeds until it is decided, judged by the board's own tests."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from calling import call

from grasp_bench.report.formatting import short_verdict
from grasp_bench.report.schema import Claim

SPEC = """\
name: looked
dataset: {source: demo, sample_users: 300}
controls: [markov]
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
seeds: {most: 5, until: decided}
ablations: {again: {training.lr: 0.00101}, fast: {training.lr: 0.01}}
hypotheses:
  - {better: none/again, than: none}
  - {better: none/fast, than: markov}
"""
QUIET = ("--device", "cpu", "--executor", "in_process", "--log-format", "plain")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the spec has been run, and what the run said on stderr."""
    folder = tmp_path_factory.mktemp("looked")
    (folder / "looked.yaml").write_text(SPEC)
    planned = call(folder, "plan", "looked.yaml")
    assert "10 cells, 10 to finish" in planned.stdout
    assert "at most 6 cells more" in planned.stdout
    assert "judged at 3 and 5 trainings of a method" in planned.stdout
    done = call(folder, "run", "looked.yaml", *QUIET)
    assert done.exit_code == 0, done.stderr
    return folder, done.stderr


def test_seeds_follow_from_the_verdicts_of_the_board(finished: tuple[Path, str]) -> None:
    folder, said = finished
    board: dict[str, Any] = json.loads((folder / "leaderboard" / "looked.json").read_text())
    study = json.loads((folder / "results" / "looked" / "study.json").read_text())
    seeds = Counter(entry["ablation"] or entry["name"] or "none" for entry in study["planned"])
    assert study["looks"] == [3, 5]
    assert not board["missing"]
    by_better: dict[str, Claim] = {claim["better"]: claim for claim in board["claims"]}
    again, fast = by_better["none/again"], by_better["none/fast"]
    assert again["look"] == seeds["again"] == seeds["none"]
    assert fast["look"] == seeds["fast"]
    for claim in (again, fast):  # what is undecided in the end has had all that it may have
        assert claim["verdict"] != "undecided" or claim["look"] == 5
        assert f"{short_verdict(claim)}: {claim['better']} over {claim['than']}" in said
    assert seeds["markov"] == 1


def test_again_trains_nothing_and_ends_the_same(finished: tuple[Path, str]) -> None:
    folder, said = finished
    before = (folder / "results" / "looked" / "study.json").read_bytes()
    done = call(folder, "run", "looked.yaml", *QUIET)
    assert done.exit_code == 0, done.stderr
    assert "start" not in done.stderr
    assert [line for line in said.splitlines() if line.startswith(("1 of 2", "2 of 2"))] == [
        line for line in done.stderr.splitlines() if line.startswith(("1 of 2", "2 of 2"))
    ]
    assert (folder / "results" / "looked" / "study.json").read_bytes() == before
    planned = json.loads(call(folder, "plan", "looked.yaml", "--format", "json").stdout)
    assert planned["to_run"] == {"trainings": 0, "controls": 0}
    assert planned["further_cells"] == 16 - len(planned["cells"])


def test_validate_counts_both(finished: tuple[Path, str]) -> None:
    done = call(finished[0], "validate", "looked.yaml")
    assert done.stdout == "ok: looked, 10 cells, at most 16 until it is decided\n"
