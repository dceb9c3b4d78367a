"""The tables of a public set, and the record `prepared.json` that says how they were made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench import __version__
from grasp_bench.core import atomic
from grasp_bench.core.progress import Report
from grasp_bench.data.sources.download import sha256_of
from grasp_bench.data.sources.raw_files import LocalFile
from grasp_bench.spec.public_sets import PublicSet

FILE = "prepared.json"
VERSION = 1  # raise it when the same raw files give other tables


@dataclass(frozen=True, eq=False)
class BuiltTables:
    """The tables of a public set, and counts of what was left out.

    `interactions` has user_id, item_id, rating, timestamp: rows of a user together, oldest first, users in
    the published order, so that the published number of a user or item (from 1) is the order of its first
    appearance. `items` has item_id and texts; `users`, if there are any, attributes.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame | None
    counts: Mapping[str, int]


# Raw files by their published names, a folder for temporary files, and a progress callback.
Builder = Callable[[Mapping[str, Path], Path, Report], BuiltTables]


def interactions_table(users: object, items: object, ratings: object, times: object) -> pl.DataFrame:
    """Make the interactions table of four columns; without any rating there is no rating column."""
    table = pl.DataFrame(
        {"user_id": users, "item_id": items, "rating": ratings, "timestamp": times},
        schema={"user_id": pl.String, "item_id": pl.String, "rating": pl.Float64, "timestamp": pl.Int64},
        strict=False,
    ).with_columns(pl.col("rating").fill_nan(None))
    return table.drop("rating") if table["rating"].null_count() == table.height else table


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read the record of a folder; None for a folder that `data prepare` has not made."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_whole(folder: Path, record: Mapping[str, Any]) -> bool:
    """True when this version made the folder's files and none has changed since."""
    files = record.get("files") or {}
    return record.get("version") == VERSION and bool(files) and all(
        (folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in files.items()
    )  # fmt: skip


def write_tables(
    folder: Path, public: PublicSet, raw: Mapping[str, LocalFile], made: BuiltTables
) -> dict[str, Any]:
    """Write the tables and then the record, each atomically; return the record.

    A record without files is written first, so that an unfinished folder is recognised as ours. The
    interactions are the last table: without them the folder is not a dataset yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / FILE, {"dataset": public.name, "version": VERSION, "files": {}})
    tables = {"items.csv": made.items, "users.csv": made.users, "interactions.csv": made.interactions}
    written = {name: _write(folder / name, table) for name, table in tables.items() if table is not None}
    record = _describe(public, raw, made) | {"files": written}
    atomic.write_json(folder / FILE, record)
    return record


def _write(path: Path, table: pl.DataFrame) -> str:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        # Empty text is written as an absent value.
        table.with_columns(pl.col(pl.String).replace("", None)).write_csv(temporary)
        atomic.fsync_path(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    atomic.fsync_path(path.parent)
    return sha256_of(path)


def _describe(public: PublicSet, raw: Mapping[str, LocalFile], made: BuiltTables) -> dict[str, Any]:
    found = {
        "users": made.interactions["user_id"].n_unique(),
        "items": made.interactions["item_id"].n_unique(),
        "interactions": made.interactions.height,
    }
    published = {"users": public.users, "items": public.items, "interactions": public.interactions}
    return {
        "dataset": public.name,
        "version": VERSION,
        "grasp_bench": __version__,
        "rule": public.rule,
        "raw": [
            {
                "name": each.path.name,
                "sha256": each.sha256,
                "bytes": each.path.stat().st_size,
                "url": each.url,
            }
            for each in raw.values()
        ],
        "terms": public.terms,
        "homepage": public.homepage,
        "counts": {**found, **made.counts},
        "published": published,
        "as_published": found == published,
    }
