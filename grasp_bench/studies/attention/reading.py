"""Find trained cells with holistic attention, and compute their weights of real pairs, block by block.

Nothing here opens test.parquet: weights are those of histories.

There are two kinds of pairs: those of histories, which the model weighs when it reads, and validation
negatives, which it weighs when it scores. No pair holds a test target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.artefacts import read_rest, read_train
from grasp_bench.data.splits import Split
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.enhancers.grasp_settings import GraspSettings
from grasp_bench.models.layout import gather_sequences
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.model_inputs import histories, knowledge, load_recommender
from grasp_bench.studies.artifact_loading import ROLES, read_table
from grasp_bench.text.providers import Side

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
        recommender = load_recommender(
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
            f"{plan.name}: no cell has holistic attention", hint="inspect a spec with model.enhancer: grasp"
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


PAIRS_PER_BLOCK = 1 << 14  # four rows of 384 floats a pair: 100 MB
UNCHOSEN_PER_USER = 10  # about as many as a history has


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs of a user and an item, the profile that reads each, and the weight of each part.

    `users`, `profiles`, `items` (P,) int64; `held_out` (P,) bool: validation, which no training and, by
    default, no text of a user has seen; `weights` (P, parts) float64. A profile is a row of the users'
    embeddings: the user's own, unless there is one for every training position. Users ascend; items of a
    history are oldest first.
    """

    users: NDArray[np.int64]
    profiles: NDArray[np.int64]
    items: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def of_user(self, user: int) -> NDArray[np.int64]:
        """Rows of one user's pairs."""
        return np.arange(*np.searchsorted(self.users, [user, user + 1]))


@torch.inference_mode()
def history_pairs(reading: Reading, model: Grasp) -> Pairs:
    """Compute all pairs of all histories, each cut to its latest `max_len` items as the model does."""
    blocks = []
    lengths = torch.from_numpy(reading.split.train_lengths)
    for tokens in _histories(reading, model, _readers(reading)):
        history, users_T = tokens.history, tokens.history.users_T()
        weights_TP = model.history_weights(history)
        held_out_T = tokens.place_T >= lengths[users_T]
        blocks.append((users_T, tokens.profiles_T, history.items_T, held_out_T, weights_TP))
    return _joined(blocks, len(model.holistic.shape.parts))


@torch.inference_mode()
def unchosen_pairs(reading: Reading, model: Grasp, per_user: int = UNCHOSEN_PER_USER) -> Pairs:
    """Compute pairs with the first `per_user` negatives of each validation user, scored after the history."""
    negatives_VK = torch.from_numpy(reading.negatives_VK[:, :per_user].astype(np.int64))
    asked = torch.from_numpy(reading.split.valid_users.astype(np.int64))
    blocks = []
    for tokens in _histories(reading, model, asked):
        history, users_B = tokens.history, tokens.history.users_B
        items_BK = negatives_VK[torch.searchsorted(asked, users_B)]
        candidates = Candidates(items_BK, torch.arange(len(users_B)), history.layout.lengths_B)
        weights_BKP = model.candidate_weights(history, candidates)
        owners, items = users_B[:, None].expand_as(items_BK).flatten(), items_BK.flatten()
        blocks.append((owners, owners, items, torch.zeros_like(items).bool(), weights_BKP.flatten(0, 1)))
    return _joined(blocks, len(model.holistic.shape.parts))


@dataclass(frozen=True, eq=False)
class _Tokens:
    """Some histories, the profile that reads each token, and its place in the whole history, from 0."""

    history: History
    profiles_T: torch.Tensor
    place_T: torch.Tensor


def _readers(reading: Reading) -> torch.Tensor:
    """Users with a history; in a split by time some have none."""
    return reading.offsets.diff().nonzero().squeeze(1)


def _histories(reading: Reading, model: Grasp, users: torch.Tensor) -> Iterator[_Tokens]:
    """Histories of users, in blocks of bounded size."""
    lengths = reading.offsets.diff()[users].clamp_max(reading.max_len)
    weight = torch.maximum(lengths, torch.tensor(UNCHOSEN_PER_USER)).cumsum(0)
    borders = np.flatnonzero(np.diff((weight // PAIRS_PER_BLOCK).numpy())) + 1
    for block in np.split(users.numpy(), borders) if len(users) else []:
        users_B = torch.from_numpy(block)
        starts_B, ends_B = reading.offsets[users_B], reading.offsets[users_B + 1]
        lengths_B = (ends_B - starts_B).clamp_max(reading.max_len)
        index_T, layout = gather_sequences(ends_B - lengths_B, lengths_B)
        items_T, readers = reading.items_flat[index_T], reading.readers_flat
        profiles_T = users_B[layout.sequence_T] if readers is None else readers[index_T]
        history = History(users_B, items_T, layout, model.pair_features(profiles_T, items_T))
        yield _Tokens(history, profiles_T, index_T - starts_B[layout.sequence_T])


def _joined(blocks: Sequence[tuple[torch.Tensor, ...]], parts: int) -> Pairs:
    if not blocks:
        nobody = np.empty(0, dtype=np.int64)
        return Pairs(nobody, nobody, nobody, nobody.astype(bool), np.empty((0, parts)))
    users, profiles, items, held_out, weights = (
        torch.cat(column).numpy() for column in zip(*blocks, strict=True)
    )
    return Pairs(users, profiles, items, held_out, weights.astype(np.float64))
