"""Second opinions: ir_measures and ranx compute from exported files what the board says."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import polars as pl
import pytest
from ir_measures import RR, Success, nDCG
from resealed import reseal
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.ranks import unquoted

CUTOFFS = (1, 5, 10)
SPEC = """\
name: small
dataset: {source: shop, protocol: {negatives: 20, cutoffs: [1, 5, 10]}}
controls: [popularity]
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 1, monitor: NDCG@10}
"""
SHOP = "my shop's caf\u00e9+bar (100 %)"
TRAINED, POPULARITY = "sasrec-none-s42", "popularity"
USERS, ITEMS = 60, 48
runner = CliRunner()


def invoke(*arguments: object) -> Any:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec that has been run: a trained model, and popularity, whose scores tie."""
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(11)
    rows = [
        (
            f"user {user}" if user % 2 else f"u{user}",
            f"100 % item\u00a0{item}" if item % 3 else f"i{item}",
            place,
        )
        for user in range(USERS)
        for place, item in enumerate(rng.choice(ITEMS, 8, replace=False))
    ]
    (folder / SHOP).mkdir()
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "position"], orient="row")
    frame.write_csv(folder / SHOP / "interactions.csv")
    (folder / "small.yaml").write_text(SPEC.replace("source: shop", f'source: "{folder / SHOP}"'))
    places = (
        "--store",
        folder / "store",
        "--results",
        folder / "results",
        "--leaderboard",
        folder / "boards",
    )
    done = invoke("run", folder / "small.yaml", "--executor", "in_process", "--device", "cpu", *places)
    assert done.exit_code == 0, done.output
    return folder


def export(shop: Path, to: Path, *arguments: object) -> Path:
    done = invoke("export", "runs", shop / "small.yaml", "--store", shop / "store", "--to", to, *arguments)
    assert done.exit_code == 0, done.output
    return to


def facts_of(folder: Path, cell: str, ranking: str) -> dict[str, Any]:
    return json.loads((folder / f"{cell}.{ranking}.json").read_text())


def opinion(folder: Path, facts: dict[str, Any]) -> dict[str, float]:
    """What ir_measures makes of the files."""
    measures = {}
    for k in CUTOFFS:
        measures |= {nDCG @ k: f"NDCG@{k}", Success @ k: f"HR@{k}", RR @ k: f"MRR@{k}"}
    found = ir_measures.calc_aggregate(
        list(measures),
        ir_measures.read_trec_qrels(str(folder / facts["qrels"])),
        ir_measures.read_trec_run(str(folder / facts["run"])),
    )
    return {measures[measure]: value for measure, value in found.items()}


@pytest.mark.parametrize("ranking", ["sampled", "full"])
def test_ir_measures_agrees_with_metrics_json(shop: Path, tmp_path: Path, ranking: str) -> None:
    facts = facts_of(export(shop, tmp_path, "--only", TRAINED, "--protocol", ranking), TRAINED, ranking)
    published = json.loads((shop / "results" / "small" / TRAINED / "metrics.json").read_text())
    said = {name: value for name, value in published[ranking]["overall"].items() if "@" in name}
    assert facts["tied_users"] == facts["users_unlike_stored"] == 0
    assert facts["users"] == USERS
    found = opinion(tmp_path, facts)
    assert set(found) == set(said) == set(facts["figures"])
    for name, value in said.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@pytest.fixture
