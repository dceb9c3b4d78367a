"""Select cells of a plan by their seeds, and compare a plan with a store: which nodes have to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

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


# "spare": absent, but nothing that has to run reads it.
State = Literal["cached", "resume", "to do", "spare"]


@dataclass(frozen=True)
class Status:
    """States by node hash, nodes to run in a possible order, and cells that are done or started."""

    states: Mapping[str, State]
    to_run: tuple[Node, ...]
    done: tuple[Cell, ...]
    started: tuple[Cell, ...]

    def count(self, state: State) -> int:
        """Count the nodes in a state."""
        return sum(found == state for found in self.states.values())

    @property
    def trainings(self) -> int:
        """Count the models to train, controls on shuffled embeddings included."""
        return sum(node.stage == "train" for node in self.to_run)

    @property
    def controls(self) -> int:
        """Count the untrained controls to rank."""
        return sum(node.stage == "control" for node in self.to_run)


def status(plan: Plan, store: Store) -> Status:
    """Compare a plan with a store by the names of artefacts.

    A cell is done when its metrics exist; it is started when its training is finished or can resume. Damaged
    artefacts are computed again even if no cell needs them, since a study of a finished cell may.
    """
    present = {node.hash for node in plan.nodes if store.has(node.stage, node.hash)}
    wanted: set[str] = set()
    for cell in plan.cells:
        _want(cell.nodes["metrics"], present, wanted)
    for node in plan.nodes:
        if node.hash not in present and store.was_damaged(node.stage, node.hash):
            _want(node, present, wanted)
    states: dict[str, State] = {}
    for node in plan.nodes:
        if node.hash in present:
            states[node.hash] = "cached"
        elif node.hash not in wanted:
            states[node.hash] = "spare"
        else:
            states[node.hash] = "resume" if store.has_partial(node.stage, node.hash) else "to do"
    open_cells = [cell for cell in plan.cells if states[cell.hash] != "cached"]
    return Status(
        states=states,
        to_run=tuple(node for node in plan.nodes if node.hash in wanted),
        done=tuple(cell for cell in plan.cells if states[cell.hash] == "cached"),
        started=tuple(cell for cell in open_cells if _is_started(cell, states)),
    )


def _is_started(cell: Cell, states: Mapping[str, State]) -> bool:
    train = cell.nodes.get("train")
    return train is not None and states[train.hash] in ("cached", "resume")


def _want(node: Node, present: set[str], wanted: set[str]) -> None:
    if node.hash in present or node.hash in wanted:
        return
    wanted.add(node.hash)
    for upstream in node.inputs.values():
        _want(upstream, present, wanted)
