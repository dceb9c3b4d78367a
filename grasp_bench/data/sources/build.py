"""Build a public set in the data folder: fetch its raw files, apply its rule, write tables and record."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.atomic import acquire
from grasp_bench.core.errors import DataError, MissingFileError, StoreError, UnknownNameError
from grasp_bench.core.progress import Report, silent
from grasp_bench.core.registry import Registry
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.sources.raw_files import (
    Builder,
    LocalFile,
    Sources,
    find_or_fetch,
    is_whole,
    read_record,
    write_tables,
)
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate
from grasp_bench.spec.public_sets import PUBLIC_SETS, PublicSet, family_of, names

RAW = "raw"  # folder beside the datasets for what is fetched

BUILDERS = Registry[Builder](
    "builder of public datasets",
    {
        "amazon-fashion": "grasp_bench.data.sources.amazon:fashion",
        "amazon-beauty": "grasp_bench.data.sources.amazon:beauty",
        "amazon-beauty-5core": "grasp_bench.data.sources.amazon:beauty_5core",
        "amazon-2018": "grasp_bench.data.sources.amazon:every_2018",
        "amazon-2023": "grasp_bench.data.sources.amazon:all_2023",
        "amazon-2023-5core": "grasp_bench.data.sources.amazon:core_2023",
        "movielens-small": "grasp_bench.data.sources.movielens:latest_small",
        "ml-100k": "grasp_bench.data.sources.movielens:hundred_thousand",
        "ml-1m": "grasp_bench.data.sources.movielens:one_million",
        "ml-20m": "grasp_bench.data.sources.movielens:ml_20m",
        "ml-25m": "grasp_bench.data.sources.movielens:ml_25m",
        "ml-32m": "grasp_bench.data.sources.movielens:ml_32m",
        "steam": "grasp_bench.data.sources.platforms:steam",
        "steam-all": "grasp_bench.data.sources.platforms:steam_all",
        "yelp": "grasp_bench.data.sources.platforms:yelp",
        "lastfm-1k": "grasp_bench.data.sources.platforms:lastfm_1k",
        "gowalla": "grasp_bench.data.sources.platforms:gowalla",
        "kuairand-1k": "grasp_bench.data.sources.platforms:kuairand_1k",
        "goodreads": "grasp_bench.data.sources.platforms:goodreads",
    },
)


@dataclass(frozen=True)
class BuildResult:
    """The folder of a dataset, its `prepared.json`, and whether this call made it."""

    folder: Path
    record: dict[str, Any]
    made: bool


def public_set(name: str) -> PublicSet:
    """Return a set by name; UnknownNameError suggests the nearest name."""
    if name not in PUBLIC_SETS:
        family = family_of(name)
        words = f"; {family.pattern.name} has {', '.join(family.members)}" if family else ""
        raise UnknownNameError(
            f"'{name}' is no dataset that can be prepared{did_you_mean(name, PUBLIC_SETS)}",
            hint=f"choose one of: {', '.join(names())}{words}; your own data need no preparing "
            "(docs/data.md)",
        )
    return PUBLIC_SETS[name]


def build(name: str, root: Path, sources: Sources, report: Report = silent) -> BuildResult:
    """Build `root/<name>`, unless it is there and was built from the same files.

    Raises UnknownNameError; DataError when a folder of that name was made otherwise, and for raw files
    that are not what they should be, with file and line; StoreError for a disk that is full; and what
    `find_or_fetch` raises.
    """
    public, folder = public_set(name), root / name
    _refuse_foreign(folder, name)
    try:
        lock = acquire(root / RAW / f".{name}.lock")
    except OSError as error:
        raise _cannot_write(root, error) from None
    try:
        raw = find_or_fetch(public, sources, root / RAW, report)
        record = read_record(folder)
        if record is not None and _is_of(record, raw) and is_whole(folder, record):
            return BuildResult(folder, record, made=False)
        paths = {name: each.path for name, each in raw.items()}
        made = BUILDERS.get(public.builder)(paths, root / RAW, report)
        return BuildResult(folder, write_tables(folder, public, raw, made), made=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise _cannot_write(root, error) from None
        raise
    finally:
        lock.release()


def build_if_absent(source: str, root: Path, sources: Sources, report: Report = silent) -> BuildResult | None:
    """Build the dataset that `dataset.source` names; None if it is there with an items file already.

    Raises what `build` raises.
    """
    public_set(source)
    try:
        if locate(Dataset(source=source)).items is not None:
            return None
    except MissingFileError:
        pass  # it is absent: build it
    return build(source, root, sources, report)


def _refuse_foreign(folder: Path, name: str) -> None:
    """Raise DataError for a folder without our record: it is the user's own."""
    if folder.exists() and read_record(folder) is None:
        raise DataError(
            f"{folder}: is there, and was not made by `grasp-bench data prepare`; it is left as it is",
            hint=f"to build {name} elsewhere, set GRASP_BENCH_DATA (or --to) to another folder, or move "
            "this one away",
        )


def _is_of(record: dict[str, Any], raw: dict[str, LocalFile]) -> bool:
    return [each.get("sha256") for each in record.get("raw", [])] == [each.sha256 for each in raw.values()]


def _cannot_write(root: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{root}: cannot be written ({error.strerror or error})",
        hint="free the disk, or set GRASP_BENCH_DATA (or --to) to another folder",
    )
