"""Find which context of a pair is corrupted, and whether its weight shows it.

An entity's own embedding is corrupted or not. Its neighbours' mean is corrupted by the share of neighbours
that are, and wholly where they were searched by a corrupted embedding. A dot product of two means is the mean
of the neighbours' dot products: of these, a share of 1 - (1 - a)(1 - b) is corrupted where shares a and b of
the two sides are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_bench.encoders.noise import add_noise, corrupted_rows
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.plan.knowledge_nodes import NOISE_STAGES
from grasp_bench.plan.nodes import Node
from grasp_bench.retrieval.neighbours import pooled_means
from grasp_bench.studies.artifact_loading import ROLES, LoadedSide
from grasp_bench.studies.attention.reading import Pairs, Reading
from grasp_bench.studies.attention.schema import Corruption
from grasp_bench.studies.inspection.texts import rows_about
from grasp_bench.text.grounding import GroundingCheck, State
from grasp_bench.text.providers import Side

Shares = NDArray[np.float64]
EITHER = "either"
TABLES: dict[Side, tuple[str, str]] = {
    "users": ("users_nD", "similar_users_nD"),
    "items": ("items_mD", "similar_items_mD"),
}
MOSTLY = 0.5  # a context is called corrupted from this share on


@dataclass(frozen=True, eq=False)
class Corrupted:
    """One side: which share of each entity's own embedding (0 or 1) and of its neighbours' is corrupted."""

    own: Shares
    similar: Shares

    def of_part(self, part: str) -> Shares:
        """Share of the context that a part of the attention reads; global reads both halves."""
        halves = {"self": self.own, "similar": self.similar, "global": (self.own + self.similar) / 2}
        return halves[part]


def trained_under(reading: Reading) -> dict[Side, Corrupted]:
    """Find what the noise of a cell's training has hit, by side; empty for a clean cell."""
    found: dict[Side, Corrupted] = {}
    inputs = reading.cell.nodes["train"].inputs
    for side, role in ROLES.items():
        noise = _noise_behind(inputs[f"{role}_embeddings"], side)
        if noise is None:
            continue
        indices = reading.neighbours[side]
        own = np.zeros(len(indices))
        own[corrupted_rows(len(own), side, noise.settings["rate"], noise.settings["seed"])] = 1.0
        if _noise_behind(inputs[f"{role}_neighbours"], side) is None:
            similar = np.zeros(len(own))  # searched and averaged before the noise
        else:
            similar = np.maximum(own, _share_of_neighbours(own, indices))
        found[side] = Corrupted(own, similar)
    return found


Claims = Literal["contradicted", "ungrounded"]
WRONG: dict[Claims, frozenset[State]] = {
    "contradicted": frozenset({"contradicted"}),
    "ungrounded": frozenset({"contradicted", "not_carried"}),
}


def told_wrong(reading: Reading, texts: Sequence[LoadedSide], claims: Claims) -> dict[Side, Corrupted]:
    """Find, by side, entities whose text claims what their attributes contradict, or also do not carry."""
    found: dict[Side, Corrupted] = {}
    for opened in texts:
        indices = reading.neighbours[opened.side]
        check = GroundingCheck(opened.texts or [], opened.subjects.items)
        states = check.against(partial(rows_about, opened)).states()
        own = np.zeros(len(indices))
        own[: len(states)] = [state in WRONG[claims] for state in states[: len(own)]]
        found[opened.side] = Corrupted(own, _share_of_neighbours(own, indices))
    return found


def corrupt(reading: Reading, rate: float, seed: int) -> tuple[Knowledge, dict[Side, Corrupted]]:
    """Permute embeddings of both sides after training; return them and what was hit.

    Neighbours stay the same; the means of their embeddings are computed again.
    """
    known, found = reading.knowledge, dict[Side, Corrupted]()
    for side, (own_name, similar_name) in TABLES.items():
        vectors, indices = getattr(known, own_name).numpy(), reading.neighbours[side]
        disturbed, rows = add_noise(vectors, side, "permute", rate, seed)
        last = len(vectors) - (known.prefixes if side == "users" else 0)
        tables = {own_name: disturbed, similar_name: pooled_means(disturbed[:last], indices, disturbed)}
        known = replace(known, **{name: torch.from_numpy(table) for name, table in tables.items()})  # type: ignore[arg-type]
        own = np.zeros(len(vectors))
        own[rows] = 1.0
        found[side] = Corrupted(own, _share_of_neighbours(own, indices))
    return known, found


def shares_of_pairs(
    corrupted: Mapping[Side, Corrupted], pairs: Pairs, part: str
) -> Iterator[tuple[str, Shares]]:
    """Yield the corrupted share of each pair's context, (P,), by side; last, with two sides, of either."""
    rows = {"users": pairs.profiles, "items": pairs.items}
    for side, found in corrupted.items():
        yield side, found.of_part(part)[rows[side]]
    if len(corrupted) == len(ROLES):
        by_half = [
            1 - np.prod([1 - getattr(found, half)[rows[side]] for side, found in corrupted.items()], axis=0)
            for half in {"self": ["own"], "similar": ["similar"], "global": ["own", "similar"]}[part]
        ]
        yield EITHER, np.mean(by_half, axis=0)


def corruption_of(part: str, side: str, weights: Shares, shares: Shares) -> Corruption | None:
    """Compare weights (P,) with shares (P,); None where all pairs are corrupted alike, or none is.

    `auc` calls a pair corrupted from half of its context on, `correlation` is Spearman's with the share, 0
    where all weights are the same.
    """
    from scipy.stats import mannwhitneyu, spearmanr

    mostly = shares >= MOSTLY
    corrupted, clean = weights[mostly], weights[~mostly]
    if not len(corrupted) or not len(clean):
        return None
    varies = bool(weights.min() < weights.max())
    above = mannwhitneyu(clean, corrupted, method="asymptotic").statistic if varies else None
    return Corruption(
        part=part,
        side=side,
        corrupted=len(corrupted),
        clean=len(clean),
        auc=float(above) / (len(clean) * len(corrupted)) if above is not None else 0.5,
        correlation=float(spearmanr(weights, shares).statistic) if varies else 0.0,
        mean_corrupted=float(corrupted.mean()),
        mean_clean=float(clean.mean()),
    )


def _share_of_neighbours(own: Shares, indices: np.ndarray) -> Shares:
    """The corrupted share of an entity's neighbours; an entity without neighbours counts itself."""
    there = indices >= 0
    hit = np.where(there, own[indices], 0.0).sum(axis=1)
    count = there.sum(axis=1)
    return np.where(count > 0, hit / np.maximum(count, 1), own)


def _noise_behind(node: Node, side: Side) -> Node | None:
    """Find the noise on this side among a node and its ancestors; None without any."""
    for each in (node, *node.ancestors()):
        if each.stage in NOISE_STAGES and each.settings["side"] == side:
            return each
    return None
