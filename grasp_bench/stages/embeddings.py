"""Stage `embeddings`: one vector per user or item, encoded from texts or read from a file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter
from safetensors.numpy import save_file

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_user_ids
from grasp_bench.data.audit import audit_scope
from grasp_bench.encoders.checks import check_vectors
from grasp_bench.encoders.registry import ENCODERS, VECTOR_SOURCES
from grasp_bench.encoders.shards import encode_in_shards
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.encoder import EncoderSource
from grasp_bench.stages.context import RunContext

ENCODER: TypeAdapter[EncoderSource] = TypeAdapter(EncoderSource)
SHARDS = "shards"


class EmbeddingsStage:
    """Writes `embeddings.safetensors` (`vectors` (n, D) f32) and `ids.parquet` (id), in entity order.

    While it encodes, finished pieces lie in `shards/`; after a crash it goes on from them.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: count, dim, distinct texts, the encoder's own (weights, dtype)."""
        if node.settings["encoder"]["kind"] in VECTOR_SOURCES:
            ids, vectors, facts = _read(node, inputs["split"], context)
        else:
            ids, vectors, facts = _encode(node, inputs["text"], out, context)
        save_file({"vectors": np.ascontiguousarray(vectors)}, out / "embeddings.safetensors")
        pl.DataFrame({"id": ids}, schema={"id": pl.String}).write_parquet(out / "ids.parquet")
        shutil.rmtree(out / SHARDS, ignore_errors=True)
        return {"side": node.settings["side"], "count": len(ids), "dim": int(vectors.shape[1]), **facts}


def _read(node: Node, split: Artefact, context: RunContext) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    side, settings = node.settings["side"], node.located()["encoder"]
    audit_scope("encoder", settings["scope"], settings.get("leaks", "refuse"))
    ids = read_user_ids(split.path) if side == "users" else read_item_ids(split.path)
    vectors, facts = VECTOR_SOURCES.get(settings["kind"])(settings, side).vectors(ids)
    check_vectors(vectors, ids, unit_norm=settings["normalize"])
    context.report(Event(node.label, len(ids), len(ids), "vectors"))
    # Vectors cannot be searched for titles as texts are: all there is to go by is what was declared.
    return ids, vectors, {**facts, "scope": f"{settings['scope']} (declared, not audited)"}


def _encode(
    node: Node, text: Artefact, out: Path, context: RunContext
) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    table = pl.read_parquet(text.file("texts.parquet"))
    ids, texts = table["id"].to_list(), table["text"].to_list()
    section = ENCODER.validate_python(node.located()["encoder"])
    encoder = ENCODERS.get(section.kind)(section, context.device, context.threads)
    total = len(set(texts))

    def progress(done: int) -> None:
        context.report(Event(node.label, done, total, "texts"))

    vectors = encode_in_shards(encoder, texts, out / SHARDS, progress)
    check_vectors(vectors, ids, unit_norm=encoder.unit_norm)
    return ids, vectors, {"distinct": total, **encoder.facts}
