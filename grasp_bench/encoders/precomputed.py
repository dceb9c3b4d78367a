"""Vectors made elsewhere, matched to the split's entities by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.checks import check_vectors
from grasp_bench.encoders.norms import normalize
from grasp_bench.encoders.telling import fill_with_mean
from grasp_bench.encoders.vector_readers import read_vectors

NAMED = 3  # entities that an error names


class PrecomputedVectors:
    """Reads the files of `vector_readers`: their formats are told there.

    `settings` holds the side's path, `normalize` and perhaps `missing`. Vectors of unknown entities are
    counted and left out. Entities without a vector stop the run, or get the mean vector of their side.

    Raises MissingFileError; DataError for ids that repeat, vectors of different widths, and files that are
    not what they say.
    """

    def __init__(self, settings: Mapping[str, Any], side: str) -> None:
        self._path = Path(settings[side])
        self._side = side
        self._normalize = bool(settings["normalize"])
        self._missing = settings.get("missing", "fail")

    def vectors(self, ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 in the order of `ids`, and facts for the sidecar."""
        there, matrix = read_vectors(self._path, self._side, ids)
        rows = _rows_of(ids, there, self._path)
        known = np.flatnonzero(rows >= 0)
        self._refuse(ids, rows)
        found = np.asarray(matrix[rows[known]], dtype=np.float32)
        if self._normalize:
            normalize(found)
        facts: dict[str, Any] = {"file": self._path.name, "unknown_ids": len(there) - len(known)}
        if len(known) < len(ids):
            check_vectors(
                found, [ids[k] for k in known.tolist()], self._normalize
            )  # before one of them spoils the mean
            facts["mean_of_others"] = len(ids) - len(known)
        return fill_with_mean(found, known, len(ids), self._normalize), facts

    def _refuse(self, ids: Sequence[str], rows: np.ndarray) -> None:
        missing = [ids[k] for k in np.flatnonzero(rows < 0).tolist()]
        if not missing or (self._missing == "mean" and len(missing) < len(ids)):
            return
        named = ", ".join(f"'{name}'" for name in missing[:NAMED])
        raise DataError(
            f"{self._path}: no vector for {len(missing)} of {len(ids)} entities: {named}"
            f"{', …' if len(missing) > NAMED else ''}",
            mend="check that these are this dataset's ids"
            if len(missing) == len(ids)
            else "encode them too, filter the dataset so that they are left out, or say missing: mean",
        )


def _rows_of(ids: Sequence[str], there: Sequence[str], path: Path) -> np.ndarray:
    """Row of each id, -1 where there is none."""
    row_of = {name: row for row, name in enumerate(there)}
    if len(row_of) < len(there):
        # Where an id repeats, only its last row is on record.
        twice = next(name for row, name in enumerate(there) if row_of[name] != row)
        raise DataError(f"{path}: id '{twice}' comes more than once", mend="keep one vector per entity")
    return np.fromiter((row_of.get(name, -1) for name in ids), dtype=np.int64, count=len(ids))
