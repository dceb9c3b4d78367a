"""A model that says nothing usable: the run ends well, and nobody can take its figures for the model's."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import yaml
from calling import call
from llm_server.launch import launch
from llm_server.settings import Fault
from small_study import ITEMS, KEYS, write_study

SAID = f"text.items: 100 % of texts are not from openai/test ({ITEMS} empty): the default template stands in"


def test_texts_that_a_template_replaced_are_told_and_marked(tmp_path: Path) -> None:
    thinking = Fault("empty", matching="Balm number", rate=1.0)  # all of its tokens went into thoughts
    with launch(tmp_path, faults=[thinking]) as server:
        write_study(tmp_path, server)
        spec = yaml.safe_load((tmp_path / "study.yaml").read_text())
        spec["text"]["users"] = {"provider": "template"}
        spec |= {"compare": {"model.enhancer": ["none", "grasp"]}, "controls": []}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(spec))
        command = ("run", "study.yaml", "--device", "cpu", "--executor", "in_process")
        variables = dict.fromkeys(KEYS) | {"OPENAI_API_KEY": "sk-none-at-all"}
        done = call(tmp_path, *command, **variables)
        assert done.exit_code == 0, done.stderr
        again = call(tmp_path, *command, **variables)
    assert f"warning: {SAID}" in done.stderr
    assert f"warning: {SAID}" in again.stderr  # with nothing left to do, too
    cells = {
        path.parent.name: json.loads(path.read_text())
        for path in (tmp_path / "results" / "planted").glob("*/cell.json")
    }
    assert {name: "substituted" in cell for name, cell in cells.items()} == {
        "sasrec-none-s42": False, "sasrec-grasp-s42": True,
    }  # fmt: skip
    for board in (done.stdout, (tmp_path / "leaderboard" / "planted.md").read_text()):
        assert "grasp §" in board
        assert "none §" not in board
        assert "§ text.items: 100 % of texts are not from" in " ".join(board.split())
    rows = csv.DictReader(io.StringIO((tmp_path / "leaderboard" / "planted.csv").read_text()))
    assert {row["method"]: bool(row["substituted"]) for row in rows} == {"none": False, "grasp": True}
