"""Vectors made elsewhere, matched to the split's entities by id. Nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError, MissingFileError

NAMED = 3  # entities that an error names
ID_COLUMNS = ("id", "user_id", "item_id")
VECTOR_COLUMNS = ("vector", "embedding")


class PrecomputedVectors:
    """Reads .parquet (an id column, a vector column), or .npy or .safetensors with <name>.ids.txt beside.

    `settings` holds the side's path and `normalize`. Vectors of unknown entities are counted and left
    out. Raises MissingFileError; DataError for entities without a vector, ids that repeat, vectors of
    different widths, and files that are not what they say.
    """

    def __init__(self, settings: Mapping[str, Any], side: str) -> None:
        self._path = Path(settings[side])
        self._normalize = bool(settings["normalize"])

    def vectors(self, ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 in the order of `ids`, and facts for the sidecar."""
        there, matrix = read_vectors(self._path)
        rows = _rows_of(ids, there, self._path)
        found = np.asarray(matrix[rows], dtype=np.float32)
        if self._normalize:
            norms = np.linalg.norm(found, axis=1, keepdims=True)
            # What has no norm is left as it is, for the check to find and name.
            found /= np.where(np.isfinite(norms) & (norms > 0), norms, 1)
        return found, {"file": self._path.name, "unknown_ids": len(there) - len(ids)}


def read_vectors(path: Path) -> tuple[list[str], np.ndarray]:
    """Ids and matrix (n, D) of a file of vectors."""
    if path.suffix not in READERS:
        raise DataError(f"{path}: unknown kind of file", mend=f"use one of: {', '.join(READERS)}")
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", mend="correct encoder.users or encoder.items")
    ids, matrix = READERS[path.suffix](path)
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.floating):
        raise DataError(
            f"{path}: {matrix.dtype} of shape {matrix.shape}; (entities, dimensions) of floats expected"
        )
    if len(ids) != len(matrix):
        raise DataError(f"{path}: {len(ids)} ids for {len(matrix)} vectors", mend="give one id per row")
    return ids, matrix


def _read_npy(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a plain array: {error}", mend="save it with numpy.save") from None
    return _read_ids(path), matrix


def _read_safetensors(path: Path) -> tuple[list[str], np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:  # numpy has no bfloat16
            names = list(tensors.keys())
            if "vectors" not in names and len(names) != 1:
                raise DataError(f"{path}: has no tensor 'vectors'", mend=f"it holds {', '.join(names)}")
            name = "vectors" if "vectors" in names else names[0]
            tensor = tensors.get_tensor(name)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from None
    return _read_ids(path), (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _read_parquet(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    ids, vectors = table[_column(table, ID_COLUMNS, path)], table[_column(table, VECTOR_COLUMNS, path)]
    _refuse_gaps(ids, vectors, path)
    if isinstance(vectors.dtype, pl.Array):
        vectors = vectors.arr.to_list()
    if not isinstance(vectors.dtype, pl.List) or not vectors.dtype.inner.is_numeric():
        raise DataError(f"{path}: column '{vectors.name}' holds {vectors.dtype}, not lists of floats")
    widths = vectors.list.len()
    usual: Any = widths.mode().max()
    odd = (widths != usual).arg_true()
    if len(odd):
        row = odd[0]
        raise DataError(
            f"{path}: the vector of '{ids[row]}' has {widths[row]} dimensions, others have {usual}"
        )
    flat = vectors.explode(empty_as_null=True).cast(pl.Float32).to_numpy()
    return ids.cast(pl.String).to_list(), flat.reshape(len(ids), -1)


def _refuse_gaps(ids: pl.Series, vectors: pl.Series, path: Path) -> None:
    if not len(ids):
        raise DataError(f"{path}: no rows", mend="write one row per entity")
    if ids.null_count():
        raise DataError(
            f"{path}, row {ids.is_null().arg_true()[0] + 1}: no {ids.name}", mend="name the entity"
        )
    if vectors.null_count():
        without = ids.filter(vectors.is_null())
        raise DataError(
            f"{path}: '{without[0]}' has no vector ({len(without)} of {len(ids)} rows are null)",
            mend="encode them, or drop the rows",
        )


READERS: dict[str, Callable[[Path], tuple[list[str], np.ndarray]]] = {
    ".npy": _read_npy,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}


def _read_ids(path: Path) -> list[str]:
    beside = path.with_suffix(".ids.txt")
    try:
        lines = beside.read_text("utf-8")
        return lines.removesuffix("\n").split("\n") if lines else []
    except FileNotFoundError:
        raise MissingFileError(
            f"{beside}: no such file", mend="write the ids of the rows, one a line"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{beside}: not UTF-8 at byte {error.start}") from None


def _column(table: pl.DataFrame, names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in table.columns:
            return name
    raise DataError(
        f"{path}: has no column '{names[0]}'",
        mend=f"it has {', '.join(table.columns)}; rename one to '{names[0]}'",
    )


def _rows_of(ids: Sequence[str], there: Sequence[str], path: Path) -> np.ndarray:
    row_of = {name: row for row, name in enumerate(there)}
    if len(row_of) < len(there):
        # Where an id repeats, only its last row is on record.
        twice = next(name for row, name in enumerate(there) if row_of[name] != row)
        raise DataError(f"{path}: id '{twice}' comes more than once", mend="keep one vector per entity")
    missing = [name for name in ids if name not in row_of]
    if missing:
        named = ", ".join(f"'{name}'" for name in missing[:NAMED])
        raise DataError(
            f"{path}: no vector for {len(missing)} of {len(ids)} entities: {named}"
            f"{', …' if len(missing) > NAMED else ''}",
            mend="encode them too, or filter the dataset so that they are left out",
        )
    return np.fromiter((row_of[name] for name in ids), dtype=np.int64, count=len(ids))
