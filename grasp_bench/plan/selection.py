"""Select cells of a plan by their seeds, and measure trained models by another protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.experiment import Experiment


def with_seeds(plan: Plan, experiment: Experiment, count: Callable[[Cell], int]) -> Plan:
    """Keep the first `count(cell)` seeds of each method, and all cells that are not trained."""
    places = {seed: place for place, seed in enumerate(experiment.all_seeds)}
    return plan.keep(
        lambda cell: "train" not in cell.nodes or cell.seed is None or places[cell.seed] < count(cell)
    )


def first_seeds(plan: Plan, experiment: Experiment) -> Plan:
    """Keep the seeds that a run starts with."""
    return with_seeds(plan, experiment, lambda _: len(experiment.first_seeds))


def seeds_begun(plan: Plan, experiment: Experiment, store: Store) -> Plan:
    """Keep the seeds that a run starts with, and other cells that are finished."""
    first = {cell.hash for cell in first_seeds(plan, experiment).cells}
    return plan.keep(lambda cell: cell.hash in first or store.has("metrics", cell.hash))


def with_model_of(trained: Cell, asked: Cell) -> Cell:
    """Return `asked` with the model of `trained`; a cell without a training stays as it is."""
    if "train" not in trained.nodes:
        return asked
    nodes = dict(asked.nodes) | {"train": trained.nodes["train"]}
    nodes["rank"] = _with_input(nodes["rank"], "train", nodes["train"])
    nodes["metrics"] = _with_input(nodes["metrics"], "rank", nodes["rank"])
    return replace(asked, nodes=nodes)


def plan_of(name: str, cells: Sequence[Cell]) -> Plan:
    """Make a plan of these cells, nodes in an order in which they can run; `name` is the results folder."""
    nodes: dict[str, Node] = {}
    for cell in cells:
        for node in (*cell.nodes["metrics"].ancestors(), cell.nodes["metrics"]):
            nodes.setdefault(node.hash, node)
    return Plan(name, tuple(nodes.values()), tuple(cells), {})


def _with_input(node: Node, role: str, upstream: Node) -> Node:
    return make_node(node.stage, node.settings, {**node.inputs, role: upstream}, node.label, node.locations)
