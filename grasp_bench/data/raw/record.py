"""`prepared.json` beside a dataset: from which files it was made, by which rule, with which result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench import __version__
from grasp_bench.core import atomic
from grasp_bench.data.raw.checksums import sha256_of
from grasp_bench.data.raw.gather import Gathered
from grasp_bench.data.raw.made import Made
from grasp_bench.spec.public_sets import PublicSet

FILE = "prepared.json"
VERSION = 1  # raise it when the same raw files give other tables


def read_record(folder: Path) -> dict[str, Any] | None:
    """What is recorded in a folder; None where `data prepare` has not been."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_whole(folder: Path, record: Mapping[str, Any]) -> bool:
    """True when this version made the folder's files and they are as they were written."""
    files = record.get("files") or {}
    return record.get("version") == VERSION and bool(files) and all(
        (folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in files.items()
    )  # fmt: skip


def write_tables(folder: Path, public: PublicSet, raw: Mapping[str, Gathered], made: Made) -> dict[str, Any]:
    """Write the tables and then the record, each whole or not at all; return the record.

    A record without files comes first: a folder that was left half made is known to be ours. The
    interactions come last of the tables: without them, the folder is no dataset yet.
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
        # Empty text is an absent value, and written as one.
        table.with_columns(pl.col(pl.String).replace("", None)).write_csv(temporary)
        atomic.fsync_path(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    atomic.fsync_path(path.parent)
    return sha256_of(path)


def _describe(public: PublicSet, raw: Mapping[str, Gathered], made: Made) -> dict[str, Any]:
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
