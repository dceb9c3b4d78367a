"""Stages `embeddings` (a vector per user or item, of texts or a file) and `reduction` (fewer dimensions)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from grasp_bench.components import ENCODERS
from grasp_bench.core.errors import ServiceError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_user_ids
from grasp_bench.data.audits.titles import audit_scope
from grasp_bench.encoders.batching import TextEncoder, encode_in_shards
from grasp_bench.encoders.causal_lm_settings import ADAPTER
from grasp_bench.encoders.checks import check_encoder
from grasp_bench.encoders.vectors import (
    EncoderInput,
    check_vectors,
    encoder_input,
    fill_with_mean,
    reduce_vectors,
)
from grasp_bench.plan.nodes import Node
from grasp_bench.services.dispatch import ServiceContext
from grasp_bench.spec.choices import EncoderSource, encoder_of
from grasp_bench.spec.encoder import Reduction, VectorFileSettings
from grasp_bench.spec.service import Service
from grasp_bench.stages.context import RunContext

Embedded: TypeAlias = tuple[list[str], np.ndarray, dict[str, Any]]  # ids, vectors, facts
Made: TypeAlias = tuple[np.ndarray, bool, dict[str, Any]]  # vectors, whether of unit norm, facts
SHARDS = "shards"
PREFIX = {"users": "user_prefix", "items": "item_prefix"}


class EmbeddingsStage:
    """Writes `embeddings.safetensors` (`vectors` (n, D) f32) and `ids.parquet` (id), in entity order.

    A local model writes finished pieces to `shards/` and resumes from them after a crash; answers of a
    service are in the ledger. Entities without a text get the mean vector of their side.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: count, dim, distinct texts, the encoder's own (weights, dtype; spend; leak)."""
        if issubclass(ENCODERS.get(node.settings["encoder"]["kind"]), VectorFileSettings):
            ids, vectors, facts = _read(node, inputs["split"], context)
        else:
            ids, vectors, facts = _encode(node, inputs, out, context)
        save_file({"vectors": np.ascontiguousarray(vectors)}, out / "embeddings.safetensors")
        pl.DataFrame({"id": ids}, schema={"id": pl.String}).write_parquet(out / "ids.parquet")
        shutil.rmtree(out / SHARDS, ignore_errors=True)
        return {"side": node.settings["side"], "count": len(ids), "dim": int(vectors.shape[1]), **facts}


def _read(node: Node, split: Artefact, context: RunContext) -> Embedded:
    side, settings = node.settings["side"], node.located()["encoder"]
    leaks = settings.get("leaks", "refuse")
    audit_scope("encoder", settings["scope"], leaks)
    ids = read_user_ids(split.path) if side == "users" else read_item_ids(split.path)
    vectors, facts = ENCODERS.implementation(settings["kind"])(settings, side).vectors(ids)
    check_vectors(vectors, ids, unit_norm=settings["normalize"])
    context.report(Event(node.label, len(ids), len(ids), "vectors"))
    if settings["scope"] != "train":
        facts = {**facts, "leak": {"scope": settings["scope"], "accepted": True}}
    # Vectors cannot be searched for titles as texts can, so the declared scope is not audited.
    return ids, vectors, {**facts, "scope": f"{settings['scope']} (declared, not audited)"}


def _encode(node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext) -> Embedded:
    """Encode the entities with a text; the others get the mean of their side."""
    table = pl.read_parquet(inputs["text"].file("texts.parquet"), glob=False)
    ids, side = table["id"].to_list(), node.settings["side"]
    section = encoder_of(node.located()["encoder"])
    prefix = getattr(section, PREFIX[side], "")
    encoded = encoder_input(prefix, side, ids, table["text"].to_list())
    if isinstance(section, Service):
        vectors, unit_norm, facts = _by_service(section, encoded, node, context)
    else:
        encoder = text_encoder(section, inputs.get("adaptation"), context.device, context.threads)
        vectors, unit_norm, facts = _by_model(encoder, encoded, node, out, context)
    check_vectors(vectors, encoded.names, unit_norm)
    if silent := len(ids) - len(encoded.rows):
        vectors = fill_with_mean(vectors, encoded.rows, len(ids), unit_norm)
        facts["mean_of_others"] = silent
    return ids, vectors, facts


def text_encoder(
    section: EncoderSource, adaptation: Artefact | None, device: str, threads: int
) -> TextEncoder:
    """Load the encoder of texts, with the weights of the adaptation stage if there are any."""
    with ENCODERS.blamed(section.kind):
        more = {} if adaptation is None else {"adapter": adaptation.file(ADAPTER).parent}
        encoder: TextEncoder = ENCODERS.implementation(section.kind)(section, device, threads, **more)
        if ENCODERS.version(section.kind) is not None:
            check_encoder(encoder, section.kind)
    return encoder


def _by_model(
    encoder: TextEncoder, encoded: EncoderInput, node: Node, out: Path, context: RunContext
) -> Made:
    total = len(set(encoded.texts))
    progress = context.progress(node, total, "texts")
    with ENCODERS.blamed(node.settings["encoder"]["kind"]):
        vectors = encode_in_shards(encoder, encoded.texts, out / SHARDS, progress)
        facts = {"distinct": total, **encoder.facts, **encoder.findings(encoded.texts, vectors)}
    return vectors, encoder.unit_norm, facts


def _by_service(section: EncoderSource, encoded: EncoderInput, node: Node, context: RunContext) -> Made:
    assert isinstance(section, Service)
    if context.ledger is None:
        raise ServiceError(
            f"encoder: there is no ledger to keep the vectors of '{section.model}' in",
            hint="run it by grasp-bench run, or give the run's context a ledger",
        )
    total = len(set(encoded.texts))
    progress = context.progress(node, total, "texts")
    desk = ServiceContext(context.ledger, node.hash, section, progress)
    service = ENCODERS.implementation(section.kind)(section, node.settings["side"], desk)
    vectors, facts = service.vectors(encoded.names, encoded.texts)
    progress(total)  # truncation may make texts equal, so fewer were encoded than counted
    return vectors, service.unit_norm, facts


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
