"""The nodes that draw negatives, rank and measure, for trained cells and for other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.nodes import Node, make_node, nodes_leading_to
from grasp_bench.spec.dataset import LATER_GROUP_KEYS, Protocol
from grasp_bench.spec.metrics import gains_of
from grasp_bench.spec.section import without_defaults


@dataclass(frozen=True)
class Ranking:
    """A stage that ranks without a trained model: its settings and the roles that it reads.

    `measured` are settings of the metrics that differ from those of models; `locations` are paths of files.
    """

    stage: str
    settings: Mapping[str, Any]
    reads: tuple[str, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)
    locations: Mapping[str, Any] = field(default_factory=dict)


def ranking_settings(protocol: Protocol) -> dict[str, Any]:
    """The protocol's settings for stages that rank."""
    return {
        "exclude_history": protocol.exclude_history,
        "also_full_ranking": protocol.also_full_ranking,
        "top": max(protocol.cutoffs),
    }


def metric_settings(protocol: Protocol) -> dict[str, Any]:
    """The protocol's settings for metrics."""
    return {
        "cutoffs": list(protocol.cutoffs),
        "ties": protocol.ties,
        "groups": without_defaults(protocol.groups, LATER_GROUP_KEYS),
        **({"gains": gains_of(protocol.metrics, protocol.cutoffs)} if protocol.metrics else {}),
    }


def ranking_nodes(
    ranking: Ranking, protocol: Protocol, nodes: Mapping[str, Node], label: str
) -> dict[str, Node]:
    """Make the nodes of a row from `nodes`, which a training under the same protocol reads."""
    inputs = {role: nodes[role] for role in ranking.reads}
    kept = nodes_leading_to(ranking.reads, nodes)
    shared, identity = nodes["candidates"], content_hash([ranking.stage, dict(ranking.settings)])
    ranked = ranked_candidates(protocol, shared, identity, label)
    if ranked != shared:
        kept["ranked_candidates"] = inputs["candidates"] = ranked
    settings = {**ranking.settings, **ranking_settings(protocol)}
    rank = make_node(ranking.stage, settings, inputs, f"rank {label}", ranking.locations)
    read = {"rank": rank, "split": nodes["split"]}
    metrics = make_node(
        "metrics", {**metric_settings(protocol), **ranking.measured}, read, f"metrics {label}"
    )
    return {**kept, "rank": rank, "metrics": metrics}


def candidates_node(protocol: Protocol, split: Node, dataset: str) -> Node:
    """Make the shared node: negatives for validation and test or, if redrawn, the pool for validation.

    `validation_negatives` is left out of the settings at its default, to keep the hashes of older artefacts.
    """
    settings: dict[str, Any] = {"negatives": protocol.negatives, "seed": protocol.candidate_seed}
    if protocol.validation_negatives != "outside_all":
        settings["validation_negatives"] = protocol.validation_negatives
    if protocol.candidates == "redrawn":
        settings["pool_for"] = "validation"
    return make_node("candidates", settings, {"split": split}, f"candidates {dataset}")


def ranked_candidates(protocol: Protocol, shared: Node, drawn_for: str, label: str) -> Node:
    """Return the node of a cell's test negatives: the shared one, or one that draws for this cell only.

    `drawn_for` is a hash of the cell, so that no two cells have the same negatives.
    """
    if protocol.candidates == "stored":
        return shared
    settings = {"negatives": protocol.negatives, "seed": protocol.candidate_seed, "drawn_for": drawn_for}
    return make_node("candidates", settings, {"split": shared.inputs["split"]}, f"candidates {label}")
