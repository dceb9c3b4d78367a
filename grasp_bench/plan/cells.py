"""Requests and cells: the rows that a spec asks for, mostly of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grasp_bench.plan.nodes import Node
from grasp_bench.spec.encoder import VectorFileSettings
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.noise import Noise

# Compared keys with a column and a part of the slug to themselves.
NAMED_KEYS = ("model.backbone", "model.enhancer")

Kind = Literal["trained", "control", "imported"]


@dataclass(frozen=True)
class Request:
    """One crossing of compared values, ablation and seed, before duplicates are merged.

    `experiment` has the patches applied; `compared` are the values as crossed. `without` are the compared
    keys that do not distinguish this request, such as those that its ablation overrides. A control or an
    imported run has a `name`, and a seed only if it declares one. `noise` is the spec's, at one rate; a
    control's noise is in its `experiment` only.
    """

    experiment: Experiment
    ablation: str | None
    compared: Mapping[str, Any]
    seed: int | None
    without: frozenset[str] = field(default=frozenset())
    kind: Kind = "trained"
    name: str | None = None
    noise: Noise | None = None

    @property
    def variant(self) -> dict[str, Any]:
        """The compared keys that distinguish it, without backbone and enhancer."""
        return {
            key: value
            for key, value in self.compared.items()
            if key not in NAMED_KEYS and key not in self.without
        }


@dataclass(frozen=True)
class Cell:
    """One dataset × backbone × enhancer × ablation × noise × seed, and the nodes that make it.

    `experiment` is the spec with the cell's patches applied. `variant` holds the compared keys that make a
    difference to it, without backbone and enhancer. `noise` is at the cell's own rate; None is no noise, or
    noise that the cell does not read. `nodes` maps a role ("split", "candidates", "user_text", "item_text",
    "user_embeddings", "item_embeddings", "user_neighbours", "item_neighbours", "train", "rank", "metrics") to
    its node; an enhancer that reads no text has no text roles. `slug` is readable and unique within a spec. A
    control or an imported run has a `name`, no "train", another stage in the role "rank", and mostly no seed.
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
    def backbone(self) -> str | None:
        """The backbone; None of a control, an imported run, and an enhancer that is a network of its own."""
        model = self.experiment.model
        return None if self.name or model.enhancer_settings().whole_model else model.backbone

    @property
    def hash(self) -> str:
        """The hash of the last node, and so of all that the cell computes."""
        return self.nodes["metrics"].hash


def marked_leaks(cell: Cell) -> list[str]:
    """List the source with `leaks: mark` that the cell reads, as `text.users (scope: all)`; mostly empty."""
    encoder, text = cell.experiment.encoder, cell.experiment.text
    if isinstance(encoder, VectorFileSettings):
        name, leaks, scope = "encoder", encoder.leaks, str(encoder.scope)
        reads = any(role.endswith("_embeddings") for role in cell.nodes)
    else:
        name, leaks, scope = "text.users", text.users.leaks, str(text.users.scope)
        reads = "user_text" in cell.nodes
    order = ", of another order" if cell.experiment.dataset.repair.reordering else ""
    return [f"{name} (scope: {scope}{order})"] if reads and leaks == "mark" else []
