"""`export split`: another library gets what our methods get, and `split: given` reads it back alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from grasp_bench import api
from grasp_bench.cli.app import app
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_split, read_user_ids
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import Dataset

SPEC = """
name: small
dataset: {source: demo}
model: {backbone: sasrec, embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
seeds: [1]
controls: [popularity]
"""


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", "split", *words])
    return result.exit_code, result.output


def test_the_files_are_the_split_and_the_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SPEC)
    code, said = call("small.yaml")
    assert code
    assert "grasp-bench run the spec first" in said
    loaded = api.load("small.yaml")
    whole = api.plan(loaded)
    api.run(loaded, whole, only="popularity", executor="in_process")
    code, said = call("small.yaml")
    assert code == 0
    folder = Path("exports/small/split")
    assert said.startswith(f"{folder}: demo: train.csv ")

    store, nodes = Store(Path(".grasp_bench")), whole.cells[0].nodes
    ours = read_split(store.get("split", nodes["split"].hash).path)
    asked = Dataset(source=str(folder), protocol={"split": "given"})
    theirs = split_by_protocol(prepare(asked), asked.protocol).split
    for name in ("train_offsets", "valid_users", "test_users"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    for name in ("train_items", "valid_items", "test_items"):  # items are numbered alike: by first appearance
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))

    users = read_user_ids(store.get("split", nodes["split"].hash).path)
    stored = store.get("candidates", nodes["candidates"].hash)
    negatives = load_file(stored.file("test.safetensors"))["negatives"]
    written = pl.read_csv(folder / "candidates_test.csv", infer_schema=False)
    assert written.height == negatives.size
    assert written["user_id"].unique(maintain_order=True).to_list() == [users[u] for u in ours.test_users]
    items = pl.read_csv(folder / "items.csv", infer_schema=False)["item_id"].to_list()
    last = written.filter(user_id=users[ours.test_users[-1]])["item_id"].to_list()
    assert last == [items[item] for item in negatives[-1]]
