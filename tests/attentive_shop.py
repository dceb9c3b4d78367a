"""The small shop with trained cells of many kinds of attention."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file
from small_shop import Shop, make, open_shop, plan_of

from grasp_bench.core.store import Store
from grasp_bench.core.words import words_of
from grasp_bench.plan.nodes import Node
from grasp_bench.studies.attention.inspection import HeatMapUsers, InspectionOptions, inspect_attention
from grasp_bench.studies.attention.schema import Attention

MAX_LEN = 4  # of five known items
WIDTH = 24
BEFORE, AFTER = ("split", "candidates", "text", "text_noise"), ("noise", "neighbours", "train")
SPEC = """
name: attentive
dataset: {{source: {folder}, protocol: {{split: leave_one_out, negatives: 5}}}}
text:
  items: {{provider: template, template: item}}
  users: {{provider: template, template: visited_items}}
encoder: {{kind: sentence_transformers, model: all-MiniLM-L6-v2}}
index: {{kind: exact, num_neighbours: 4}}
model: {{backbone: sasrec, enhancer: grasp, embedding_dim: 8, max_len: {max_len}}}
training: {{max_epochs: 2, batch_size: 16}}
seeds: [1]
{rest}
"""
KINDS = """
controls: [popularity, shuffled]
ablations:
  soft: {model.attention: softmax}
  blind: {model.attention: none}
  wide: {model.logit_scale_init: 30}
  learned: {model.logit_scale: learnable}
  only_self: {model.similar: false, model.global: false}
  gru: {model.backbone: gru4rec}
  bert: {model.backbone: bert4rec}
"""


def open_attentive(folder: Path, rest: str = KINDS, users: int | None = None) -> Shop:
    """A shop whose cells are trained; `rest` are the last lines of the spec, `users` how many there are."""
    shop = open_shop(folder)
    if users is not None:
        table = folder / "interactions.csv"
        kept = pl.read_csv(table).filter(pl.col("user_id").is_in([f"u{k}" for k in range(users)]))
        kept.write_csv(table)
    spec = folder / "attentive.yaml"
    spec.write_text(SPEC.format(folder=folder, max_len=MAX_LEN, rest=rest))
    plan = plan_of(spec)
    shop = replace(shop, spec=spec, plan=plan)
    make(shop, plan, *BEFORE)
    for node in plan.nodes:
        if node.stage == "embeddings":
            _embed(shop.store, node)
    make(shop, plan, *AFTER)
    return shop


def _embed(store: Store, node: Node) -> None:
    """Words fall into as many columns on both sides, and no two texts alike; vectors of length 1."""
    text = node.inputs["text"]
    table = pl.read_parquet(store.get(text.stage, text.hash).file("texts.parquet"), glob=False)
    vectors = np.empty((table.height, WIDTH), dtype=np.float32)
    for row, told in enumerate(table["text"]):
        vectors[row] = 0.1 * np.random.default_rng(zlib.crc32(told.encode())).random(WIDTH)
        for word in words_of(told):
            vectors[row, zlib.crc32(word.encode()) % WIDTH] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with store.writing(node.stage, node.hash, {"hash": node.hash, "stage": node.stage}) as out:
        save_file({"vectors": vectors}, out / "embeddings.safetensors")
        table.select("id").write_parquet(out / "ids.parquet")


def inspect(
    shop: Shop, cells: str = "*", users: Sequence[str] = (), corrupt: float = 0.0, store: Store | None = None
) -> Attention:
    return inspect_attention(
        shop.plan, store or shop.store, InspectionOptions(cells, HeatMapUsers(users, 2), corrupt)
    )
