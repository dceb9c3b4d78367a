"""Stage `reduction`: both sides projected alike, ids kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import STAGES, RunContext


def embeddings(folder: Path, vectors: np.ndarray) -> Artefact:
    folder.mkdir()
    save_file({"vectors": vectors}, folder / "embeddings.safetensors")
    pl.DataFrame({"id": [f"{folder.name}{k}" for k in range(len(vectors))]}).write_parquet(
        folder / "ids.parquet"
    )
    return Artefact(folder, {})


def test_users_are_projected_on_the_items_directions(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(12, 12)))[0][:, :4]
    sides = {}
    for name, count in (("u", 7), ("i", 20)):
        vectors = (rng.normal(size=(count, 4)) @ basis.T).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        sides[name] = (vectors, embeddings(tmp_path / name, vectors))
    events: list[Event] = []
    short = {}
    for name in sides:
        out = tmp_path / f"out-{name}"
        out.mkdir()
        node = make_node(
            "reduction", {"side": "users", "kind": "pca", "dimensions": 4}, {}, f"reduction {name}"
        )
        inputs = {"embeddings": sides[name][1], "fitted_on": sides["i"][1]}
        facts = STAGES.get("reduction")().run(node, inputs, out, RunContext("cpu", 1, events.append))
        short[name] = load_file(out / "embeddings.safetensors")["vectors"]
        assert (facts["dim"], facts["count"]) == short[name].shape[::-1]
        assert pl.read_parquet(out / "ids.parquet")["id"][0] == f"{name}0"
    np.testing.assert_allclose(short["u"] @ short["i"].T, sides["u"][0] @ sides["i"][0].T, atol=1e-5)
    assert [event.done for event in events] == [7, 20]
