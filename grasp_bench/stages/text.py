"""Stage `text`: what is said of each user or item, one line an entity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_item_table, read_train, read_user_ids
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.text import TextSource
from grasp_bench.stages.context import RunContext
from grasp_bench.text.subjects import Subjects
from grasp_bench.text.writing import write_texts

SOURCE: TypeAdapter[TextSource] = TypeAdapter(TextSource)


class TextStage:
    """Writes `texts.parquet` (id, text) in entity order."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: count, distinct, empty, and what the provider counted."""
        split = inputs["split"].path
        side = node.settings["side"]
        train = read_train(split)
        ids = read_user_ids(split) if side == "users" else read_item_ids(split)
        subjects = Subjects(side, ids, read_item_table(split), train.train_items, train.train_offsets)
        written = write_texts(SOURCE.validate_python(dict(node.settings["source"])), subjects)
        pl.DataFrame(
            {"id": ids, "text": written.texts}, schema={"id": pl.String, "text": pl.String}
        ).write_parquet(out / "texts.parquet")
        context.report(Event(node.label, len(ids), len(ids), "texts"))
        return {"side": side, **written.facts}
