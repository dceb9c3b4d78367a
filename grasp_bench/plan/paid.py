"""Nodes that ask a service, and perhaps cost money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.plan.nodes import Node

# Where a stage's settings name what it asks: the section, and the key that tells its kind.
SECTIONS = {"text": ("source", "provider"), "embeddings": ("encoder", "kind")}
SERVICE = "litellm"


def asks_service(node: Node) -> bool:
    """True for nodes whose results a model behind litellm is asked for."""
    return service_in(node.stage, node.settings) is not None


def holds_answers(node: Node) -> bool:
    """True for nodes that keep texts which a service has answered, or may have: those from outside, too."""
    if node.stage == "text_noise":
        return holds_answers(node.inputs["text"])
    return node.stage == "text" and node.settings["source"]["provider"] != "template"


def service_in(stage: str, settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The section of a node's settings that says what is asked of a service; None when nothing is."""
    section, tag = SECTIONS.get(stage, ("", ""))
    found = settings.get(section)
    return found if isinstance(found, Mapping) and found.get(tag) == SERVICE else None


def service_of(node: Node) -> dict[str, Any]:
    """The whole section, delivery included, as the spec has it; KeyError for nodes that ask nobody."""
    section: dict[str, Any] = node.located()[SECTIONS[node.stage][0]]
    return section


def section_name(node: Node) -> str:
    """How the spec calls that section: `text.items`, `encoder`."""
    return f"text.{node.settings['side']}" if node.stage == "text" else "encoder"