def ranx(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its functions as plain Python: compiling them takes a minute, what they are asked here a moment."""
    monkeypatch.setattr(pytest.importorskip("numba").config, "DISABLE_JIT", True)
    return pytest.importorskip("ranx")


@pytest.mark.parametrize("ranking", ["sampled", "full"])
def test_ranx_agrees_with_metrics_json(shop: Path, tmp_path: Path, ranx: Any, ranking: str) -> None:
    facts = facts_of(export(shop, tmp_path, "--only", TRAINED, "--protocol", ranking), TRAINED, ranking)
    qrels = ranx.Qrels.from_file(str(tmp_path / facts["qrels"]), kind="trec")
    run = ranx.Run.from_file(str(tmp_path / facts["run"]), kind="trec")
    names = {"NDCG": "ndcg", "HR": "hit_rate", "MRR": "mrr"}
    theirs = {f"{ours}@{k}": f"{name}@{k}" for ours, name in names.items() for k in CUTOFFS}
    found = ranx.evaluate(qrels, run, list(theirs.values()))
    for name, value in facts["figures"].items():
        assert found[theirs[name]] == pytest.approx(value, abs=1e-9), name


def test_with_ties_a_tool_lies_between_the_bounds(shop: Path, tmp_path: Path) -> None:
    facts = facts_of(export(shop, tmp_path, "--only", POPULARITY), POPULARITY, "sampled")
    assert facts["tied_users"] > 10
    for name, value in opinion(tmp_path, facts).items():
        assert facts["least"][name] - 1e-12 <= value <= facts["most"][name] + 1e-12
        assert facts["least"][name] <= facts["figures"][name] <= facts["most"][name]
    assert facts["least"]["HR@5"] < facts["most"]["HR@5"]


def test_every_place_among_equals_in_turn_gives_our_expectation(shop: Path, tmp_path: Path) -> None:
    """The recipe of docs/boards.md for `ties: mean`."""
    facts = facts_of(export(shop, tmp_path, "--only", POPULARITY), POPULARITY, "sampled")
    targets = {q.query_id: q.doc_id for q in ir_measures.read_trec_qrels(str(tmp_path / facts["qrels"]))}
    lists: dict[str, dict[str, float]] = defaultdict(dict)
    for each in ir_measures.read_trec_run(str(tmp_path / facts["run"])):
        lists[each.query_id][each.doc_id] = each.score
    equals = {
        user: [item for item in found if found[item] == found[targets[user]] and item != targets[user]]
        for user, found in lists.items()
    }
    values: dict[str, list[float]] = defaultdict(list)
    for place in range(max(map(len, equals.values())) + 1):
        run = {}
        for user, found in lists.items():
            if place <= len(equals[user]):  # the target behind `place` of its equals
                before = equals[user][:place]
                first = {
                    item: (score, item in before, item == targets[user]) for item, score in found.items()
                }
                order = sorted(found, key=first.__getitem__)
                run[user] = {item: float(rank) for rank, item in enumerate(order)}
        qrels = {user: {targets[user]: 1} for user in run}
        for each in ir_measures.iter_calc([nDCG @ 10], qrels, run):
            values[each.query_id].append(each.value)
    expectation = np.mean([np.mean(values[user]) for user in lists])
    assert expectation == pytest.approx(facts["figures"]["NDCG@10"], abs=1e-9)


def test_files_hold_what_their_format_says(shop: Path, tmp_path: Path) -> None:
    folder = export(shop, tmp_path)
    facts = facts_of(folder, TRAINED, "sampled")
    lines = [line.split(" ") for line in (folder / facts["run"]).read_text().splitlines()]
    assert len(lines) == facts["lines"] == USERS * 21
    assert {(len(line), line[1], line[5]) for line in lines} == {(6, "Q0", TRAINED)}
    by_user: dict[str, list[list[str]]] = defaultdict(list)
    for line in lines:
        by_user[line[0]].append(line)
    for mine in by_user.values():
        assert [int(line[3]) for line in mine] == list(range(1, 22))
        scores = [float(line[4]) for line in mine]
        assert scores == sorted(scores, reverse=True)
    known = pl.read_csv(shop / SHOP / "interactions.csv")
    assert {unquoted(user) for user in by_user} == set(known["user_id"])
    assert {unquoted(line[2]) for line in lines} <= set(known["item_id"])
    last = known.group_by("user_id", maintain_order=True).last()
    targets = dict(zip(last["user_id"], last["item_id"], strict=True))
    qrels = [line.split(" ") for line in (folder / facts["qrels"]).read_text().splitlines()]
    assert {unquoted(user): unquoted(item) for user, zero, item, one in qrels} == targets
    assert {(zero, one) for _, zero, _, one in qrels} == {("0", "1")}


def test_names_of_files_hold_plain_characters_and_the_facts_say_of_what(shop: Path, tmp_path: Path) -> None:
    folder = export(shop, tmp_path)
    facts = facts_of(folder, TRAINED, "sampled")
    assert facts["dataset"] == SHOP
    assert re.fullmatch(r"my_shop_s_caf_\+bar_100-[0-9a-f]{8}\.qrels", facts["qrels"])
    assert [
        path.name for path in folder.iterdir() if not re.fullmatch(r"[\w.+-]+", path.name, re.ASCII)
    ] == []


def test_equal_scores_are_listed_in_trec_evals_order(shop: Path, tmp_path: Path) -> None:
    facts = facts_of(export(shop, tmp_path, "--only", POPULARITY), POPULARITY, "sampled")
    rows = [line.split(" ") for line in (tmp_path / facts["run"]).read_text().splitlines()]
    keys = [(row[0], float(row[4]), row[2].encode()) for row in rows]
    for one, two in itertools.pairwise(keys):
        assert one[0] != two[0] or one[1:] > two[1:]


@pytest.mark.parametrize("ranking", ["sampled", "full"])
def test_a_short_list_is_the_head_of_the_long_one(shop: Path, tmp_path: Path, ranking: str) -> None:
    long = export(shop, tmp_path / "long", "--protocol", ranking, "--depth", 20)
    short = export(shop, tmp_path / "short", "--protocol", ranking, "--depth", 5)
    for cell in (TRAINED, POPULARITY):
        facts = facts_of(short, cell, ranking)
        assert set(facts["figures"]) == {f"{name}@{k}" for name in ("NDCG", "HR", "MRR") for k in (1, 5)}
        heads = [line for line in _lines(long, cell, ranking) if int(line.split(" ")[3]) <= 5]
        assert _lines(short, cell, ranking) == heads
        assert len(heads) == USERS * 5
    assert facts["users_cut_in_a_tie"] > 0


def _lines(folder: Path, cell: str, ranking: str) -> list[str]:
    return (folder / facts_of(folder, cell, ranking)["run"]).read_text().splitlines()


def test_packed_runs_hold_the_same_and_are_the_same_twice(shop: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(shop, tmp_path / name, "--only", TRAINED, "--gzip")
    packed = [(tmp_path / name / f"{TRAINED}.sampled.run.gz").read_bytes() for name in ("a", "b")]
    assert packed[0] == packed[1]
    plain = export(shop, tmp_path / "plain", "--only", TRAINED) / f"{TRAINED}.sampled.run"
    assert gzip.decompress(packed[0]) == plain.read_bytes()
    assert not list(tmp_path.glob("*/.*"))


def test_users_who_rank_otherwise_than_stored_are_counted(shop: Path, tmp_path: Path) -> None:
    store = shutil.copytree(shop / "store", tmp_path / "store")
    digest = facts_of(export(shop, tmp_path, "--only", TRAINED), TRAINED, "sampled")["hash"]
    stored = store / "metrics" / digest / "ranks.parquet"
    frame = pl.read_parquet(stored)
    other = frame.with_row_index().with_columns(
        sampled_better=pl.when(index=3).then(99).otherwise("sampled_better")
    )
    other.drop("index").cast(frame.schema).write_parquet(stored)
    reseal(stored.parent)
    done = invoke(
        "export", "runs", shop / "small.yaml", "--store", store, "--only", TRAINED, "--to", tmp_path
    )
    assert "1 of 60 users rank otherwise" in done.output
    assert facts_of(tmp_path, TRAINED, "sampled")["users_unlike_stored"] == 1


def test_without_results_or_model_it_says_so(shop: Path, tmp_path: Path) -> None:
    done = invoke("export", "runs", shop / "small.yaml", "--store", tmp_path / "empty", "--to", tmp_path)
    assert (done.exit_code, "no cell of small is finished" in done.output) == (5, True)
    store = shutil.copytree(shop / "store", tmp_path / "store")
    shutil.rmtree(store / "train")
    done = invoke(
        "export", "runs", shop / "small.yaml", "--store", store, "--only", TRAINED, "--to", tmp_path
    )
    assert (done.exit_code, f"the train of {TRAINED} is not there" in done.output) == (5, True)
    assert not list(tmp_path.glob("*.run"))


def test_a_ranking_that_was_not_made_is_refused(shop: Path, tmp_path: Path) -> None:
    sets = ("--set", "dataset.protocol.also_full_ranking=false", "--set", "controls=[]")
    places = ("--store", shop / "store", "--results", tmp_path / "r", "--leaderboard", tmp_path / "b")
    alone = ("--executor", "in_process", "--device", "cpu")
    assert invoke("run", shop / "small.yaml", *sets, *places, *alone).exit_code == 0
    asked = ("export", "runs", shop / "small.yaml", *sets, "--store", shop / "store", "--to", tmp_path)
    done = invoke(*asked, "--protocol", "full")
    assert (done.exit_code, "no full ranking was made" in done.output) == (3, True)
    assert invoke(*asked).exit_code == 0
    facts = facts_of(tmp_path, TRAINED, "sampled")
    assert facts["users_unlike_stored"] == 0
    assert opinion(tmp_path, facts)["NDCG@10"] == pytest.approx(facts["figures"]["NDCG@10"], abs=1e-9)


@pytest.mark.parametrize("cell", [TRAINED, POPULARITY])
def test_an_exported_run_comes_back_as_the_same_row(shop: Path, tmp_path: Path, cell: str) -> None:
    """Ties, ids that hold blanks and all: what is imported is measured as the cell was."""
    run = export(shop, tmp_path / "out", "--only", cell) / f"{cell}.sampled.run"
    peer = f"imported: [{{name: peer, run: '{run}'}}]\n"
    spec = tmp_path / "peer.yaml"
    spec.write_text((shop / "small.yaml").read_text().replace("name: small", "name: peer") + peer)
    places = ("--store", shop / "store", "--results", tmp_path / "r", "--leaderboard", tmp_path / "b")
    done = invoke("run", spec, "--executor", "in_process", "--device", "cpu", "--only", "peer*", *places)
    assert done.exit_code == 0, done.output
    ours = json.loads((shop / "results" / "small" / cell / "metrics.json").read_text())["sampled"]
    found = list((tmp_path / "r" / "peer").glob("peer*/metrics.json"))
    assert json.loads(found[0].read_text())["sampled"] == ours
    left = invoke("export", "runs", spec, "--store", shop / "store", "--only", "peer*", "--to", tmp_path)
    assert (left.exit_code, "is an imported run" in left.output) == (0, True)
