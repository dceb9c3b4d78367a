"""Stage `noise`: embeddings of one side with some of their rows made wrong on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.encoders.noise import disturb
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext

VECTORS = "embeddings.safetensors"


class NoiseStage:
    """Writes the files of the embeddings stage: `embeddings.safetensors` (n, D) f32 and `ids.parquet`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: side, count, dim, rows disturbed."""
        settings = node.settings
        clean = load_file(inputs["embeddings"].file(VECTORS))["vectors"]
        vectors, rows = disturb(clean, settings["side"], settings["kind"], settings["rate"], settings["seed"])
        save_file({"vectors": vectors}, out / VECTORS)
        ids = inputs["embeddings"].file("ids.parquet")
        shutil.copyfile(ids, out / ids.name)
        context.report(Event(node.label, len(vectors), len(vectors), "vectors"))
        side = {"side": settings["side"], "count": len(vectors), "dim": vectors.shape[1]}
        return {**side, "disturbed": len(rows)}
