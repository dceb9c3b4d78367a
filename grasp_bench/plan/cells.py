"""Cells: what a spec asks for, one row of figures each, mostly of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grasp_bench.plan.collapse import Kind
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.noise import Noise


@dataclass(frozen=True)
class Cell:
    """One dataset × backbone × enhancer × ablation × noise × seed, and the nodes that make it.

    `experiment` is the spec with the cell's patches applied. `variant` holds compared keys other
    than backbone and enhancer, without those that make no difference to it: keys that its ablation
    overrides, that its enhancer does not read. `noise` is at the cell's own rate; None is no noise, or none
    that it would notice. `nodes` maps a role ("split", "candidates", "user_text",
    "item_text", "user_embeddings", "item_embeddings", "user_neighbours", "item_neighbours",
    "train", "rank", "metrics") to its node; an enhancer that reads no text has no text roles.
    `slug` is readable and unique within a spec. A `name` says that no model stands behind the row, but a
    control or a run of somebody else's: it has no "train", another stage in the role "rank", and mostly no
    seed.
    """

    slug: str
    experiment: Experiment
    dataset: str
    ablation: str | None
    noise: Noise | None
    variant: Mapping[str, Any]
    seed: int | None
    kind: Kind
    name: str | None
    nodes: Mapping[str, Node]
    protocol_hash: str

    @property
    def hash(self) -> str:
        """Hash of what the cell computes: that of its last node."""
        return self.nodes["metrics"].hash
