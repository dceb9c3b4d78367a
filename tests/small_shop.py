"""A small shop on disk, told by two templates: split, text and neighbours are made by the real stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.core.words import words_of
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.loading import load
from grasp_bench.stages.context import STAGES, RunContext

ITEMS, USERS, LENGTH = 24, 30, 6
BRANDS = ("Opalia", "Brightwood", "Zest")
NOUNS = ("lamp", "mug", "quilt", "kite")
SPEC = """
name: shop
dataset: {{source: {folder}, protocol: {{split: leave_one_out, negatives: 5}}}}
text:
  items: {{provider: template, template: item}}
  users: {{provider: template, template: visited_items}}
encoder: {{kind: sentence_transformers, model: all-MiniLM-L6-v2}}
index: {{kind: exact, num_neighbours: 4}}
model: {{backbone: sasrec, enhancer: grasp}}
seeds: [1, 2]
controls: []
compare: {{model.enhancer: [none, grasp]}}
ablations:
  titles: {{text.items.template: beauty_title}}
"""


@dataclass(frozen=True)
class Shop:
    """Where the spec and the store are; the plan; histories as item numbers."""

    spec: Path
    store: Store
    plan: Plan
    histories: list[list[int]]


def title(item: int) -> str:
    return f"{BRANDS[item % 3]} {NOUNS[item % 4]} number {100 + item}"


def open_shop(folder: Path) -> Shop:
    """Write the data and the spec; nothing is in the store yet."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    histories = [rng.choice(ITEMS, LENGTH, replace=False).tolist() for _ in range(USERS)]
    rows = [(f"u{u}", f"i{i}", t) for u, items in enumerate(histories) for t, i in enumerate(items)]
    schema = ["user_id", "item_id", "position"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "interactions.csv")
    pl.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(ITEMS)],
            "title": [title(k) for k in range(ITEMS)],
            "brand": [BRANDS[k % 3] if k else None for k in range(ITEMS)],
            "categories": [f"Home > {NOUNS[k % 4].title()}s" for k in range(ITEMS)],
        }
    ).write_csv(folder / "items.csv")
    spec = folder / "shop.yaml"
    spec.write_text(SPEC.format(folder=folder))
    return Shop(spec, Store(folder / "store"), plan_of(spec), histories)


def plan_of(spec: Path, overrides: list[str] | None = None) -> Plan:
    return compile_plan(load(spec, overrides or []).experiment, Fingerprints())


def make(shop: Shop, plan: Plan, *stages: str) -> None:
    """Run the stages named of every node of a plan; embeddings are counts of words, so no model is needed."""
    for node in plan.nodes:
        if node.stage not in stages or shop.store.has(node.stage, node.hash):
            continue
        inputs = {role: shop.store.get(each.stage, each.hash) for role, each in node.inputs.items()}
        sidecar: dict[str, object] = {"hash": node.hash, "stage": node.stage}
        with shop.store.writing(node.stage, node.hash, sidecar) as out:
            if node.stage == "embeddings" and "text" in inputs:
                _count_words(node, inputs["text"].file("texts.parquet"), out)
            else:
                stage = STAGES.get(node.stage)()
                sidecar["facts"] = stage.run(node, inputs, out, RunContext("cpu", 1, silent))


def _count_words(node: Node, texts: Path, out: Path) -> None:
    table = pl.read_parquet(texts, glob=False)
    bags = [words_of(text) for text in table["text"]]
    columns = {word: k for k, word in enumerate(sorted({word for bag in bags for word in bag}))}
    vectors = np.full((len(bags), len(columns)), 1e-3, dtype=np.float32)
    for row, bag in enumerate(bags):
        for word in bag:
            vectors[row, columns[word]] += 1
    save_file({"vectors": vectors}, out / "embeddings.safetensors")
    table.select("id").write_parquet(out / "ids.parquet")
