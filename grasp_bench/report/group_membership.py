"""Which users belong to which group: `results/<spec>/groups-<protocol hash>.parquet`, beside the cells.

Columns: user i32, ascending, and a truth value for each group. Ranks alone do not tell, and an interval
for a group's figure needs its users.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.published import MEMBERS, hash_if_there, hint, read_object
from grasp_bench.report.study import FILE

Bools = NDArray[np.bool_]


def write_membership(
    folder: Path, protocol_hash: str, users: NDArray[np.int32], groups: Mapping[str, Bools]
) -> Path:
    """Write the file; `users` (Q,) in any order, `groups` (Q,) each."""
    columns = {"user": users, **{name: member for name, member in groups.items() if name != "overall"}}
    frame = pl.DataFrame(columns).sort("user")
    path = folder / MEMBERS.format(protocol_hash)
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="zstd")
    atomic.write_bytes(path, stream.getvalue())
    return path


def read_membership(folder: Path, protocol_hash: str) -> tuple[NDArray[np.int32], dict[str, Bools]] | None:
    """Users and the groups they belong to; None where there never was a file.

    Raises DataError where it is not the file that study.json knows.
    """
    path = folder / MEMBERS.format(protocol_hash)
    study = read_object(folder / FILE) if (folder / FILE).is_file() else {}
    known = study.get("files", {}).get(path.name)
    if known is not None and hash_if_there(path) != known:
        raise DataError(f"{path}: gone, or not the file that was published", hint=hint(path.name))
    if not path.is_file():
        return None
    try:
        frame = pl.read_parquet(path, glob=False)
        groups = {name: frame[name].to_numpy() for name in frame.columns if name != "user"}
        return frame["user"].to_numpy(), groups
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be read ({error})", hint=hint(path.name)) from None
