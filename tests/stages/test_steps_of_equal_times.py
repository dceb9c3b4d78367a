"""`time_ties: block` through the stages: what training, candidates, texts and metrics make of its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_split, read_train, read_user_ids
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.loading import load_text
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.model_inputs import held_out_queries, sequences_of
from grasp_bench.stages.text import entities_of

SPEC = """
name: days
dataset:
  source: {folder}
  repair: {{time_ties: {ties}}}
  protocol: {{negatives: 12, validation_negatives: outside_known}}
model: {{embedding_dim: 8, max_len: 8}}
controls: [markov]
"""
Visits = dict[str, dict[int, set[str]]]  # of each user, what was bought on each day


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("days"), np.random.default_rng(5)
    rows: list[tuple[str, str, int]] = []
    for user in range(40):
        items = sorted(rng.choice(40, int(rng.integers(4, 10)), replace=False).tolist())
        days = rng.integers(1, 5, len(items))
        for item, day in zip(items, days, strict=True):
            rows.append((f"u{user}", f"i{item:02}", int(day) * 86_400))
    schema = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "interactions.csv")
    return folder


def visits(folder: Path) -> Visits:
    found: Visits = {}
    for user, item, day in pl.read_csv(folder / "interactions.csv").rows():
        found.setdefault(user, {}).setdefault(day, set()).add(item)
    return found


def made(folder: Path, ties: str) -> tuple[dict[str, Artefact], dict[str, dict[str, object]]]:
    """Artefacts of Markov's row by role, and its full figures by group."""
    plan = compile_plan(load_text(SPEC.format(folder=folder, ties=ties), "days").experiment, file_hash)
    nodes = next(cell.nodes for cell in plan.cells if cell.slug == "markov")
    artefacts = {role: _make(node, folder / "made") for role, node in nodes.items()}
    figures = json.loads(artefacts["metrics"].file("metrics.json").read_text())["full"]
    return artefacts, figures


def _make(node: Node, place: Path) -> Artefact:
    out = place / node.hash
    if not out.is_dir():
        inputs: Mapping[str, Artefact] = {role: _make(each, place) for role, each in node.inputs.items()}
        out.mkdir(parents=True)
        STAGES.get(node.stage)().run(node, inputs, out, RunContext("cpu", 1, silent))
    return Artefact(out, {})


def test_a_day_is_held_out_whole(folder: Path) -> None:
    found, _ = made(folder, "block")
    path, days = found["split"].path, visits(folder)
    split, users, items = read_split(path), read_user_ids(path), read_item_ids(path)
    assert [users[k] for k in split.test_users] == [user for user in users if len(days[user]) >= 3]
    for row, user in enumerate(split.test_users.tolist()):
        *before, middle, last = (days[users[user]][day] for day in sorted(days[users[user]]))
        for target, rest, day in (
            (split.test_items[row], split.test_rest, last),
            (split.valid_items[row], split.valid_rest, middle),
        ):
            others = [items[item] for item in rest.items[rest.users == user]]
            assert {items[target], *others} == day
            assert len(others) == len(day) - 1
        assert {items[item] for item in split.train_sequence(user)} == set().union(*before)


def test_training_and_test_read_what_is_theirs(folder: Path) -> None:
    found, _ = made(folder, "block")
    path, days = found["split"].path, visits(folder)
    train, users, items = read_train(path), read_user_ids(path), read_item_ids(path)
    sequences = sequences_of(found, train, "cpu")
    assert sequences.tied_with_previous is not None
    day_of = {(user, item): day for user, by in days.items() for day, bought in by.items() for item in bought}
    told = [(users[u], items[i]) for u, i in zip(train.train_users, train.train_items, strict=True)]
    expected = [a[0] == b[0] and day_of[a] == day_of[b] for a, b in pairwise(told)]
    assert sequences.tied_with_previous.tolist() == [False, *expected]
    split = read_split(path)
    _, queries = held_out_queries(found, "cpu")
    for user in split.test_users.tolist():
        known = queries.items_flat[queries.offsets[user] : queries.offsets[user + 1]]
        last = max(days[users[user]])
        expected = set().union(*(bought for day, bought in days[users[user]].items() if day < last))
        assert {items[item] for item in known.tolist()} == expected


def test_negatives_and_texts_know_the_rest_of_a_step(folder: Path) -> None:
    found, _ = made(folder, "block")
    path, days = found["split"].path, visits(folder)
    split, users, items = read_split(path), read_user_ids(path), read_item_ids(path)
    for part, whole in (("test", True), ("valid", False)):
        table = load_file(found["candidates"].file(f"{part}.safetensors"))["negatives"]
        for user, row in zip(split.test_users.tolist(), table.tolist(), strict=True):
            last = max(days[users[user]])
            closed = set().union(*(b for day, b in days[users[user]].items() if whole or day < last))
            assert not {items[item] for item in row} & closed
    for scope, days_left_out in (("train", 2), ("train_and_validation", 1), ("all", 0)):
        told = entities_of(path, "users", scope)
        for user in split.test_users.tolist():
            history = told.history_items[told.history_offsets[user] : told.history_offsets[user + 1]]
            kept = sorted(days[users[user]])[: len(days[users[user]]) - days_left_out]
            assert {items[item] for item in history} == set().union(*(days[users[user]][day] for day in kept))


def test_groups_tell_targets_of_the_same_time_where_there_are(folder: Path) -> None:
    days = visits(folder)
    _, kept = made(folder, "keep")
    evaluated = [by for by in days.values() if sum(map(len, by.values())) >= 3]
    tied = sum(len(by[max(by)]) > 1 for by in evaluated)
    assert (kept["same_time"]["n"], kept["later"]["n"]) == (tied, len(evaluated) - tied)
    # The file is sorted by item: within a day every step ascends.
    assert kept["ascending"]["n"] >= tied
    assert kept["ascending"]["n"] + kept["descending"]["n"] == kept["overall"]["n"]
    _, block = made(folder, "block")
    assert "same_time" not in block
