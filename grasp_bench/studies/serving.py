"""Load trained cells from the store, and answer requests with them.

A served cell is loaded once, and what all requests share is computed once.
Shape suffixes: B requests, K candidates, m items, D embedding width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.artefacts import read_train
from grasp_bench.data.splits import TrainPart
from grasp_bench.engine.publish import identity
from grasp_bench.models.batch import Candidates, History, Profiles
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.methods import label_methods, method_of
from grasp_bench.stages.model_inputs import histories, knowledge, load_recommender

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
        """The slice of the items that the model reads of a user."""
        end = int(self.offsets[user + 1])
        return slice(max(int(self.offsets[user]), end - self.max_len), end)


def trained_cells(plan: Plan, store: Store) -> tuple[list[Cell], list[str]]:
    """Find the cells of a plan whose training is finished and has item vectors, and say why others are
    left out.

    Raises StoreError when none is finished, UnknownNameError for a plan that trains nothing.
    """
    cells = [cell for cell in plan.cells if cell.kind == "trained"]
    if not cells:
        raise UnknownNameError(f"{plan.name}: no cell of these is trained", hint="choose others with --only")
    reasons = {cell.slug: _unfit(cell, store) for cell in cells}
    fit = [cell for cell in cells if reasons[cell.slug] is None]
    if not fit and all(cell.backbone is None for cell in cells):
        raise UnknownNameError(
            f"{plan.name}: its trained cells are networks of their own, without item vectors",
            hint="choose others with --only",
        )
    if not fit:
        raise StoreError(f"{store.root}: no cell of {plan.name} is trained yet", hint=NEEDED)
    return fit, [f"left out: {slug} {reason}" for slug, reason in reasons.items() if reason is not None]


def _unfit(cell: Cell, store: Store) -> str | None:
    """Why a study that reads item vectors leaves a trained cell out."""
    if cell.backbone is None:
        return "is a network of its own, without item vectors"
    return None if is_trained(cell, store) else "is not trained yet"


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
            hint=f"choose one of: {', '.join(cells)}",
        )
    return cells[slug]


def labels(cells: Sequence[Cell]) -> dict[str, str]:
    """Labels of the cells' methods on boards, by slug."""
    methods = {cell.slug: method_of(identity(cell)) for cell in cells}
    named = label_methods(set(methods.values()))
    return {slug: named[method] for slug, method in methods.items()}


def open_cell(cell: Cell, store: Store, device: str = "cpu") -> TrainedCell:
    """Load a cell's model and histories; StoreError where its training is not in the store."""
    node = cell.nodes["train"]
    if not is_trained(cell, store):
        raise StoreError(f"{store.root}: {cell.slug} is not trained yet", hint=NEEDED)
    inputs = {role: store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    part = read_train(inputs["split"].path)
    known = knowledge(inputs, "cpu")
    recommender = load_recommender(node, store.get(node.stage, node.hash), part, known, device)
    recommender.eval().requires_grad_(False)
    items, offsets, readers = histories(inputs, part, "cpu")
    return TrainedCell(
        cell, recommender, part, inputs, items.numpy(), offsets.numpy(),
        None if readers is None else readers.numpy(),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Request:
    """One user's history, oldest first, as many items as the model reads; and K items to score.

    `readers` are the profiles that read the items, where that is not the user's own row.
    """

    user: int
    items: Ints
    candidates: Ints
    readers: Ints | None = None


class Serving:
    """Answers requests by numbers of users and items. `top` is how many items of the catalogue it returns."""

    def __init__(self, opened: TrainedCell, top: int = 10) -> None:
        self.opened = opened
        self.recommender = opened.recommender
        self.top = min(top, self.recommender.num_items)
        self.recommender.enhancer.settle()
        with torch.inference_mode():
            self._catalogue: Any = self.recommender.catalogue()
            # Where users do not matter, what every request would compute again.
            self._vectors: Tensor | None = self.recommender.enhancer.item_vectors(self._catalogue)

    def request(self, user: int, candidates: Ints | None = None) -> Request:
        """Make the request of a user: the history before any test item."""
        where = self.opened.latest(user)
        readers = None if self.opened.readers is None else self.opened.readers[where]
        items = np.ascontiguousarray(self.opened.items[where])
        return Request(user, items, np.empty(0, np.int64) if candidates is None else candidates, readers)

    @torch.inference_mode()
    def best(self, requests: Sequence[Request], profiles: Profiles | None = None) -> Ints:
        """The `top` best items of the catalogue for each request, (B, top), best first."""
        return np.asarray(self._scored(requests, profiles).topk(self.top, dim=1).indices.cpu().numpy())

    @torch.inference_mode()
    def all_scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Scores (B, m) of the catalogue."""
        return np.asarray(self._scored(requests, None).cpu().numpy())

    @torch.inference_mode()
    def scores(self, requests: Sequence[Request], profiles: Profiles | None = None) -> NDArray[np.float32]:
        """Scores (B, K) of the requests' own candidates."""
        history = self.history(requests, profiles)
        states_Bd = self.recommender.states(history, self._catalogue)
        candidates = self._candidates(requests, history)
        scored = self.recommender.score_candidates(states_Bd, history, candidates, self._catalogue)
        return np.asarray(scored.cpu().numpy())

    @torch.inference_mode()
    def states(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The state behind each history, (B, views · d)."""
        history = self.history(requests)
        return np.asarray(self.recommender.states(history, self._catalogue).cpu().numpy())

    @torch.inference_mode()
    def seen(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Vectors (B, K, views · d) of the candidates as each user sees them."""
        history = self.history(requests)
        candidates = self._candidates(requests, history)
        vectors = self.recommender.enhancer.embed(history, candidates, self._catalogue)[1]
        return np.asarray(vectors.cpu().numpy())

    def item_vectors(self) -> NDArray[np.float32] | None:
        """Vectors (m, views · d) of all items; None where each user has others."""
        return None if self._vectors is None else np.asarray(self._vectors.cpu().numpy())

    def history(self, requests: Sequence[Request], profiles: Profiles | None = None) -> History:
        """The requests' histories, as models read them."""
        items_T = self._tensor([each.items for each in requests])
        users_B = torch.tensor([each.user for each in requests], device=items_T.device)
        layout = Layout(torch.tensor([len(each.items) for each in requests], device=items_T.device))
        features = None
        if self.opened.readers is not None:
            readers_T = self._tensor([each.readers for each in requests if each.readers is not None])
            features = self.recommender.pair_features(readers_T, items_T)
        return History(users_B, items_T, layout, features, profiles=profiles)

    def _scored(self, requests: Sequence[Request], profiles: Profiles | None) -> Tensor:
        history = self.history(requests, profiles)
        states_Bd = self.recommender.states(history, self._catalogue)
        if self._vectors is not None:
            return states_Bd @ self._vectors.T
        return self.recommender.score_catalogue(states_Bd, history, self._catalogue)

    def _candidates(self, requests: Sequence[Request], history: History) -> Candidates:
        items_BK = self._tensor([each.candidates for each in requests]).view(len(requests), -1)
        rows_B = torch.arange(len(requests), device=items_BK.device)
        return Candidates(items_BK, rows_B, history.layout.lengths_B)

    def _tensor(self, parts: Sequence[Ints]) -> Tensor:
        flat = torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))
        return flat.to(next(self.recommender.parameters()).device)
