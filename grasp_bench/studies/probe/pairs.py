"""Draw held-out pairs of user and item, half of them clicked, and compute their features.

A user's clicked item is the test target; the other is one of the stored candidates, drawn once. Pairs are the
same for all cells of a split. Shape suffixes: U users, two pairs each (clicked first), F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grasp_bench.core.errors import DataError, IncomparableError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_test, read_train
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.serving import NEEDED, Ints, Serving

Features = NDArray[np.float64]
CHUNK = 512


@dataclass(frozen=True, eq=False)
class Pairs:
    """`users_U`, and `items_U2`: what each clicked and what it did not; `learns_U` are users the probe is
    fitted on, the others are those it is measured on."""

    users_U: Ints
    items_U2: Ints
    learns_U: NDArray[np.bool_]


def draw_pairs(cells: Sequence[Cell], store: Store, most: int, seed: int) -> Pairs:
    """Draw at most so many users with a test target, their pairs, and a half of them to learn from.

    Raises IncomparableError where cells differ in split or candidates, DataError with fewer than four users,
    StoreError where candidates are not made.
    """
    ours = cells[0].nodes
    for cell in cells[1:]:
        if (cell.nodes["split"], cell.nodes["candidates"]) != (ours["split"], ours["candidates"]):
            raise IncomparableError(
                f"{cells[0].slug} and {cell.slug} have other held-out items or candidates",
                hint="probe cells of one dataset and protocol (--only)",
            )
    if not store.has("candidates", ours["candidates"].hash):
        raise StoreError(f"{store.root}: the candidates of {cells[0].slug} are not there", hint=NEEDED)
    users, targets = read_test(store.get("split", ours["split"].hash).path)
    stored = store.get("candidates", ours["candidates"].hash).file("test.safetensors")
    negatives = load_file(stored)["negatives"]
    if len(users) < 4:
        raise DataError(
            f"{len(users)} users have a test target: too few to learn from some and test on others"
        )
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(users), min(most, len(users)), replace=False))
    other = negatives[rows, rng.integers(0, negatives.shape[1], len(rows))]
    learns = np.zeros(len(rows), dtype=bool)
    learns[rng.choice(len(rows), len(rows) // 2, replace=False)] = True
    items = np.stack([targets[rows], other], axis=1).astype(np.int64)
    return Pairs(users[rows].astype(np.int64), items, learns)


def base_features(
    pairs: Pairs, cells: Sequence[Cell], cell: Cell, store: Store
) -> tuple[Features, list[str]]:
    """Compute features that need no model, (U, 2, F), and their names.

    `cells` are those whose embeddings of texts may be used, if any has some without noise.
    """
    train = read_train(store.get("split", cell.nodes["split"].hash).path)
    popularity = np.bincount(train.train_items, minlength=train.num_items)[pairs.items_U2]
    activity = np.diff(train.train_offsets)[pairs.users_U][:, None].repeat(2, axis=1)
    found = {"log popularity": np.log1p(popularity), "log activity": np.log1p(activity)}
    cosines = _cosines(pairs, cells, cell, store)
    if cosines is not None:
        found["cosine of the texts"] = cosines
    return np.stack(list(found.values()), axis=-1).astype(np.float64), list(found)


def _cosines(pairs: Pairs, cells: Sequence[Cell], split_of: Cell, store: Store) -> Features | None:
    for cell in cells:
        nodes = [cell.nodes.get(f"{role}_embeddings") for role in ("user", "item")]
        if cell.noise is not None or cell.nodes["split"] != split_of.nodes["split"]:
            continue
        there = [node for node in nodes if node is not None and store.has(node.stage, node.hash)]
        if len(there) < 2:
            continue
        files = [store.get(node.stage, node.hash).file("embeddings.safetensors") for node in there]
        users, items = (load_file(file)["vectors"].astype(np.float64) for file in files)
        if users.shape[1] != items.shape[1]:
            continue
        ours, theirs = _unit(users[pairs.users_U]), _unit(items[pairs.items_U2])
        cosines: Features = np.einsum("ud,ukd->uk", ours, theirs)
        return cosines
    return None


def _unit(vectors: Features) -> Features:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


def learned_features(pairs: Pairs, serving: Serving) -> Features:
    """The user's state, the item's vector as the user sees it, and their product: (U, 2, 3 · views · d)."""
    parts = []
    for start in range(0, len(pairs.users_U), CHUNK):
        rows = slice(start, start + CHUNK)
        requests = [
            serving.request(user, items)
            for user, items in zip(pairs.users_U[rows].tolist(), pairs.items_U2[rows], strict=True)
        ]
        vectors = serving.seen(requests).astype(np.float64)
        states = serving.states(requests).astype(np.float64)[:, None].repeat(2, axis=1)
        parts.append(np.concatenate([states, vectors, states * vectors], axis=-1))
    return np.concatenate(parts)
