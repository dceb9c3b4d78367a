"""Trained models measured by a protocol that they were not trained under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node, make_node


def measured_as(trained: Cell, asked: Cell) -> Cell:
    """The cell `asked`, its model replaced by that of `trained`; a cell without a training is as asked."""
    if "train" not in trained.nodes:
        return asked
    nodes = dict(asked.nodes) | {"train": trained.nodes["train"]}
    nodes["rank"] = _fed(nodes["rank"], "train", nodes["train"])
    nodes["metrics"] = _fed(nodes["metrics"], "rank", nodes["rank"])
    return replace(asked, nodes=nodes)


def plan_of(name: str, cells: Sequence[Cell]) -> Plan:
    """A plan of these cells, the nodes in an order in which they can run; `name` is their results folder."""
    nodes: dict[str, Node] = {}
    for cell in cells:
        for node in (*cell.nodes["metrics"].ancestors(), cell.nodes["metrics"]):
            nodes.setdefault(node.hash, node)
    return Plan(name, tuple(nodes.values()), tuple(cells), {})


def _fed(node: Node, role: str, upstream: Node) -> Node:
    return make_node(node.stage, node.settings, {**node.inputs, role: upstream}, node.label, node.places)
