"""The nodes that draw negatives: one for all methods, or one for each cell."""

from __future__ import annotations

from typing import Any

from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.dataset import Protocol


def candidates_node(protocol: Protocol, split: Node, dataset: str) -> Node:
    """What all methods share: negatives for validation and test, or, redrawn, the validation's pool.

    A value that came later than the artefacts is left out of the settings where it is at its default.
    """
    settings: dict[str, Any] = {"negatives": protocol.negatives, "seed": protocol.candidate_seed}
    if protocol.validation_negatives != "outside_all":
        settings["validation_negatives"] = protocol.validation_negatives
    if protocol.candidates == "redrawn":
        settings["pool_for"] = "validation"
    return make_node("candidates", settings, {"split": split}, f"candidates {dataset}")


def ranked_candidates(protocol: Protocol, shared: Node, drawn_for: str, label: str) -> Node:
    """The node of a cell's test negatives: the shared one, or one that draws for this cell alone.

    `drawn_for` is a hash of what the cell is, so that no two cells have the same negatives.
    """
    if protocol.candidates == "stored":
        return shared
    settings = {"negatives": protocol.negatives, "seed": protocol.candidate_seed, "drawn_for": drawn_for}
    return make_node("candidates", settings, {"split": shared.inputs["split"]}, f"candidates {label}")
