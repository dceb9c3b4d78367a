"""Nodes: units of work, named by the hash of everything that decides their result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.versions import STAGE_VERSIONS


@dataclass(frozen=True)
class Node:
    """One artefact to be: a stage, what it reads from the spec, and the nodes it reads from.

    `settings` is JSON-able and holds exactly what the stage reads. `inputs` maps a role
    ("split", "user_embeddings") to the node that fills it. `label` is for people and no part of
    the hash. Two nodes are equal when their hashes are.
    """

    stage: str = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False)
    inputs: Mapping[str, Node] = field(compare=False)
    hash: str
    label: str = field(compare=False)

    def ancestors(self) -> Iterator[Node]:
        """Every node this one depends on, inputs first, each once, itself excluded."""
        seen: set[str] = set()
        for node in self.inputs.values():
            yield from _inputs_first(node, seen)


def make_node(stage: str, settings: Mapping[str, Any], inputs: Mapping[str, Node], label: str) -> Node:
    """Build a node with its content hash; a stage without a version is a KeyError."""
    roles = {role: node.hash for role, node in inputs.items()}
    digest = content_hash([stage, STAGE_VERSIONS[stage], dict(settings), roles])
    return Node(stage, dict(settings), dict(inputs), digest, label)


def _inputs_first(node: Node, seen: set[str]) -> Iterator[Node]:
    if node.hash in seen:
        return
    seen.add(node.hash)
    for upstream in node.inputs.values():
        yield from _inputs_first(upstream, seen)
    yield node
