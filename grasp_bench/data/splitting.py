"""Split prepared sequences by the protocol of a spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.audits.splits import audit, audit_in_time, audit_steps
from grasp_bench.data.cold_items import cold_sequences
from grasp_bench.data.parts import CUTS_OF_PARTS
from grasp_bench.data.prepare import Prepared
from grasp_bench.data.splits import MIN_EVALUATED, Split, leave_one_out, leave_one_step_out
from grasp_bench.data.temporal import as_date, cuts_of, temporal, with_history
from grasp_bench.spec.dataset import Protocol

LOWER = "lower dataset.min_item, or set dataset.core: iterated"
WIDER = "widen the windows in dataset.protocol.temporal: in short windows few users come back"


@dataclass(frozen=True, eq=False)
class SplitResult:
    """A split, the prepared data with its users, facts for the card, and an audit.

    `check` audits a split read back from disk and returns the number of interactions; it raises LeakError
    when the split differs from this one.
    """

    prepared: Prepared
    split: Split
    check: Callable[[Split], int]
    facts: dict[str, Any] = field(default_factory=dict)


def split_by_protocol(prepared: Prepared, protocol: Protocol) -> SplitResult:
    """Split as the protocol says; DataError when no user is left to validate or to test."""
    divided = SPLITS[protocol.split](prepared, protocol)
    split, name = divided.split, prepared.name
    if protocol.split == "leave_one_out" and not len(split.test_users):
        left = "steps" if prepared.equal_times == "block" else "interactions"
        what = f"no user has {MIN_EVALUATED} {left} left, nobody can be evaluated"
        raise DataError(f"{name}: {what}", hint=LOWER)
    for window, users in (("validation", split.valid_users), ("test", split.test_users)):
        if not len(users):
            if protocol.split == "given":
                raise DataError(
                    f"{name}: no user of the training file is in the {window} file",
                    hint="a published split numbers users alike in its three files",
                )
            if protocol.split == "cold_items":
                raise DataError(
                    f"{name}: no user has a cold {window} item after a warm one",
                    hint="raise dataset.protocol.cold_items.share",
                )
            what = f"nobody with a history before the first cut did anything in the {window} window"
            raise DataError(f"{name}: {what}", hint=WIDER)
    return divided


def _by_leave_one_out(prepared: Prepared, protocol: Protocol) -> SplitResult:
    sequences = prepared.sequences
    if prepared.equal_times == "block":
        split = leave_one_step_out(sequences)
        return SplitResult(prepared, split, lambda found: audit_steps(found, sequences))
    return SplitResult(prepared, leave_one_out(sequences), lambda split: audit(split, sequences))


def _in_time(prepared: Prepared, protocol: Protocol) -> SplitResult:
    everybody = prepared.sequences
    cuts = cuts_of(everybody, prepared.order, protocol.temporal, prepared.name)
    sequences, kept = with_history(everybody, cuts)
    users = None if prepared.users is None else prepared.users.filter(pl.Series(kept))
    split = temporal(sequences, cuts)
    audit_written = partial(audit_in_time, sequences=sequences, cuts=cuts)
    if prepared.equal_times == "block":
        split = replace(split, train_tied=sequences.tied[sequences.orders < cuts.valid_from])
    seen = np.zeros(split.num_items, dtype=bool)
    seen[split.train_items] = True
    facts = {
        "valid_from": cuts.valid_from,
        "test_from": cuts.test_from,
        "dates": [as_date(cuts.valid_from, cuts), as_date(cuts.test_from, cuts)],
        "interactions": {
            "training": len(split.train_items),
            "validation_window": len(split.valid_users) + len(split.valid_rest.users),
            "test_window": len(split.test_users) + len(split.test_rest.users),
        },
        "validated_users": len(split.valid_users),
        "users_without_history": int((~kept).sum()),
        "interactions_without_history": len(everybody.items) - len(sequences.items),
        "cold_items": int((~seen).sum()),
    }
    staying = replace(prepared, sequences=sequences, users=users)
    return SplitResult(staying, split, audit_written, {"temporal": facts})


def _as_given(prepared: Prepared, protocol: Protocol) -> SplitResult:
    sequences, kept = with_history(prepared.sequences, CUTS_OF_PARTS)
    users = None if prepared.users is None else prepared.users.filter(pl.Series(kept))
    split = temporal(sequences, CUTS_OF_PARTS)
    facts = {
        "training": len(split.train_items),
        "validation": len(split.valid_users) + len(split.valid_rest.users),
        "test": len(split.test_users) + len(split.test_rest.users),
        "users_without_training": int((~kept).sum()),
    }
    staying = replace(prepared, sequences=sequences, users=users)
    check = partial(audit_in_time, sequences=sequences, cuts=CUTS_OF_PARTS)
    return SplitResult(staying, split, check, {"given_split": facts})


def _by_cold_items(prepared: Prepared, protocol: Protocol) -> SplitResult:
    found = cold_sequences(prepared.sequences, protocol.cold_items)
    sequences, with_training = with_history(found.sequences, CUTS_OF_PARTS)
    kept = found.kept_users.copy()
    kept[kept] = with_training
    split = temporal(sequences, CUTS_OF_PARTS)

    def check(written: Split) -> int:
        found.audit(written)
        return audit_in_time(written, sequences, CUTS_OF_PARTS)

    facts = {
        "cold_in_validation": int(found.in_valid.sum()), "cold_in_test": int(found.in_test.sum()),
        "validated_users": len(split.valid_users), "tested_users": len(split.test_users),
        "users_left_out": int((~kept).sum()),
    }  # fmt: skip
    note = (
        f"{prepared.name}: test targets are among {facts['cold_in_test']:,} of {sequences.num_items:,} items "
        "that no training sequence has; a method that knows items by their IDs alone guesses."
    )
    users = None if prepared.users is None else prepared.users.filter(pl.Series(kept))
    staying = replace(prepared, sequences=sequences, users=users, notes=[*prepared.notes, note])
    return SplitResult(staying, split, check, {"cold_items": facts})


SPLITS = {
    "leave_one_out": _by_leave_one_out,
    "temporal": _in_time,
    "cold_items": _by_cold_items,
    "given": _as_given,
}
