"""The part of a plan that is wanted, where methods start with some seeds and may get more."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.spec.experiment import Experiment


def with_seeds(plan: Plan, experiment: Experiment, count: Callable[[Cell], int]) -> Plan:
    """The cells of the first `count(cell)` seeds of each method; what nothing trains stays whole."""
    places = {seed: place for place, seed in enumerate(experiment.all_seeds)}
    return plan.keep(
        lambda cell: "train" not in cell.nodes or cell.seed is None or places[cell.seed] < count(cell)
    )


def first_seeds(plan: Plan, experiment: Experiment) -> Plan:
    """The cells that a run starts with."""
    return with_seeds(plan, experiment, lambda _: len(experiment.first_seeds))


def seeds_begun(plan: Plan, experiment: Experiment, store: Store) -> Plan:
    """The cells that a run starts with, and of the others those that are finished."""
    first = {cell.hash for cell in first_seeds(plan, experiment).cells}
    return plan.keep(lambda cell: cell.hash in first or store.has("metrics", cell.hash))
