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

    `settings` is JSON-able and holds what decides the result. `inputs` maps a role ("split",
    "user_embeddings") to the node that fills it. `places` says where files lie on this machine, in
    the shape of `settings`; files count by their content, so places are no part of the hash, and
    neither is `label`, which is for people. Two nodes are equal when their hashes are.
    """

    stage: str = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False)
    inputs: Mapping[str, Node] = field(compare=False)
    hash: str
    label: str = field(compare=False)
    places: Mapping[str, Any] = field(compare=False, default_factory=dict)

    def located(self) -> dict[str, Any]:
        """Settings with the places in them: what the spec's section said."""
        return _merged(self.settings, self.places)

    def ancestors(self) -> Iterator[Node]:
        """Every node this one depends on, inputs first, each once, itself excluded."""
        seen: set[str] = set()
        for node in self.inputs.values():
            yield from _inputs_first(node, seen)


def make_node(
    stage: str, settings: Mapping[str, Any], inputs: Mapping[str, Node], label: str,
    places: Mapping[str, Any] | None = None,
) -> Node:  # fmt: skip
    """Build a node with its content hash; a stage without a version is a KeyError."""
    roles = {role: node.hash for role, node in inputs.items()}
    digest = content_hash([stage, STAGE_VERSIONS[stage], dict(settings), roles])
    return Node(stage, dict(settings), dict(inputs), digest, label, dict(places or {}))


def _inputs_first(node: Node, seen: set[str]) -> Iterator[Node]:
    if node.hash in seen:
        return
    seen.add(node.hash)
    for upstream in node.inputs.values():
        yield from _inputs_first(upstream, seen)
    yield node


def _merged(settings: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for key, value in places.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged
