"""Nodes: units of work, named by the hash of everything that decides their result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.core.hashing import content_hash

STAGE_VERSIONS: dict[str, int] = {
    "split": 1,
    "candidates": 1,
    "text": 1,
    "adaptation": 1,
    "embeddings": 1,
    "reduction": 1,
    "noise": 1,
    "text_noise": 1,
    "neighbours": 1,
    "semantic_ids": 1,
    "train": 2,
    "rank": 1,
    "control": 1,
    "imported": 1,
    "metrics": 2,
}

# Stages that may call a service: the section of their settings, and the key with its kind.
SERVICE_SECTIONS = {"text": ("source", "provider"), "embeddings": ("encoder", "kind")}
SERVICE = "litellm"


@dataclass(frozen=True)
class Node:
    """One artefact to compute: a stage, its settings, and the nodes it reads.

    `settings` is JSON-able and holds what decides the result. `inputs` maps a role ("split",
    "user_embeddings") to its node. `locations` has the paths of files on this machine, in the shape of
    `settings`: files count by content, so neither `locations` nor the readable `label` is part of the hash.
    Two nodes are equal when their hashes are.
    """

    stage: str = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False)
    inputs: Mapping[str, Node] = field(compare=False)
    hash: str
    label: str = field(compare=False)
    locations: Mapping[str, Any] = field(compare=False, default_factory=dict)

    def located(self) -> dict[str, Any]:
        """The settings with the locations: the section as the spec has it."""
        return _merged(self.settings, self.locations)

    def ancestors(self) -> Iterator[Node]:
        """Yield every node that this one depends on, inputs first, each once."""
        seen: set[str] = set()
        for node in self.inputs.values():
            yield from _inputs_first(node, seen)


def make_node(
    stage: str, settings: Mapping[str, Any], inputs: Mapping[str, Node], label: str,
    locations: Mapping[str, Any] | None = None,
) -> Node:  # fmt: skip
    """Build a node with its content hash; KeyError for a stage without a version."""
    roles = {role: node.hash for role, node in inputs.items()}
    digest = content_hash([stage, STAGE_VERSIONS[stage], dict(settings), roles])
    return Node(stage, dict(settings), dict(inputs), digest, label, dict(locations or {}))


def nodes_leading_to(roles: Iterable[str], nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Select the nodes in these roles and those that they are made from."""
    wanted = [nodes[role] for role in roles]
    hashes = {node.hash for found in wanted for node in (found, *found.ancestors())}
    return {role: node for role, node in nodes.items() if node.hash in hashes}


def _inputs_first(node: Node, seen: set[str]) -> Iterator[Node]:
    if node.hash in seen:
        return
    seen.add(node.hash)
    for upstream in node.inputs.values():
        yield from _inputs_first(upstream, seen)
    yield node


def _merged(settings: Mapping[str, Any], locations: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for key, value in locations.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


def asks_service(node: Node) -> bool:
    """True for nodes that call a model through litellm."""
    return service_in(node.stage, node.settings) is not None


def holds_answers(node: Node) -> bool:
    """True for nodes with texts that a service wrote, or may have written (precomputed texts)."""
    if node.stage == "text_noise":
        return holds_answers(node.inputs["text"])
    return node.stage == "text" and node.settings["source"]["provider"] != "template"


def service_in(stage: str, settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the section of a node's settings that configures a service; None without one."""
    section, tag = SERVICE_SECTIONS.get(stage, ("", ""))
    found = settings.get(section)
    return found if isinstance(found, Mapping) and found.get(tag) == SERVICE else None


def service_of(node: Node) -> dict[str, Any]:
    """Return the section as the spec has it, delivery included; KeyError for nodes without a service."""
    section: dict[str, Any] = node.located()[SERVICE_SECTIONS[node.stage][0]]
    return section


def section_name(node: Node) -> str:
    """The name of that section in the spec: `text.items`, `encoder`."""
    return f"text.{node.settings['side']}" if node.stage == "text" else "encoder"
