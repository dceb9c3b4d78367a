"""Check per-user values of methods and subtract them user by user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_bench.core.errors import DataError, IncomparableError

Values = NDArray[np.float64]
DECIMALS = 12


def checked_table(values_SU: Sequence[ArrayLike]) -> Values:
    """Stack S arrays of shape (users,) to float64 (S, users).

    Raises IncomparableError when lengths differ, DataError when empty or not finite.
    """
    rows = [np.asarray(row) for row in values_SU]
    if not rows:
        raise DataError("no training to compare", hint="run the spec: no seed of the method is finished")
    same_users(rows)
    return checked(np.stack(rows))


def same_users(rows: Sequence[NDArray[Any]]) -> None:
    """Raise IncomparableError unless all rows have one value for each of equally many users."""
    sizes = sorted({row.size for row in rows})
    if len(sizes) > 1:
        raise IncomparableError(
            f"paired values need the same users: {sizes[0]} against {sizes[-1]}",
            hint="compare cells of one protocol hash",
        )


def paired_differences(first: ArrayLike, second: ArrayLike) -> Values:
    """Subtract `second` from `first`, user by user, both of shape (users,) and in the same order.

    Rounded to 12 decimals: means over seeds in different orders differ by a float64 rounding, which a rank
    test would count as users who gained or lost.

    Raises IncomparableError when the lengths differ, DataError when empty or not finite.
    """
    a, b = checked(first), checked(second)
    same_users([a, b])
    return np.round(a - b, DECIMALS)


def checked(values: ArrayLike) -> Values:
    """Return float64 values of any shape; DataError when empty or not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise DataError("no users to compare", hint="the split has no evaluated user")
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise DataError(f"{bad} of {array.size} per-user values are NaN or infinite")
    return array


def require_same_users(label: str, users: NDArray[Any], other: str, users_other: NDArray[Any]) -> None:
    """Raise IncomparableError unless two cells have the same users, each in ascending order."""
    if np.array_equal(users, users_other):
        return
    only, only_other = np.setdiff1d(users, users_other), np.setdiff1d(users_other, users)
    examples = ", ".join(str(user) for user in [*only[:2], *only_other[:2]])
    raise IncomparableError(
        f"{label} and {other} were measured on different users: {only.size} are only in {label}, "
        f"{only_other.size} only in {other} (e.g. user {examples})",
        hint="delete the result folder that is out of date and run the spec again",
    )
