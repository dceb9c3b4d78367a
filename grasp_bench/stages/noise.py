"""Stages `noise` (corrupt rows of the embeddings of a side) and `text_noise` (exchange texts of entities)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.core.errors import StoreError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_table, read_train
from grasp_bench.data.groups import top_categories
from grasp_bench.encoders.noise import add_noise, corrupted_count, corruption_order, donor_rows
from grasp_bench.plan.nodes import Node
from grasp_bench.retrieval.neighbours import group_codes
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.text import TABLE, write_text_table

VECTORS = "embeddings.safetensors"


class NoiseStage:
    """Writes the files of the embeddings stage: `embeddings.safetensors` (n, D) f32 and `ids.parquet`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: side, count, dim, rows disturbed."""
        settings = node.settings
        clean = load_file(inputs["embeddings"].file(VECTORS))["vectors"]
        codes = _categories(inputs["split"].path, settings["side"]) if "split" in inputs else None
        if codes is not None and len(codes) != len(clean):
            raise StoreError(
                f"{inputs['split'].path}: {len(codes)} {settings['side']}, {len(clean)} embeddings"
            )
        vectors, rows = add_noise(
            clean, settings["side"], settings["kind"], settings["rate"], settings["seed"],
            settings.get("strength"), codes,
        )  # fmt: skip
        save_file({"vectors": vectors}, out / VECTORS)
        ids = inputs["embeddings"].file("ids.parquet")
        shutil.copyfile(ids, out / ids.name)
        context.report(Event(node.label, len(vectors), len(vectors), "vectors"))
        side = {"side": settings["side"], "count": len(vectors), "dim": vectors.shape[1]}
        return {**side, "disturbed": len(rows)}


def _categories(split: Path, side: str) -> np.ndarray:
    """Codes of the items' categories, or of the users' top categories; opens no held-out part."""
    items = group_codes(read_item_table(split)["category"].to_list())
    return items if side == "items" else top_categories(read_train(split), items)


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
