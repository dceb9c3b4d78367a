"""Stage `reduction`: reduce the dimensions of the embeddings of one side."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.encoders.reduction import reduce_vectors
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.encoder import Reduction
from grasp_bench.stages.context import RunContext

VECTORS = "embeddings.safetensors"


class ReductionStage:
    """Writes the files of the embeddings stage: `embeddings.safetensors` (n, d) f32 and `ids.parquet`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: side, count, dim, kept share of squared length."""
        how = Reduction(kind=node.settings["kind"], dimensions=node.settings["dimensions"])
        vectors, fitted_on = (
            load_file(inputs[role].file(VECTORS))["vectors"] for role in ("embeddings", "fitted_on")
        )
        ids = inputs["embeddings"].file("ids.parquet")
        reduced, facts = reduce_vectors(
            vectors, fitted_on, how, pl.read_parquet(ids, glob=False)["id"].to_list()
        )
        save_file({"vectors": reduced}, out / VECTORS)
        shutil.copyfile(ids, out / ids.name)
        context.report(Event(node.label, len(reduced), len(reduced), "vectors"))
        return {"side": node.settings["side"], "count": len(reduced), "dim": reduced.shape[1], **facts}
