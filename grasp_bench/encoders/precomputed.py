"""Read vectors from files, match them by entity id. Nothing is ever unpickled.

Numbers are assigned in order of first appearance. `id_map.json` beside the arrays maps raw ids to them
(`user2id`, `item2id`, or `str2id` below `user_dict`, `item_dict` in related projects).

Source: github.com/liuqidong07/LLM-ESR, data/data_process.py and data/*/get_item_embedding.ipynb.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.files import require_file
from grasp_bench.core.tables.files import place_of, read_file
from grasp_bench.core.words import listed
from grasp_bench.encoders.pickled import read_pickled_array
from grasp_bench.encoders.vectors import check_vectors, fill_with_mean, normalize
from grasp_bench.spec.encoder import ID_MAP, vector_files

MAPS = {"users": ("user2id", "user_dict"), "items": ("item2id", "item_dict")}


def read_llmesr(path: Path, side: str, wanted: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return ids and matrix (n, D). The dataset's ids, `wanted`, decide between raw ids and numbers.

    Raises DataError when the map is damaged or does not number these rows, and when an id could be a raw id
    of one row and the number of another.
    """
    matrix = read_pickled_array(path)
    numbers = [str(row + 1) for row in range(len(matrix) if matrix.ndim else 0)]
    beside = path.with_name(ID_MAP)
    if not beside.is_file():
        return numbers, matrix
    number_of = _raw_to_number(beside, side)
    if len(number_of) != len(numbers) or set(number_of.values()) != set(numbers):
        # LLM-ESR removes short users after numbering them, and then renumbers their vectors.
        raise DataError(
            f"{beside}: numbers {len(number_of)} {side} for {len(numbers)} vectors: whose are they?",
            hint="take the map of these vectors, or save them as .parquet with their ids",
        )
    return _names(numbers, number_of, wanted, beside), matrix


def _names(
    numbers: list[str], number_of: Mapping[str, str], wanted: Sequence[str], beside: Path
) -> list[str]:
    """Return the rows' names as raw ids or as numbers, whichever match more of the dataset's ids."""
    known_numbers = set(numbers)
    as_raw = sum(name in number_of for name in wanted)
    as_number = sum(name in known_numbers for name in wanted)
    if as_number > as_raw:
        return numbers
    both = [name for name in wanted if name in known_numbers and number_of.get(name, name) != name]
    if both and as_number == as_raw:
        raise DataError(
            f"{beside}: '{both[0]}' is a raw id of row {number_of[both[0]]} and the number of another",
            hint="remove the map if the dataset has LLM-ESR's numbers; else save the vectors as .parquet "
            "with their ids",
        )
    raw_of = {number: raw for raw, number in number_of.items()}
    return [raw_of[number] for number in numbers]


def _raw_to_number(path: Path, side: str) -> dict[str, str]:
    flat, nested = MAPS[side]
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        found = document[flat] if flat in document else document[nested]["str2id"]
        return {str(raw): str(number) for raw, number in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            f"{path}: no map from raw ids to numbers under '{flat}'", hint="take the map of these vectors"
        ) from None


ID_COLUMNS = ("id", "user_id", "item_id")
VECTOR_COLUMNS = ("vector", "embedding")


