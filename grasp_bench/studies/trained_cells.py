"""Trained cells out of the store, for studies that ask their models something new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.data.artefacts import read_train
from grasp_bench.data.splits import TrainPart
from grasp_bench.engine.publish import identity
from grasp_bench.models.recommender import Recommender
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.methods import label_methods, method_of
from grasp_bench.stages.model_inputs import histories, knowledge, load_trained

Ints = NDArray[np.int64]
NEEDED = "grasp-bench run the spec first, or name the store it ran with (--store)"


@dataclass(frozen=True, eq=False)
class TrainedCell:
    """A trained model, ready to score, and the histories that are known before any test item.

    User u's items are `items[offsets[u]:offsets[u + 1]]`, training and validation, oldest first. `readers`
    are the profiles that read them, None where that is the user's own row.
    """

    cell: Cell
    recommender: Recommender
    train: TrainPart
    inputs: Mapping[str, Artefact]
    items: Ints
    offsets: Ints
    readers: Ints | None

    @property
    def max_len(self) -> int:
        """How many of a user's latest items the model reads."""
        return int(self.cell.experiment.model.max_len)

    def latest(self, user: int) -> slice:
        """Where the items lie that the model reads of a user."""
        end = int(self.offsets[user + 1])
        return slice(max(int(self.offsets[user]), end - self.max_len), end)


def trained_cells(plan: Plan, store: Store) -> tuple[list[Cell], list[str]]:
    """The cells of a plan whose training is finished, and the slugs of those where it is not.

    Raises StoreError when none is finished, UnknownNameError for a plan that trains nothing.
    """
    cells = [cell for cell in plan.cells if cell.kind == "trained"]
    if not cells:
        raise UnknownNameError(f"{plan.name}: no cell of these is trained", mend="choose others with --only")
    done = [cell for cell in cells if is_trained(cell, store)]
    if not done:
        raise StoreError(f"{store.root}: no cell of {plan.name} is trained yet", mend=NEEDED)
    return done, [cell.slug for cell in cells if cell not in done]


def is_trained(cell: Cell, store: Store) -> bool:
    """True when the cell's training and all that its model reads are in the store."""
    train = cell.nodes["train"]
    return all(store.has(node.stage, node.hash) for node in (train, *train.inputs.values()))


def cell_named(plan: Plan, slug: str) -> Cell:
    """The trained cell of this name; UnknownNameError suggests the nearest."""
    cells = {cell.slug: cell for cell in plan.cells if cell.kind == "trained"}
    if slug not in cells:
        raise UnknownNameError(
            f"{plan.name}: no trained cell '{slug}'{did_you_mean(slug, cells)}",
            mend=f"choose one of: {', '.join(cells)}",
        )
    return cells[slug]


def labels(cells: Sequence[Cell]) -> dict[str, str]:
    """What a board calls the method of each cell, by slug."""
    methods = {cell.slug: method_of(identity(cell)) for cell in cells}
    named = label_methods(set(methods.values()))
    return {slug: named[method] for slug, method in methods.items()}


def open_cell(cell: Cell, store: Store, device: str = "cpu") -> TrainedCell:
    """Load a cell's model and histories; StoreError where its training is not in the store."""
    node = cell.nodes["train"]
    if not is_trained(cell, store):
        raise StoreError(f"{store.root}: {cell.slug} is not trained yet", mend=NEEDED)
    inputs = {role: store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    part = read_train(inputs["split"].path)
    known = knowledge(inputs, "cpu")
    recommender = load_trained(node, store.get(node.stage, node.hash), part, known, device)
    recommender.eval().requires_grad_(False)
    items, offsets, readers = histories(inputs, part, "cpu")
    return TrainedCell(
        cell, recommender, part, inputs, items.numpy(), offsets.numpy(),
        None if readers is None else readers.numpy(),
    )  # fmt: skip
