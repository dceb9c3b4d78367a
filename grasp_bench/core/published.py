"""Read, write and check the files of `results/<spec>/<slug>/`.

`cell.json` holds its own checksum and the hashes of the files beside it. Files of earlier versions have
neither and are read without that check; `metrics_problem` compares their metrics with the ranks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.hashing import file_hash

if TYPE_CHECKING:  # `plan` reads cells without numpy
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    # Users, and a mask for each group.
    GroupMembers = tuple[NDArray[np.int32], Mapping[str, NDArray[np.bool_]]]


CELL, METRICS, RANKS = "cell.json", "metrics.json", "ranks.parquet"
MEASURED = (METRICS, RANKS)
MEMBERS = "groups-{}.parquet"  # beside the cells, by protocol hash: the users of each group


def write_cell(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `cell.json` with the hashes of the files beside it, which must exist."""
    hashing.write(folder / CELL, {**content, "files": {name: file_hash(folder / name) for name in MEASURED}})


def changed_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return the names of files that are absent or whose hash differs."""
    return [name for name, digest in files.items() if hash_if_there(folder / name) != digest]


def hash_if_there(path: Path) -> str | None:
    """Return the hash of a file's bytes, None when it is absent."""
    try:
        return file_hash(path)
    except OSError:
        return None


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object and check its checksum; DataError names the file when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})", hint=hint(path.name)) from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no JSON object", hint=hint(path.name))
    if hashing.is_altered(content):
        raise DataError(
            f"{path}: altered since it was written (its checksum is another)", hint=hint(path.name)
        )
    return hashing.without_checksum(content)


def hint(what: str) -> str:
    """Return the hint for a damaged file of a results folder."""
    return f"run the spec again (grasp-bench run): it writes {what} anew"


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


TOLERANCE = 1e-9  # float64 sums in another order


def metrics_problem(folder: Path, ties: str, members: GroupMembers | None = None) -> str | None:
    """Return the first contradiction between metrics.json and ranks.parquet, None without one.

    Groups are compared when `members` lists their users. All metrics of all groups take milliseconds, since
    they depend on few distinct counts. Figures of lists (`beyond`) do not follow from ranks.
    """
    import polars as pl

    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        ranks = pl.read_parquet(folder / RANKS, glob=False)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        return f"{METRICS} or {RANKS} cannot be read ({str(error).splitlines()[0]})"
    if not isinstance(metrics, dict) or not all(isinstance(part, dict) for part in metrics.values()):
        return f"{METRICS} holds no figures by protocol"
    groups = _rows_by_group(members, ranks)
    found = (
        problem
        for protocol in ("sampled", "full")
        if metrics.get(protocol)
        for problem in _contradictions(
            metrics[protocol], ranks, protocol, ties, groups, metrics.get("gains", {})
        )
    )
    try:
        return next(found, None)
    except UnknownNameError as error:
        return f"{METRICS}: {error.message}"


def _rows_by_group(members: GroupMembers | None, ranks: pl.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return masks of the ranks by group; only "overall" without members or with other users."""
    import numpy as np

    groups = {"overall": np.ones(ranks.height, dtype=bool)}
    if members is None or "user" not in ranks.columns:
        return groups
    users, belongs = members
    order = np.argsort(ranks["user"].to_numpy(), kind="stable")
    if not np.array_equal(ranks["user"].to_numpy()[order], users):
        return groups
    for name, member in belongs.items():
        groups[name] = np.zeros(ranks.height, dtype=bool)
        groups[name][order] = member
    return groups


def _contradictions(
    reported: Mapping[str, Any], ranks: pl.DataFrame, protocol: str, ties: str,
    groups: Mapping[str, NDArray[np.bool_]], gains: Mapping[str, Any],
) -> Iterator[str]:  # fmt: skip
    import numpy as np

    from grasp_bench.core import ranks as measures

    columns = [f"{protocol}_better", f"{protocol}_tied"]
    if any(name not in ranks.columns or ranks[name].null_count() for name in columns):
        yield f"{METRICS} has {protocol} figures, {RANKS} has no such ranks"
        return
    better, tied = (ranks[name].to_numpy().astype(np.int64) for name in columns)
    cutoff = max(
        (measures.parse(name, gains)[1] for name in reported.get("overall") or {} if "@" in name), default=0
    )
    near = better < cutoff  # beyond the cutoff the gain is zero, whatever the ties
    width = int(tied.max(initial=0)) + 1
    codes, kind = np.unique(better[near] * width + tied[near], return_inverse=True)
    for group, rows in groups.items():
        figures = reported.get(group) or {}
        if not isinstance(figures, dict):
            yield f"{protocol} {group} holds no figures in {METRICS}"
            return
        users = int(rows.sum())
        if figures.get("n", users) != users:
            yield f"{protocol} {group} has n {figures['n']} in {METRICS}, {users} by {RANKS}"
        if not users:
            continue
        weights = np.bincount(kind[rows[near]], minlength=len(codes)) / users
        for name, value in figures.items():
            if name == "n":
                continue
            ours = float(measures.per_user(name, codes // width, codes % width, ties, gains) @ weights)
            if not isinstance(value, int | float) or abs(ours - value) > TOLERANCE:
                by = RANKS if group == "overall" else f"{RANKS} and the groups' file"
                yield f"{protocol} {group} {name} is {value} in {METRICS}, {ours:.6f} by {by}"
