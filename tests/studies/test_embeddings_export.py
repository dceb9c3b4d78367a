"""Representations on disk, read back by two libraries: their product is the ranker's score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_shop import ITEMS, USERS, Shop
from trained_shop import SETTINGS, open_trained, train
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import StoreError
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.rank import RankStage
from grasp_bench.studies.export import embeddings as exporting
from grasp_bench.studies.export.embeddings import export_embeddings
from grasp_bench.studies.serving import cell_named

COMPARE = "compare={model.enhancer: [none, llminit, rlmrec, llmesr, grasp]}"
ABLATIONS = (
    "ablations={blind: {model.attention: none, model.id_residual: true}, softmax: {model.attention: softmax}}"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Plan]:
    return open_trained(tmp_path_factory.mktemp("embeddings") / "shop", COMPARE, ABLATIONS)


def ranked(cell: Cell, store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Users, and the ranker's scores (Q, m) of the catalogue."""
    node = cell.nodes["rank"]
    inputs = {role: store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    ranker, scorer = RankStage().scoring(node, inputs, RunContext("cpu", 1, silent))
    scores = [full.numpy() for _, _, full in ranker.catalogue_scores(scorer, False)]
    return ranker.queries.users_Q.numpy(), np.concatenate(scores)


@pytest.mark.parametrize("enhancer", ["none", "llminit", "rlmrec", "llmesr", "grasp-blind"])
def test_state_times_vector_is_the_rankers_score(
    trained: tuple[Shop, Plan], enhancer: str, tmp_path: Path
) -> None:
    shop, plan = trained
    cell = cell_named(plan, f"sasrec-{enhancer}-s1")
    users, items = export_embeddings(cell, plan.name, shop.store, tmp_path, "both")
    states, vectors = (
        pl.read_parquet(table.path)[column].to_numpy()
        for table, column in ((users, "state"), (items, "vector"))
    )
    assert states.shape == (USERS, 16 if enhancer == "llmesr" else 8)
    assert vectors.shape == (ITEMS, states.shape[1])
    rows, scores = ranked(cell, shop.store)
    np.testing.assert_allclose((states @ vectors.T)[rows], scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("enhancer", ["grasp", "grasp-softmax"])
def test_where_users_see_items_differently_the_mean_view_is_written(
    trained: tuple[Shop, Plan], enhancer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: a mean of vectors gives a state the mean of the scores that the vectors give it."""
    shop, plan = trained
    cell = cell_named(plan, f"sasrec-{enhancer}-s1")
    monkeypatch.setattr(exporting, "CHUNK_PAIRS", 5 * USERS)  # in several pieces
    users, items = export_embeddings(cell, plan.name, shop.store, tmp_path, "both")
    assert items.metadata["users_averaged"] == str(USERS)
    assert 0 <= float(items.metadata["overlap@10"]) <= 1
    opened = exporting.open_cell(cell, shop.store)
    serving = exporting.Serving(opened)
    seen = serving.seen([serving.request(user, np.arange(ITEMS)) for user in range(USERS)])
    vectors = pl.read_parquet(items.path)["vector"].to_numpy()
    np.testing.assert_allclose(vectors, seen.mean(axis=0), rtol=1e-5, atol=1e-6)
    states = pl.read_parquet(users.path)["state"].to_numpy()
    rows, scores = ranked(cell, shop.store)
    own = np.einsum("ud,uid->ui", states, seen)
    np.testing.assert_allclose(own[rows], scores, rtol=1e-5, atol=1e-6)  # each user's own view is the score


def test_pyarrow_reads_lists_of_fixed_size_and_what_the_file_says(
    trained: tuple[Shop, Plan], tmp_path: Path
) -> None:
    shop, plan = trained
    cell = cell_named(plan, "sasrec-none-s1")
    export_embeddings(cell, plan.name, shop.store, tmp_path, "users")
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]
    table = pq.read_table(tmp_path / "users.parquet")
    assert pa.types.is_fixed_size_list(table.schema.field("state").type)
    assert table.schema.field("state").type == pa.list_(pa.float32(), 8)
    told = {
        key.decode(): value.decode()
        for key, value in pq.read_metadata(tmp_path / "users.parquet").metadata.items()
    }
    assert (told["cell"], told["hash"], told["spec"]) == (cell.slug, cell.hash, "shop")
    assert "never the test item" in told["history"]


def test_the_test_item_has_no_part_in_a_state(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    """Poisoned: another test item for everybody, and the same states."""
    shop, plan = trained
    cell = cell_named(plan, "sasrec-none-s1")
    export_embeddings(cell, plan.name, shop.store, tmp_path / "before", "users")
    path = shop.store.get("split", cell.nodes["split"].hash).path / "test.parquet"
    kept = path.read_bytes()
    try:
        path.write_bytes(b"not to be read")
        export_embeddings(cell, plan.name, shop.store, tmp_path / "after", "users")
    finally:
        path.write_bytes(kept)
    files = [(tmp_path / name / "users.parquet").read_bytes() for name in ("before", "after")]
    assert files[0] == files[1]


def test_ids_stay_what_they_are(tmp_path: Path) -> None:
    """Unicode, blanks and quotes; by the command; rows in the order of the split."""
    folder = tmp_path / "shop"
    folder.mkdir()
    names = ["Zoë", "李 雷", 'a "b", c', "🎈", "x y"]
    rows = [(name, f"ß{item % 7}", item) for k, name in enumerate(names) for item in range(k, k + 5)]
    pl.DataFrame(rows, schema=["user_id", "item_id", "position"], orient="row").write_csv(
        folder / "interactions.csv"
    )
    spec = folder / "small.yaml"
    spec.write_text(
        f"name: small\ndataset: {{source: {folder}, protocol: {{negatives: 1}}}}\ncontrols: []\n"
        "model: {embedding_dim: 8, max_len: 10}\ntraining: {max_epochs: 1}\n"
    )
    places = ["--store", str(tmp_path / "store")]
    rest = ["--results", str(tmp_path / "r"), "--leaderboard", str(tmp_path / "b")]
    runner = CliRunner()
    done = runner.invoke(
        app, ["run", str(spec), *places, *rest, "--executor", "in_process", "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    done = runner.invoke(
        app, ["export", "embeddings", str(spec), *places, "--cell", "sasrec-none-s42", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    split = next((tmp_path / "store" / "split").glob("*/users.parquet")).parent
    for name, column in (("users", "user_id"), ("items", "item_id")):
        assert pl.read_parquet(out / f"{name}.parquet")[column].equals(
            pl.read_parquet(split / f"{name}.parquet")[column]
        )
    assert set(pl.read_parquet(out / "users.parquet")["user_id"]) == set(names)


def test_users_of_whom_nothing_is_known_have_no_state(
    trained: tuple[Shop, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, plan = trained
    cell = cell_named(plan, "sasrec-none-s1")
    whole = exporting.open_cell(cell, shop.store)
    offsets = whole.offsets.copy()
    offsets[3:] -= offsets[3] - offsets[2]  # user 2 has nothing
    known = np.delete(whole.items, slice(whole.offsets[2], whole.offsets[3]))
    monkeypatch.setattr(exporting, "open_cell", lambda *_: replace(whole, items=known, offsets=offsets))
    table = export_embeddings(cell, plan.name, shop.store, tmp_path, "users")[0]
    states = pl.read_parquet(table.path)["state"]
    assert states.is_null().arg_true().to_list() == [2]
    assert states.drop_nulls().arr.len().unique().to_list() == [8]


def test_what_is_not_trained_is_said(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    shop, plan = trained
    with pytest.raises(StoreError, match="is not trained yet"):
        export_embeddings(
            cell_named(plan, "sasrec-none-s1"), "shop", Store(tmp_path / "no"), tmp_path, "both"
        )
    sets = [part for change in SETTINGS for part in ("--set", change)]
    asked = [
        "export",
        "embeddings",
        str(shop.spec),
        *sets,
        "--store",
        str(shop.store.root),
        "--out",
        str(tmp_path),
    ]
    done = CliRunner().invoke(app, [*asked, "--cell", "sasrec-grasb-s1"])
    assert (done.exit_code, "did you mean 'sasrec-grasp-s1'" in done.output) == (2, True)
    assert not list(tmp_path.iterdir())


def test_prefix_profiles_are_read_as_in_training(trained: tuple[Shop, Plan], tmp_path: Path) -> None:
    shop, _ = trained
    plan = train(shop, "compare={model.enhancer: [grasp]}", "text.users.scope=prefix")
    cell = cell_named(plan, "sasrec-grasp-s1")
    users = export_embeddings(cell, plan.name, shop.store, tmp_path, "users")[0]
    states = pl.read_parquet(users.path)["state"].to_numpy()
    opened = exporting.open_cell(cell, shop.store)
    serving = exporting.Serving(opened)
    seen = serving.seen([serving.request(user, np.arange(ITEMS)) for user in range(USERS)])
    rows, scores = ranked(cell, shop.store)
    np.testing.assert_allclose(np.einsum("ud,uid->ui", states, seen)[rows], scores, rtol=1e-5, atol=1e-6)
