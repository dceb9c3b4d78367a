"""Predict clicks on held-out pairs with and without what cells have learned.

A user's clicked item is the test target; the other is one of the stored candidates, drawn once. Pairs are the
same for all cells of a split. Shape suffixes: U users, two pairs each (clicked first), F features.

The offline stand-in of the paper's online test (A.4: its representations as features of a CTR model). Test
targets are read, as a ranking reads them, by two small classifiers of fixed settings: half of the users teach
them, the other half are predicted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grasp_bench.core.errors import DataError, IncomparableError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_test, read_train
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stats.auc import RankedPairs
from grasp_bench.stats.levels import LEVEL
from grasp_bench.studies.probe.schema import Probe, Probes
from grasp_bench.studies.serving import NEEDED, Ints, Serving, labels, open_cell, trained_cells

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


BASE = "base"
MOST_USERS = 50_000


def probe_cells(
    plan: Plan, chosen: Plan, store: Store, note: Callable[[str], None], seed: int = 0, most: int = MOST_USERS
) -> Probes:
    """Probe the trained cells of `chosen`; embeddings of texts may be any cell's of the plan.

    Raises StoreError when no cell is trained, IncomparableError for cells of several splits, DataError for
    too few users.
    """
    cells, left_out = trained_cells(chosen, store)
    for reason in left_out:
        note(reason)
    pairs = draw_pairs(cells, store, most, seed)
    note(f"test targets of {len(pairs.users_U):,} users are read")
    others = [cell for cell in plan.cells if cell.kind == "trained"]
    known, names = base_features(pairs, others, cells[0], store)
    named = labels(others)
    base = {probe: fit(known, pairs, probe, seed) for probe in PROBES}
    probes = [_probe(BASE, BASE, BASE, probe, seed, base[probe], None) for probe in PROBES]
    for cell in cells:
        note(f"probing {cell.slug}")
        features = np.concatenate([known, learned_features(pairs, Serving(open_cell(cell, store)))], axis=-1)
        probes += [
            _probe(
                cell.slug, named[cell.slug], f"{BASE}+states", probe, cell.seed or 0,
                fit(features, pairs, probe, seed), base[probe],
            )
            for probe in PROBES
        ]  # fmt: skip
    learns = int(pairs.learns_U.sum())
    return {
        "spec": plan.name,
        "dataset": cells[0].dataset,
        "train_pairs": 2 * learns,
        "test_pairs": 2 * (len(pairs.users_U) - learns),
        "base": names,
        "test_read": True,
        "probes": probes,
        "notes": _notes(cells[0], pairs),
    }


def _probe(
    cell: str, label: str, features: str, probe: str, seed: int, found: Fitted, base: Fitted | None
) -> Probe:
    auc_low, auc_high = quantiles(found.aucs_R)
    loss_low, loss_high = quantiles(found.losses_R)
    filled: Probe = {
        "cell": cell, "label": label, "features": features, "probe": probe, "seed": seed,
        "auc": found.auc, "auc_low": auc_low, "auc_high": auc_high,
        "log_loss": found.log_loss, "log_loss_low": loss_low, "log_loss_high": loss_high,
        "auc_gain": None, "auc_gain_low": None, "auc_gain_high": None,
        "log_loss_gain": None, "log_loss_gain_low": None, "log_loss_gain_high": None,
    }  # fmt: skip
    if base is not None:
        filled["auc_gain"] = found.auc - base.auc
        filled["auc_gain_low"], filled["auc_gain_high"] = quantiles(found.aucs_R - base.aucs_R)
        filled["log_loss_gain"] = base.log_loss - found.log_loss
        filled["log_loss_gain_low"], filled["log_loss_gain_high"] = quantiles(base.losses_R - found.losses_R)
    return filled


def _notes(cell: Cell, pairs: Pairs) -> list[str]:
    return [
        f"Pairs of {len(pairs.users_U):,} users: the test target (clicked) and one of its "
        f"{cell.experiment.dataset.protocol.negatives} stored candidates (not clicked), drawn once for all "
        "cells. A half of the users, drawn by seed, teaches the probe; no user is in both halves.",
        "Test targets are read here, as by a ranking. Nothing was tuned on them: models stopped on "
        "validation, and the probes' settings are fixed.",
        "States are those behind the training and validation items: the user's state, the item's vector as "
        "that user sees it, and their product, beside the base features.",
        "Intervals (95 %) by bootstrap over the users measured on; gains are paired with the base. They "
        "cover neither the seeds of trainings nor which users teach.",
    ]


Values = NDArray[np.float64]
RESAMPLES = 999
PROBES = ("logistic", "mlp")
SMALLEST = 1e-12  # a chance that a logarithm can take


@dataclass(frozen=True, eq=False)
class Fitted:
    """AUC and log-loss on the users measured on: of all, and of each resample of these users (R,)."""

    auc: float
    log_loss: float
    aucs_R: Values
    losses_R: Values


def fit(features_U2F: Features, pairs: Pairs, probe: str, seed: int) -> Fitted:
    """Fit on some users, measure on the others. The same seed resamples the same users."""
    clicked = np.tile([1, 0], int(pairs.learns_U.sum()))
    model = _classifier(probe, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of not having converged: settings are what they are
        model.fit(features_U2F[pairs.learns_U].reshape(len(clicked), -1), clicked)
        measured_U2F = features_U2F[~pairs.learns_U]
        chances = model.predict_proba(measured_U2F.reshape(-1, measured_U2F.shape[-1]))[:, 1]
    chances_U2 = chances.reshape(-1, 2).astype(np.float64)
    users = len(chances_U2)
    losses_U = -(np.log(chances_U2[:, 0].clip(SMALLEST)) + np.log((1 - chances_U2[:, 1]).clip(SMALLEST))) / 2
    rng = np.random.default_rng(seed)
    ranked = RankedPairs(chances_U2, np.tile([True, False], (users, 1)))
    aucs, losses = np.empty(RESAMPLES), np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        weights_U = np.bincount(rng.integers(0, users, users), minlength=users).astype(np.float64)
        aucs[k] = ranked.auc(weights_U)
        losses[k] = losses_U @ weights_U / users
    return Fitted(ranked.auc(np.ones(users)), float(losses_U.mean()), aucs, losses)


def quantiles(values_R: Values) -> tuple[float, float]:
    """Ends of the percentile interval."""
    low, high = np.quantile(values_R, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _classifier(probe: str, seed: int) -> Any:
    """Build a classifier of fixed settings, which were chosen before any test target was read."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds: Mapping[str, Any] = {
        "logistic": LogisticRegression(C=1.0, max_iter=1000),
        # Stops by a tenth of the pairs it learns from.
        "mlp": MLPClassifier(
            (32,), alpha=1e-3, batch_size=256, early_stopping=True, n_iter_no_change=5, max_iter=100,
            random_state=seed,
        ),
    }  # fmt: skip
    return make_pipeline(StandardScaler(), kinds[probe])
