"""Compute per-user metric values of cells from their stored ranks, under the declared tie policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.core import ranks as rank_metrics
from grasp_bench.core.errors import DataError, IncomparableError
from grasp_bench.report.cells import RANKS_FILE, ResultCell
from grasp_bench.stats.pairing import Values, require_same_users
from grasp_bench.stats.trainings import Trainings

# metrics.json may be rounded; anything beyond that means the two files belong to different runs.
TOLERANCE = 1e-4


@dataclass
class UserValues:
    """Reads each cell's ranks once; all arrays are in ascending order of users, which every cell shares."""

    _ranks: dict[str, pl.DataFrame] = field(default_factory=dict)
    _reference: dict[str, str] = field(default_factory=dict)
    _trainings: dict[tuple[str, ...], Trainings] = field(default_factory=dict)

    def trainings(self, cells: Sequence[ResultCell], protocol: str, metric: str) -> Trainings:
        """Values of one method's cells, a row a seed; what nothing trains has no chance of training."""
        key = (protocol, metric, *(str(cell.folder) for cell in cells))
        if key not in self._trainings:
            self._trainings[key] = Trainings.of(
                [self.of_cell(cell, protocol, metric) for cell in cells],
                fixed=all(untrained(cell) for cell in cells),
            )
        return self._trainings[key]

    def of_cell(self, cell: ResultCell, protocol: str, metric: str) -> Values:
        """Values of one cell, shape (users,).

        Raises DataError when the ranks are damaged or do not give the mean that metrics.json says,
        IncomparableError when users or targets differ from other cells of the same protocol hash.
        """
        frame = self._frame(cell)
        better, tied = f"{protocol}_better", f"{protocol}_tied"
        if any(name not in frame.columns or frame[name].null_count() for name in (better, tied)):
            raise IncomparableError(
                f"{cell.slug} has no {protocol} ranking", hint="compare by the protocol that all cells have"
            )
        counts = frame[better].to_numpy(), frame[tied].to_numpy()
        values = rank_metrics.per_user(metric, *counts, cell.ties, cell.metrics.get("gains", {}))
        self._check_mean(cell, protocol, metric, values)
        return values

    def _frame(self, cell: ResultCell) -> pl.DataFrame:
        key = str(cell.folder)
        if key not in self._ranks:
            frame = _read_ranks(cell)
            reference = self._reference.setdefault(cell.protocol_hash, key)
            if reference != key:
                _require_same_targets(cell.slug, frame, reference, self._ranks[reference])
            self._ranks[key] = frame
        return self._ranks[key]

    def _check_mean(self, cell: ResultCell, protocol: str, metric: str, values: Values) -> None:
        said = cell.metrics.get(protocol, {}).get("overall", {}).get(metric)
        found = float(values.mean())
        if said is not None and abs(found - said) > TOLERANCE:
            raise DataError(
                f"{cell.folder}: {protocol} {metric} is {said:.6f} in metrics.json, "
                f"{found:.6f} by {RANKS_FILE}",
                hint=f"delete {cell.folder} and run the spec again",
            )


def untrained(cell: ResultCell) -> bool:
    """A control that nothing trains; an imported run was trained by somebody, nobody knows how often."""
    return cell.method.kind == "control" and not cell.trained


def _read_ranks(cell: ResultCell) -> pl.DataFrame:
    path = cell.folder / RANKS_FILE
    hint = f"delete {cell.folder} and run the spec again"
    try:
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be read ({error})", hint=hint) from None
    absent = [name for name in ("user", "item") if name not in frame.columns]
    if absent:
        problem = f"column '{absent[0]}' is missing"
    elif frame.is_empty():
        problem = "holds no user"
    elif frame["user"].n_unique() != frame.height:
        problem = "a user has more than one row"
    else:
        return frame.sort("user")
    raise DataError(f"{path}: {problem}", hint=hint)


def _require_same_targets(slug: str, frame: pl.DataFrame, reference: str, other: pl.DataFrame) -> None:
    name = reference.replace("\\", "/").rpartition("/")[2]
    require_same_users(slug, _column(frame, "user"), name, _column(other, "user"))
    differing = int(np.count_nonzero(_column(frame, "item") != _column(other, "item")))
    if differing:
        raise IncomparableError(
            f"{slug} and {name} have different target items for {differing} users",
            hint="delete the result folder that is out of date and run the spec again",
        )


def _column(frame: pl.DataFrame, name: str) -> NDArray[Any]:
    return frame[name].to_numpy()
