"""Find trained cells with holistic attention, and load what their models read.

Nothing here opens test.parquet: weights are those of histories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from torch import Tensor

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.data.artefacts import read_rest, read_train
from grasp_bench.data.splits import Split
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.enhancers.grasp_settings import GraspSettings
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.model_inputs import histories, knowledge, load_trained
from grasp_bench.studies.artifact_loading import ROLES, read_table
from grasp_bench.text.entities import Side

ENHANCER = "grasp"


@dataclass(frozen=True, eq=False)
class Reading:
    """What a cell's model reads.

    `split` has no test targets. `items_flat`, `offsets` (n + 1,) and `readers_flat` are the histories before
    the test targets and whose profile reads each item (None: the user's own). `negatives_VK` belong to
    `split.valid_users`. `neighbours` are the indices (rows, N) of both sides, -1 for nobody.
    """

    cell: Cell
    split: Split
    knowledge: Knowledge
    neighbours: Mapping[Side, np.ndarray]
    items_flat: Tensor
    offsets: Tensor
    readers_flat: Tensor | None
    negatives_VK: np.ndarray
    folder: Path  # of the split
    trained: Artefact

    @property
    def max_len(self) -> int:
        """Number of latest items that the model reads."""
        return int(self.cell.nodes["train"].settings["model"]["max_len"])

    def model(self, known: Knowledge | None = None) -> Grasp:
        """Load the trained enhancer, with its own embeddings or with others in their place."""
        recommender = load_trained(
            self.cell.nodes["train"], self.trained, self.split, known or self.knowledge, "cpu"
        )
        recommender.eval()
        assert isinstance(recommender.enhancer, Grasp)
        return recommender.enhancer


def settings_of(cell: Cell) -> GraspSettings:
    """The settings of a cell's enhancer, which weighs."""
    settings = cell.experiment.model.enhancer_settings()
    assert isinstance(settings, GraspSettings)
    return settings


def cells_with_attention(plan: Plan, store: Store, pattern: str = "*") -> tuple[list[Cell], list[str]]:
    """Find trained cells whose slugs match a glob and whose weights can differ; also the others and why.

    Raises UnknownNameError when no cell that matches has such weights, StoreError when none is trained.
    """
    attentive = [
        cell for cell in plan.cells if "train" in cell.nodes and cell.experiment.model.enhancer == ENHANCER
    ]
    if not attentive:
        raise UnknownNameError(
            f"{plan.name}: no cell has holistic attention",
            hint="inspect a spec with model.enhancer: grasp",
        )
    matching = [cell for cell in attentive if fnmatchcase(cell.slug, pattern)]
    if not matching:
        raise _no_match(plan, attentive, pattern)
    weighing = [cell for cell in matching if settings_of(cell).attention != "none"]
    left_out = [
        f"{cell.slug}: attention is none, all weights are 1" for cell in matching if cell not in weighing
    ]
    if not weighing:
        raise UnknownNameError(
            f"{plan.name}: there is nothing to see in {'; '.join(left_out)}",
            hint="inspect a cell with model.attention: sigmoid or softmax",
        )
    done = [cell for cell in weighing if store.has("train", cell.nodes["train"].hash)]
    left_out += [f"{cell.slug}: not trained yet" for cell in weighing if cell not in done]
    if not done:
        raise StoreError(
            f"{store.root}: no cell of {plan.name} with holistic attention is there yet",
            hint="run the spec first (grasp-bench run), or name the store it ran with (--store)",
        )
    return done, left_out


def open_reading(cell: Cell, store: Store) -> Reading:
    """Load what the cell's model reads; StoreError where a part of it is absent."""
    node = cell.nodes["train"]
    inputs = {role: store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    train, rest = read_train(inputs["split"].path), read_rest(inputs["split"].path, "valid")
    nobody = np.empty(0, dtype=np.int32)
    split = Split(
        train.num_users, train.num_items, train.train_items, train.train_offsets,
        train.valid_users, train.valid_items, nobody, nobody, rest,
    )  # fmt: skip
    known = knowledge(inputs, "cpu")
    assert known is not None  # the enhancer reads embeddings
    flat, offsets, readers = histories(inputs, train, "cpu")
    return Reading(
        cell=cell,
        split=split,
        knowledge=known,
        neighbours={side: read_table(inputs[f"{role}_neighbours"]).indices for side, role in ROLES.items()},
        items_flat=flat,
        offsets=offsets,
        readers_flat=readers,
        negatives_VK=load_file(inputs["candidates"].file("valid.safetensors"))["negatives"],
        folder=inputs["split"].path,
        trained=store.get("train", node.hash),
    )


def _no_match(plan: Plan, attentive: list[Cell], pattern: str) -> UnknownNameError:
    slugs = [cell.slug for cell in attentive]
    if any(fnmatchcase(cell.slug, pattern) for cell in plan.cells):
        message = f"{plan.name}: '{pattern}' has no holistic attention"
    else:
        message = f"{plan.name}: no cell '{pattern}'{did_you_mean(pattern, slugs)}"
    return UnknownNameError(message, hint=f"choose one of: {', '.join(slugs)}")
