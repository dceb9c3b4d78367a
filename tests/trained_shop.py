"""The small shop with trained cells, by the real stages and, unlike there, the real text encoder."""

from __future__ import annotations

from pathlib import Path

from offline_model import needed_model
from small_shop import Shop, make, open_shop, plan_of

from grasp_bench.core.progress import silent
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.context import STAGES, RunContext

SETTINGS = [
    "model.embedding_dim=8",
    "model.max_len=4",  # shorter than the histories
    "training.max_epochs=1",
    "training.batch_size=16",
    "seeds=[1]",
    "ablations={}",
]


def open_trained(folder: Path, *changes: str) -> tuple[Shop, Plan]:
    """Make the shop and train all cells of its spec with these changes."""
    shop = open_shop(folder)
    return shop, train(shop, *changes)


def train(shop: Shop, *changes: str) -> Plan:
    """Train the cells of a changed spec; what is there already is not made again."""
    plan = plan_of(shop.spec, [*SETTINGS, *changes])
    make(shop, plan, "split", "candidates", "text")
    _encode(shop, plan)
    make(shop, plan, "neighbours", "train")
    return plan


def _encode(shop: Shop, plan: Plan) -> None:
    for node in plan.nodes:
        if node.stage == "embeddings" and not shop.store.has(node.stage, node.hash):
            needed_model()
            inputs = {role: shop.store.get(each.stage, each.hash) for role, each in node.inputs.items()}
            sidecar: dict[str, object] = {"hash": node.hash, "stage": node.stage}
            with shop.store.writing(node.stage, node.hash, sidecar) as out:
                sidecar["facts"] = STAGES.get(node.stage)().run(
                    node, inputs, out, RunContext("cpu", 1, silent)
                )
