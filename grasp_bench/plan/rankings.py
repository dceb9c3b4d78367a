"""Rankings that no model of ours makes: a cell's nodes with another one in the role "rank"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.candidates import ranked_candidates
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.dataset import LATER_GROUP_KEYS, Protocol
from grasp_bench.spec.section import settled


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


def ranked_as(protocol: Protocol) -> dict[str, Any]:
    """What a protocol tells the stage that ranks."""
    return {
        "exclude_history": protocol.exclude_history,
        "also_full_ranking": protocol.also_full_ranking,
        "top": max(protocol.cutoffs),
    }


def measured_as(protocol: Protocol) -> dict[str, Any]:
    """What a protocol tells the metrics."""
    return {
        "cutoffs": list(protocol.cutoffs),
        "ties": protocol.ties,
        "groups": settled(protocol.groups, LATER_GROUP_KEYS),
    }


def ranked_by(ranking: Ranking, protocol: Protocol, nodes: Mapping[str, Node], label: str) -> dict[str, Node]:
    """The nodes of a row; `nodes` are those that a training under the same protocol reads."""
    inputs = {role: nodes[role] for role in ranking.reads}
    leading = {node.hash for found in inputs.values() for node in (found, *found.ancestors())}
    kept = {role: node for role, node in nodes.items() if node.hash in leading}
    shared, identity = nodes["candidates"], content_hash([ranking.stage, dict(ranking.settings)])
    ranked = ranked_candidates(protocol, shared, identity, label)
    if ranked != shared:
        kept["ranked_candidates"] = inputs["candidates"] = ranked
    settings = {**ranking.settings, **ranked_as(protocol)}
    rank = make_node(ranking.stage, settings, inputs, f"rank {label}", ranking.places)
    read = {"rank": rank, "split": nodes["split"]}
    metrics = make_node("metrics", {**measured_as(protocol), **ranking.measured}, read, f"metrics {label}")
    return {**kept, "rank": rank, "metrics": metrics}
