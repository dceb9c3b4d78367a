"""Stage `text_noise`: give some entities of one side the text of another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.core.store import Artefact
from grasp_bench.encoders.noise import corrupted_count, corruption_order, donor_rows
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.text_table import TABLE, write_text_table


class TextNoiseStage:
    """Writes `texts.parquet` (id, text) as the text stage does; corrupted entities have another's text."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: side, count, texts disturbed."""
        settings = node.settings
        table = pl.read_parquet(inputs["text"].file(TABLE), glob=False)
        order = corruption_order(table.height, settings["side"], settings["seed"])
        hits = corrupted_count(settings["rate"], table.height)
        source = pl.int_range(table.height, eager=True).to_numpy().copy()
        source[order[:hits]] = donor_rows(order, hits)
        progress = context.progress(node, table.height, "texts")
        write_text_table(out, table["id"], table["text"].gather(source), progress)
        return {"side": settings["side"], "count": table.height, "disturbed": hits}
