"""Stage `candidates`: negatives for validation and test, drawn once and shared by all methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_split, read_user_ids
from grasp_bench.data.candidates import draw
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext


class CandidatesStage:
    """Writes `valid.safetensors` and `test.safetensors`, each `negatives` (rows of that part, k) int32."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: rows, negatives. Raises DataError when the catalogue is too small for a user."""
        split = read_split(inputs["split"].path)
        user_ids = read_user_ids(inputs["split"].path)
        history, offsets = split.whole_history()
        negatives, seed = node.settings["negatives"], node.settings["seed"]
        # A number per part in the seed: validation and test do not share their draws.
        for number, (part, users) in enumerate((("valid", split.valid_users), ("test", split.test_users))):
            table = draw(users, history, offsets, split.num_items, negatives, [seed, number], user_ids)
            save_file({"negatives": table}, out / f"{part}.safetensors")
        rows = len(split.test_users)
        context.report(Event(node.label, rows, rows, "users"))
        return {"rows": rows, "negatives": negatives}
