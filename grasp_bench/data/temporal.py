"""Split all histories at two moments in time.

    training | validation window | test window            → time
             ^ valid_from        ^ test_from

A user's targets are the first interactions in each window. The history of a target is everything before it,
so a test history may hold several interactions of the validation window. Users without an interaction before
`valid_from` have no profile, embedding or history: they are left out and counted. Items that only occur later
stay in the catalogue, though no model has seen them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.sequences import Sequences, has_only_positions
from grasp_bench.data.splits import Split, split_by_windows
from grasp_bench.data.times import unit_of
from grasp_bench.spec.dataset import Temporal, Time

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cuts:
    """Where training ends (`valid_from`) and the test window begins (`test_from`), in the data's unit."""

    valid_from: float
    test_from: float


def cuts_of(sequences: Sequences, order: str, settings: Temporal, name: str) -> Cuts:
    """Return the two times, as given or by the shares of interactions.

    Raises DataError, naming dataset and column, when histories are not ordered by times, a date cannot be
    read, or a part would be empty.
    """
    _refuse_positions(sequences, order, name)
    times = np.sort(sequences.orders)
    if settings.valid_from is not None and settings.test_from is not None:
        valid_from, test_from = (_time(each, times) for each in (settings.valid_from, settings.test_from))
    else:
        valid_from = _later_share(times, settings.valid_share + settings.test_share)
        test_from = _later_share(times, settings.test_share)
    if not times[0] < valid_from < test_from <= times[-1]:
        raise DataError(
            f"{name}: cut at {order} {_as_text(valid_from, times)} and {_as_text(test_from, times)} of "
            f"{_as_text(times[0], times)} to {_as_text(times[-1], times)}, training or a window is empty",
            hint="set dataset.protocol.temporal to other shares, or to times in ascending order",
        )
    return Cuts(valid_from, test_from)


def with_history(sequences: Sequences, cuts: Cuts) -> tuple[Sequences, Bools]:
    """Keep the users with an interaction before the first cut, renumbered; also return their mask."""
    starts = sequences.offsets[:-1]
    kept = sequences.orders[starts] < cuts.valid_from  # the oldest interaction stands first
    rows = kept[sequences.users]
    lengths = sequences.lengths[kept]
    staying = replace(
        sequences,
        user_ids=[user for user, stays in zip(sequences.user_ids, kept, strict=True) if stays],
        items=sequences.items[rows],
        orders=sequences.orders[rows],
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
    return staying, kept


def temporal(sequences: Sequences, cuts: Cuts) -> Split:
    """Cut every history at the same two times; each must begin before the first (see `with_history`)."""
    in_training, in_test = sequences.orders < cuts.valid_from, sequences.orders >= cuts.test_from
    return split_by_windows(sequences, ~in_training & ~in_test, in_test)


def as_date(time: float, cuts: Cuts) -> str | None:
    """Format a cut as a date; None for numbers that are not times since 1970."""
    unit = unit_of(cuts.valid_from)
    if unit is None:
        return None
    try:
        return datetime.fromtimestamp(time / unit, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return None


def _later_share(times: NDArray[Any], share: float) -> float:
    """The time after which this share of interactions lies, or more where the border is a tie."""
    return float(times[max(0, math.floor(len(times) * (1 - share)))])


def _refuse_positions(sequences: Sequences, order: str, name: str) -> None:
    if has_only_positions(sequences, order):
        raise DataError(
            f"{name}: split 'temporal' needs times, but histories are ordered by '{order}', which says only "
            "which interaction of a user came first",
            hint="set dataset.columns.order to a column of times, or use split: leave_one_out",
        )


def _time(given: Time, times: NDArray[Any]) -> float:
    """Convert a given time to the unit of the data."""
    if not isinstance(given, str):
        return float(given)
    unit = unit_of(float(np.median(times)))
    try:
        date = datetime.fromisoformat(given)
    except ValueError:
        date = None
    if date is None or unit is None:
        what = "is no date" if date is None else "is a date, but the data have no times since 1970"
        raise DataError(
            f"dataset.protocol.temporal: '{given}' {what}",
            hint="write a date as 2018-09-01 or 2018-09-01T12:00, or a number in the unit of the data",
        )
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * unit


def _as_text(time: float, times: NDArray[Any]) -> str:
    return as_date(time, Cuts(float(np.median(times)), 0.0)) or f"{time:g}"
