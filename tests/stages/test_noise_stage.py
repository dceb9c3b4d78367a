"""Stage `noise`: the files of embeddings, ids where they were, vectors with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.registry import STAGES


def test_ids_stay_and_vectors_move(tmp_path: Path) -> None:
    clean, out = tmp_path / "clean", tmp_path / "out"
    clean.mkdir()
    out.mkdir()
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    save_file({"vectors": vectors}, clean / "embeddings.safetensors")
    pl.DataFrame({"id": [f"ü{k}" for k in range(9)]}).write_parquet(clean / "ids.parquet")
    node = make_node(
        "noise", {"side": "items", "kind": "permute", "rate": 1.0, "seed": 42}, {}, "noise items"
    )
    facts = STAGES.get("noise")().run(
        node, {"embeddings": Artefact(clean, {})}, out, RunContext("cpu", 1, silent)
    )
    assert facts == {"side": "items", "count": 9, "dim": 4, "disturbed": 9}
    assert pl.read_parquet(out / "ids.parquet")["id"].to_list() == [f"ü{k}" for k in range(9)]
    moved = load_file(out / "embeddings.safetensors")["vectors"]
    assert sorted(moved.tolist()) == sorted(vectors.tolist())
    assert not any(np.array_equal(moved[k], vectors[k]) for k in range(9))
