"""Describe texts and vectors that replace what the spec asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from grasp_bench.core.store import Artefact, Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.nodes import Node

INSTEAD = {"template": "the default template stands in for them", "drop": "they have no text"}
NAMES = {"na": "NA", "over_long": "over-long"}


def substituted_texts(cell: Cell, store: Store) -> list[str]:
    """Return a line for each text source of the cell some of whose texts were replaced."""
    nodes = (node for role, node in cell.nodes.items() if role.endswith("_text"))
    return [line for node in nodes if (line := _substituted(node, store))]


def warnings(nodes: Iterable[Node], store: Store) -> list[str]:
    """Return warnings about metrics that depend on these nodes."""
    lines: list[str] = []
    for node in nodes:
        if line := _substituted(node, store):
            lines.append(line)
        if node.stage == "embeddings" and (dropped := _facts(node, store).get("dropped")):
            useless = f"{dropped:,} vectors of an earlier run were of no use and were asked for again"
            lines.append(f"encoder ({node.settings['side']}): {useless}")
    return lines


def _facts(node: Node, store: Store) -> Mapping[str, Any]:
    if not store.has(node.stage, node.hash):
        return {}
    artefact: Artefact = store.get(node.stage, node.hash)
    facts: Mapping[str, Any] = artefact.sidecar.get("facts", {})
    return facts


def _substituted(node: Node, store: Store) -> str | None:
    """`text.items: 35 % of texts are not by openai/x (3 empty, 1 refusal): the default template …`."""
    if node.stage != "text" or node.settings["source"]["provider"] == "template":
        return None
    facts = _facts(node, store)
    source = node.settings["source"]
    if verdicts := facts.get("verdicts"):
        failures = {name: n for name, n in verdicts.items() if n and name != "text"}
        total, by = sum(verdicts.values()), str(source.get("model", "the model"))
        why = ", ".join(f"{n:,} {NAMES.get(name, name)}" for name, n in failures.items())
        instead = INSTEAD.get(facts.get("fallback", ""), "")
    else:
        failures = {"missing": facts.get("missing", 0)} if facts.get("missing") else {}
        total, by = facts.get("count", 0), str(facts.get("file", "the file"))
        why = f"{failures.get('missing', 0):,} missing"
        instead = INSTEAD["template" if "told_by_template" in facts else "drop"]
    if not failures or not total:
        return None
    share = 100 * sum(failures.values()) / total
    said = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    return f"text.{node.settings['side']}: {said} % of texts are not from {by} ({why}): {instead}"
