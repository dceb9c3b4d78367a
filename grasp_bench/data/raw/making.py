"""A public set under its name in the data folder: gathered, made by its rule, written, recorded."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DataError, MissingFileError, StoreError, UnknownNameError
from grasp_bench.core.locks import acquire
from grasp_bench.core.progress import Report, silent
from grasp_bench.core.registry import Registry
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.data.raw.gather import Gathered, Sources, gather
from grasp_bench.data.raw.made import Maker
from grasp_bench.data.raw.record import is_whole, read_record, write_tables
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate
from grasp_bench.spec.public_sets import PUBLIC_SETS, PublicSet

RAW = "raw"  # folder beside the datasets for what is fetched

MAKERS = Registry[Maker](
    "public dataset",
    {
        "amazon-fashion": "grasp_bench.data.raw.amazon:fashion",
        "amazon-beauty": "grasp_bench.data.raw.amazon:beauty",
        "amazon-beauty-5core": "grasp_bench.data.raw.amazon:beauty_5core",
        "movielens-small": "grasp_bench.data.raw.movielens:latest_small",
        "ml-1m": "grasp_bench.data.raw.movielens:one_million",
    },
)


@dataclass(frozen=True)
class Prepared:
    """Where the dataset lies, its `prepared.json`, and whether it was made just now."""

    folder: Path
    record: dict[str, Any]
    made: bool


def public_set(name: str) -> PublicSet:
    """A set by name; UnknownNameError suggests the nearest."""
    if name not in PUBLIC_SETS:
        raise UnknownNameError(
            f"'{name}' is no dataset that can be prepared{did_you_mean(name, PUBLIC_SETS)}",
            mend=f"choose one of: {', '.join(PUBLIC_SETS)}; your own data need no preparing (docs/data.md)",
        )
    return PUBLIC_SETS[name]


def make(name: str, root: Path, sources: Sources, report: Report = silent) -> Prepared:
    """Make `root/<name>`, unless it is there and was made from the same files.

    Raises UnknownNameError; DataError when a folder of that name was made otherwise, and for raw files
    that are not what they should be, with file and line; StoreError for a disk that is full; and what
    `gather` raises.
    """
    public, folder = public_set(name), root / name
    _refuse_foreign(folder, name)
    try:
        lock = acquire(root / RAW / f".{name}.lock")
    except OSError as error:
        raise _cannot_write(root, error) from None
    try:
        raw = gather(public, sources, root / RAW, report)
        record = read_record(folder)
        if record is not None and _is_of(record, raw) and is_whole(folder, record):
            return Prepared(folder, record, made=False)
        paths = {name: each.path for name, each in raw.items()}
        made = MAKERS.get(name)(paths, root / RAW, report)
        return Prepared(folder, write_tables(folder, public, raw, made), made=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise _cannot_write(root, error) from None
        raise
    finally:
        lock.release()


def make_if_absent(source: str, root: Path, sources: Sources, report: Report = silent) -> Prepared | None:
    """Make the dataset that `dataset.source` names, unless it is there with an items file; then None.

    So data that somebody put there with texts are used as they are. Raises what `make` raises.
    """
    public_set(source)
    try:
        if locate(Dataset(source=source)).items is not None:
            return None
    except MissingFileError:
        pass  # what is to be mended here
    return make(source, root, sources, report)


def _refuse_foreign(folder: Path, name: str) -> None:
    """A folder without our record is somebody's work."""
    if folder.exists() and read_record(folder) is None:
        raise DataError(
            f"{folder}: is there, and was not made by `grasp-bench data prepare`; it is left as it is",
            mend=f"to make {name} elsewhere, set GRASP_BENCH_DATA (or --to) to another folder, or move "
            "this one away",
        )


def _is_of(record: dict[str, Any], raw: dict[str, Gathered]) -> bool:
    return [each.get("sha256") for each in record.get("raw", [])] == [each.sha256 for each in raw.values()]


def _cannot_write(root: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{root}: cannot be written ({error.strerror or error})",
        mend="free the disk, or set GRASP_BENCH_DATA (or --to) to another folder",
    )
