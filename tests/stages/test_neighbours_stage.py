"""Stage `neighbours`: tables and pooled means, whole or within a column's groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.core.progress import Event, silent
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import STAGES, RunContext

N = 30
VECTORS = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)


def embeddings(folder: Path, vectors: np.ndarray = VECTORS, ids: int = N) -> Artefact:
    folder.mkdir()
    save_file({"vectors": vectors}, folder / "embeddings.safetensors")
    pl.DataFrame({"id": [f"i{k}" for k in range(ids)]}).write_parquet(folder / "ids.parquet")
    return Artefact(folder, {})


def split(folder: Path, **columns: list[str | None]) -> Artefact:
    folder.mkdir()
    ids = [f"i{k}" for k in range(N)]
    pl.DataFrame({"item_id": ids, "title": ids, **columns}).write_parquet(folder / "items.parquet")
    return Artefact(folder, {})


def run(inputs: dict[str, Artefact], out: Path, report=silent, **index: object):
    out.mkdir(exist_ok=True)
    node = make_node("neighbours", {"side": "items", "index": index}, {}, "neighbours items")
    facts = STAGES.get("neighbours")().run(node, inputs, out, RunContext("cpu", 1, report))
    return load_file(out / "neighbours.safetensors"), facts


@pytest.mark.parametrize("kind", ["exact", "hnsw", "auto"])
def test_nearest_others_and_the_mean_of_their_raw_embeddings(tmp_path: Path, kind: str) -> None:
    events: list[Event] = []
    inputs = {"embeddings": embeddings(tmp_path / "e")}
    tables, facts = run(inputs, tmp_path / "out", events.append, kind=kind, num_neighbours=4)
    assert {name: (table.shape, str(table.dtype)) for name, table in tables.items()} == {
        "indices": ((N, 4), "int32"),
        "similarities": ((N, 4), "float32"),
        "pooled": ((N, 8), "float32"),
    }
    cosine = VECTORS @ VECTORS.T / np.outer(*[np.linalg.norm(VECTORS, axis=1)] * 2)
    np.fill_diagonal(cosine, -2)
    nearest = np.argsort(-cosine, axis=1)[:, :4]
    np.testing.assert_array_equal(tables["indices"], nearest)
    np.testing.assert_allclose(tables["similarities"], np.take_along_axis(cosine, nearest, 1), atol=1e-5)
    np.testing.assert_allclose(tables["pooled"], VECTORS[nearest].mean(axis=1), atol=1e-6)
    assert facts["kind"] == ("exact" if kind == "auto" else kind)
    assert (facts["recall"], facts["lacking"], facts["rows"]) == (1.0, 0, N)
    assert (events[-1].done, events[-1].total) == (N, N)


def test_restricted_to_a_column(tmp_path: Path) -> None:
    categories = ["a"] * 20 + ["b"] * 8 + ["alone"] + [None]
    inputs = {"embeddings": embeddings(tmp_path / "e"), "split": split(tmp_path / "s", category=categories)}
    tables, facts = run(inputs, tmp_path / "out", num_neighbours=10, restrict_items_to="category")
    for row, around in enumerate(tables["indices"]):
        assert all(categories[k] == categories[row] for k in around if k != -1)
    assert (tables["indices"][20:28] != -1).sum(axis=1).tolist() == [7] * 8
    np.testing.assert_array_equal(tables["pooled"][28:], VECTORS[28:])
    assert (facts["groups"], facts["ungrouped"], facts["without_any"]) == (3, 1, 2)
    plural, _ = run(inputs, tmp_path / "out", num_neighbours=10, restrict_items_to="categories")
    np.testing.assert_array_equal(plural["indices"], tables["indices"])


def test_restricting_column_must_be_there_and_hold_something(tmp_path: Path) -> None:
    inputs = {"embeddings": embeddings(tmp_path / "e"), "split": split(tmp_path / "s", brand=[None] * N)}
    with pytest.raises(DataError, match="did you mean 'brand'"):
        run(inputs, tmp_path / "out", restrict_items_to="brnd")
    with pytest.raises(DataError, match="empty for every item"):
        run(inputs, tmp_path / "out", restrict_items_to="brand")


def test_unusable_embeddings(tmp_path: Path) -> None:
    zero = VECTORS.copy()
    zero[3] = 0
    with pytest.raises(DataError, match="'i3' is zero"):
        run({"embeddings": embeddings(tmp_path / "a", zero)}, tmp_path / "out")
    with pytest.raises(StoreError, match="29 ids for 30 vectors"):
        run({"embeddings": embeddings(tmp_path / "b", ids=29)}, tmp_path / "out")
