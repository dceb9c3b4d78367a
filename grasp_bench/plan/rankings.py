"""Rankings that no model of ours makes: a cell's nodes with another one in the role "rank"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.candidates import ranked_candidates
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.dataset import Protocol


@dataclass(frozen=True)
class Ranking:
    """The stage that ranks, what it is told beside the protocol, and the roles of the nodes that it reads.

    `measured` are settings of the metrics that differ from the models'; `places` say where files lie.
    """

    stage: str
    settings: Mapping[str, Any]
    reads: tuple[str, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)


def ranked_by(ranking: Ranking, protocol: Protocol, nodes: Mapping[str, Node], label: str) -> dict[str, Node]:
    """The nodes of a row: `nodes` are a model's of the same protocol, whose settings all rows share."""
    inputs = {role: nodes[role] for role in ranking.reads}
    leading = {node.hash for found in inputs.values() for node in (found, *found.ancestors())}
    kept = {role: node for role, node in nodes.items() if node.hash in leading}
    shared, identity = nodes["candidates"], content_hash([ranking.stage, dict(ranking.settings)])
    ranked = ranked_candidates(protocol, shared, identity, label)
    if ranked != shared:
        kept["ranked_candidates"] = inputs["candidates"] = ranked
    settings = {**ranking.settings, **nodes["rank"].settings}
    rank = make_node(ranking.stage, settings, inputs, f"rank {label}", ranking.places)
    measured = {**nodes["metrics"].inputs, "rank": rank}
    metrics = make_node(
        "metrics", {**nodes["metrics"].settings, **ranking.measured}, measured, f"metrics {label}"
    )
    return {**kept, "rank": rank, "metrics": metrics}
