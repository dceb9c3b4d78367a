"""Stage `split` from a planned node to audited files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import silent
from grasp_bench.data import splitting
from grasp_bench.data.artefacts import read_item_table, read_split, read_user_ids, read_user_table
from grasp_bench.data.splits import leave_one_out
from grasp_bench.plan.graph import CellNodes
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.experiment import Experiment
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.split import SplitStage

HEADER = "user_id,item_id,position"
CONTEXT = RunContext("cpu", 1, silent)
FILES = {"users.parquet", "items.parquet", "train.parquet", "valid.parquet", "test.parquet", "card.json"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [f"u{user},i{(user + k) % 4},{k}" for user in range(3) for k in range(4)]
    (folder / "interactions.csv").write_text("\n".join([HEADER, *rows]))
    (folder / "items.csv").write_text("item_id,title\ni0,Zero\ni2,Two\n")
    return folder


def node_of(dataset: Dataset) -> Node:
    """The node as the plan makes it."""
    return CellNodes(file_hash).of(Experiment(name="test", dataset=dataset), "cell")["split"]


def run(dataset: Dataset, out: Path) -> dict[str, object]:
    out.mkdir(exist_ok=True)
    return SplitStage().run(node_of(dataset), {}, out, CONTEXT)


def test_writes_what_the_architecture_names(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    facts = run(Dataset(source=str(source)), out)
    assert facts == {"users": 3, "items": 4, "interactions": 12, "evaluated_users": 3}
    assert {path.name for path in out.iterdir()} == FILES
    split = read_split(out)
    assert split.train_items.tolist() == [0, 1, 1, 2, 2, 3]
    assert split.valid_items.tolist() == [2, 3, 0]
    assert split.test_items.tolist() == [3, 0, 1]
    assert read_user_ids(out) == ["u0", "u1", "u2"]
    assert read_item_table(out)["title"].to_list() == ["Zero", None, "Two", None]
    card = json.loads((out / "card.json").read_text())
    assert (card["users"], card["missing_titles"]) == (3, 2)


def test_runs_again_over_what_a_crash_left_and_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(Dataset(source=str(source)), out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "train.parquet").write_bytes(b"half")
    run(Dataset(source=str(source)), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_demo_needs_no_files(tmp_path: Path) -> None:
    assert run(Dataset(source="demo"), tmp_path / "out")["users"] == 1500


def test_is_registered() -> None:
    assert STAGES.get("split") is SplitStage


def test_files_that_changed_since_the_plan_are_refused(source: Path, tmp_path: Path) -> None:
    node = node_of(Dataset(source=str(source)))
    with (source / "items.csv").open("a") as stream:
        stream.write("i3,Three\n")
    with pytest.raises(DataError, match=r"items\.csv: changed"):
        SplitStage().run(node, {}, tmp_path, CONTEXT)
    (source / "items.csv").unlink()
    with pytest.raises(DataError, match=r"the items file of .*: changed"):
        SplitStage().run(node, {}, tmp_path, CONTEXT)


def test_nobody_to_evaluate_is_refused(tmp_path: Path) -> None:
    """Counting once: the item cut leaves every user short."""
    rows = [f"{user},{f'{user}{k}' if k else 'shared'},{k}" for user in "ab" for k in range(3)]
    path = tmp_path / "interactions.csv"
    path.write_text("\n".join([HEADER, *rows]))
    with pytest.raises(DataError, match="nobody can be evaluated"):
        run(Dataset(source=str(path), min_item=2, core="single_pass"), tmp_path / "out")


def test_a_split_that_leaks_fails_the_run(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    def leaking(sequences):  # type: ignore[no-untyped-def]
        split = leave_one_out(sequences)
        wrong = np.append(split.train_items, split.test_items[-1])
        offsets = np.append(split.train_offsets[:-1], split.train_offsets[-1] + 1)
        return dataclasses.replace(split, train_items=wrong, train_offsets=offsets)

    monkeypatch.setattr(splitting, "leave_one_out", leaking)
    with pytest.raises(LeakError, match=r"user 'u2' .* item 'i1' is held out and trained on"):
        run(Dataset(source=str(source)), tmp_path / "out")


def test_users_attributes_are_written_and_decide_the_name(source: Path, tmp_path: Path) -> None:
    (source / "users.csv").write_text("user_id,age\nu2,31\n")
    plain, told = node_of(Dataset(source=str(source))), Dataset(source=str(source), users="users.csv")
    out = tmp_path / "out"
    facts = run(told, out)
    assert (facts["unknown_users"], facts["users_without_attributes"]) == (0, 2)
    assert read_user_table(out).rows() == [("u0", None), ("u1", None), ("u2", "31")]
    assert read_user_ids(out) == ["u0", "u1", "u2"]
    node = node_of(told)
    assert "users" not in plain.settings
    assert node.hash != plain.hash
    # Elsewhere under another name it is the same file; with another content it is not.
    (tmp_path / "people.csv").write_bytes((source / "users.csv").read_bytes())
    assert node_of(Dataset(source=str(source), users=str(tmp_path / "people.csv"))).hash == node.hash
    (source / "users.csv").write_text("user_id,age\nu2,32\n")
    assert node_of(told).hash != node.hash
    with pytest.raises(DataError, match=r"users\.csv: changed"):
        SplitStage().run(node, {}, out, CONTEXT)