def read_vectors(path: Path, side: str, wanted: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return ids and matrix (n, D) of a file of vectors, or of the side's file in a folder of LLM-ESR.

    `wanted` are the dataset's ids, which decide how the rows of LLM-ESR's files are named.
    """
    path = vector_files(str(path), side)[0]
    kind = _kind(path)
    require_file(path, hint="correct encoder.users or encoder.items")
    try:
        ids, matrix = read_llmesr(path, side, wanted) if kind == ".pkl" else READERS[kind](path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}", hint="check the file") from None
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.floating):
        raise DataError(
            f"{path}: {matrix.dtype} of shape {matrix.shape}; (entities, dimensions) of floats expected"
        )
    if len(ids) != len(matrix):
        raise DataError(
            f"{_file_of_ids(path)}: {len(ids)} ids for {len(matrix)} vectors", hint="give one id per row"
        )
    return ids, matrix


def _kind(path: Path) -> str:
    suffix = path.with_suffix("").suffix + ".gz" if path.suffix == ".gz" else path.suffix
    known = [*READERS, ".pkl"]
    if suffix not in known:
        raise DataError(f"{path}: unknown kind of file", hint=f"use one of: {', '.join(known)}")
    return suffix


def _read_npy(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a plain array: {error}", hint="save it with numpy.save") from None
    return _read_ids(path), matrix


def _read_safetensors(path: Path) -> tuple[list[str], np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:  # numpy has no bfloat16
            names = list(tensors.keys())
            if "vectors" not in names and len(names) != 1:
                raise DataError(f"{path}: has no tensor 'vectors'", hint=f"it holds {', '.join(names)}")
            name = "vectors" if "vectors" in names else names[0]
            tensor = tensors.get_tensor(name)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from None
    return _read_ids(path), (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _file_of_ids(path: Path) -> Path:
    """Return the file that has the ids of a file of vectors."""
    return path.with_suffix(".ids.txt") if path.suffix in (".npy", ".safetensors") else path


def _read_ids(path: Path) -> list[str]:
    beside = require_file(_file_of_ids(path), hint="write the ids of the rows, one a line")
    try:
        lines = beside.read_text("utf-8")
        return lines.removesuffix("\n").split("\n") if lines else []
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{beside}:{line}: not UTF-8: byte 0x{error.object[error.start]:02x} (offset {error.start:,})",
            hint="convert it, from Latin-1 for example: iconv -f ISO-8859-1 -t UTF-8 old > new",
        ) from None


def _read_table(path: Path) -> tuple[list[str], np.ndarray]:
    return _of_table(read_file(path), path)


def _read_csv(path: Path) -> tuple[list[str], np.ndarray]:
    """Vectors as JSON lists in their column: "[0.1, 0.2]"."""
    table = read_file(path)
    name = _column(table, VECTOR_COLUMNS, path)
    hint = 'write vectors as "[0.1, 0.2]"'
    # json_decode would take a single number for a list
    lists = table[name].str.starts_with("[").fill_null(False)
    if not lists.all():
        row = int((~lists).arg_true()[0])
        raise DataError(f"{place_of(path, row)}: column '{name}' holds something else than lists", hint=hint)
    try:
        decoded = table.with_columns(pl.col(name).str.json_decode(pl.List(pl.Float64)))
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{path}: column '{name}' holds something else than lists of numbers", hint=hint
        ) from None
    return _of_table(decoded, path)


def _of_table(table: pl.DataFrame, path: Path) -> tuple[list[str], np.ndarray]:
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
        raise DataError(f"{path}: no rows", hint="write one row per entity")
    if ids.null_count():
        row = int(ids.is_null().arg_true()[0])
        raise DataError(f"{place_of(path, row)}: no {ids.name}", hint="name the entity")
    if vectors.null_count():
        without = ids.filter(vectors.is_null())
        raise DataError(
            f"{path}: '{without[0]}' has no vector ({len(without)} of {len(ids)} rows are null)",
            hint="encode them, or drop the rows",
        )


def _column(table: pl.DataFrame, names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in table.columns:
            return name
    raise DataError(
        f"{path}: has no column '{names[0]}'",
        hint=f"it has {listed(table.columns)}; rename one to '{names[0]}'",
    )


READERS: dict[str, Callable[[Path], tuple[list[str], np.ndarray]]] = {
    ".npy": _read_npy,
    ".parquet": _read_table,
    ".safetensors": _read_safetensors,
    ".jsonl": _read_table,
    ".jsonl.gz": _read_table,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
}


NAMED = 3  # entities that an error names


class PrecomputedVectors:
    """Vectors from a file in one of the formats of READERS, or from LLM-ESR's pickles.

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
        """Return vectors (n, D) float32 in the order of `ids`, and facts for the sidecar."""
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
            )  # before one of them enters the mean
            facts["mean_of_others"] = len(ids) - len(known)
        return fill_with_mean(found, known, len(ids), self._normalize), facts

    def _refuse(self, ids: Sequence[str], rows: np.ndarray) -> None:
        missing = [ids[k] for k in np.flatnonzero(rows < 0).tolist()]
        if not missing or (self._missing == "mean" and len(missing) < len(ids)):
            return
        named = ", ".join(f"'{name}'" for name in missing[:NAMED])
        raise DataError(
            f"{_file_of_ids(self._path)}: no vector for {len(missing)} of {len(ids)} entities: {named}"
            f"{', …' if len(missing) > NAMED else ''}",
            hint="check that these are this dataset's ids"
            if len(missing) == len(ids)
            else "encode them too, filter the dataset so that they are left out, or say missing: mean",
        )


def _rows_of(ids: Sequence[str], there: Sequence[str], path: Path) -> np.ndarray:
    """Return the row of each id, -1 where there is none."""
    row_of = {name: row for row, name in enumerate(there)}
    if len(row_of) < len(there):
        # Where an id repeats, only its last row is on record.
        twice = next(name for row, name in enumerate(there) if row_of[name] != row)
        raise DataError(
            f"{_file_of_ids(path)}: id '{twice}' comes more than once", hint="keep one vector per entity"
        )
    return np.fromiter((row_of.get(name, -1) for name in ids), dtype=np.int64, count=len(ids))
