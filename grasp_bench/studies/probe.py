"""Are learned states worth anything to another model? Click prediction with and without them.

The offline stand-in of the paper's online test (A.4: its representations as features of a CTR model). Test
targets are read, as a ranking reads them, by a probe whose settings nothing chooses: half of the users teach
it, the other half are predicted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.findings.probe import Probe, Probes
from grasp_bench.studies.probe_fitting import PROBES, Fitted, fit, quantiles
from grasp_bench.studies.probe_pairs import Pairs, base_features, draw_pairs, learned_features
from grasp_bench.studies.serving import Serving
from grasp_bench.studies.trained_cells import labels, open_cell, trained_cells

BASE = "base"
MOST_USERS = 50_000


def probe_cells(
    plan: Plan, chosen: Plan, store: Store, tell: Callable[[str], None], seed: int = 0, most: int = MOST_USERS
) -> Probes:
    """Probe the trained cells of `chosen`; embeddings of texts may be any cell's of the plan.

    Raises StoreError when no cell is trained, IncomparableError for cells of several splits, DataError for
    too few users.
    """
    cells, left_out = trained_cells(chosen, store)
    for slug in left_out:
        tell(f"left out: {slug} is not trained yet")
    pairs = draw_pairs(cells, store, most, seed)
    tell(f"test targets of {len(pairs.users_U):,} users are read")
    others = [cell for cell in plan.cells if cell.kind == "trained"]
    known, names = base_features(pairs, others, cells[0], store)
    named = labels(others)
    base = {probe: fit(known, pairs, probe, seed) for probe in PROBES}
    probes = [_probe(BASE, BASE, BASE, probe, seed, base[probe], None) for probe in PROBES]
    for cell in cells:
        tell(f"probing {cell.slug}")
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
