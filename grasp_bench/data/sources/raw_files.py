"""Find or fetch the raw files of a public set, check their SHA-256, and write the tables made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench import __version__
from grasp_bench.core import atomic
from grasp_bench.core.atomic import acquire
from grasp_bench.core.errors import DownloadError, MissingFileError
from grasp_bench.core.hashing import sha256_of
from grasp_bench.core.progress import Report, silent
from grasp_bench.data.sources.download import fetch
from grasp_bench.spec.public_sets import PublicSet, RawFile

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Sources:
    """Where raw files come from.

    `given`: files, or folders with files of the published names; with any, nothing is fetched. `urls`:
    addresses that replace the publishers', of a file (by its last part) or, with a final /, of a folder.
    `sha256`: expected checksums by file name.
    """

    given: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LocalFile:
    """A raw file on this machine, and the address it was fetched from, if it was."""

    path: Path
    sha256: str
    url: str | None


def find_or_fetch(
    wanted: PublicSet, sources: Sources, folder: Path, report: Report = silent
) -> dict[str, LocalFile]:
    """Find or fetch every raw file of a set, by name, in the set's order; downloads go to `folder`.

    Raises MissingFileError when a given folder lacks a file, DownloadError and StoreError as `fetch` does,
    and DownloadError when a checksum differs from the requested or the remembered one.
    """
    unknown = sources.sha256.keys() - {name for raw in wanted.files for name in _names(raw)}
    if unknown:
        raise DownloadError(
            f"--sha256 names {min(unknown)}, which is no file of {wanted.name}",
            hint=f"its files: {', '.join(raw.name for raw in wanted.files)}",
        )
    given = sources.given
    if wanted.by_hand and not given and not sources.urls:
        given = (folder,)
        if not all(any(_candidates(raw, given)) for raw in wanted.files):
            raise DownloadError(
                f"{wanted.name} is not downloaded here, for its terms do not allow that", hint=wanted.by_hand
            )
    if given:
        found = zip(wanted.files, _given(wanted, given), strict=True)
        return {raw.name: _look_at(path, sources) for raw, path in found}
    return {raw.name: _here_or_fetched(raw, sources, folder, report) for raw in wanted.files}


def _given(wanted: PublicSet, given: Sequence[Path]) -> list[Path]:
    """Find each of the set's files among the given paths."""
    for path in given:
        if not path.exists():
            raise MissingFileError(f"--raw {path}: no such file or folder", hint="correct the path")
    found = [next(_candidates(raw, given), None) for raw in wanted.files]
    missing = [raw.name for raw, path in zip(wanted.files, found, strict=True) if path is None]
    if missing:
        raise MissingFileError(
            f"--raw {' '.join(map(str, given))}: {' and '.join(missing)} not there",
            hint=f"{wanted.name} is made from {' and '.join(raw.name for raw in wanted.files)}, as they are "
            "published or unpacked: rename files that are called otherwise",
        )
    return [path for path in found if path is not None]


def _candidates(raw: RawFile, given: Sequence[Path]) -> Iterator[Path]:
    for name in _names(raw):
        for each in (name, name.removesuffix(".gz")):
            for path in given:
                if path.is_dir() and (path / each).is_file():
                    yield path / each
                elif path.is_file() and path.name == each:
                    yield path


def _names(raw: RawFile) -> tuple[str, ...]:
    return (raw.name,) if raw.instead is None else (raw.name, raw.instead)


def _look_at(path: Path, sources: Sources, url: str | None = None) -> LocalFile:
    expected = sources.sha256.get(path.name) or remembered(path)
    found = sha256_of(path)
    if expected is not None and found != expected.lower():
        raise DownloadError(
            f"{path}: has the SHA-256 {found}, not the expected {expected.lower()}",
            hint="it is damaged or another edition: fetch it again, or correct --sha256 or the .sha256 file "
            "beside it",
        )
    return LocalFile(path, found, url)


def _here_or_fetched(raw: RawFile, sources: Sources, folder: Path, report: Report) -> LocalFile:
    folder = folder / raw.folder
    target, url = folder / raw.name, _url(raw, sources.urls)
    folder.mkdir(parents=True, exist_ok=True)
    lock = acquire(folder / f".{raw.name}.lock")  # a second process waits and finds the file
    try:
        if not target.is_file():
            expected = sources.sha256.get(raw.name) or remembered(target) or raw.sha256
            remember(target, fetch(url, target, expected, report))
        return _look_at(target, sources, url)
    finally:
        lock.release()


def _url(raw: RawFile, urls: Sequence[str]) -> str:
    for url in urls:
        if url.endswith("/"):
            return url + raw.name
        if url.rpartition("/")[2] == raw.name:
            return url
    return raw.url


def remembered(path: Path) -> str | None:
    """Read the checksum in `<name>.sha256` (the format of sha256sum); None without that file.

    Raises DownloadError when it holds no checksum.
    """
    file = _checksum_file(path)
    if not file.is_file():
        return None
    found = _DIGEST.match(file.read_text(encoding="utf-8", errors="replace").strip().lower())
    if found is None:
        raise DownloadError(f"{file}: holds no SHA-256", hint="delete it, or write it with sha256sum")
    return found[0]


def remember(path: Path, digest: str) -> None:
    """Write `<name>.sha256`, which `sha256sum --check` can read."""
    atomic.write_text(_checksum_file(path), f"{digest}  {path.name}\n")


def _checksum_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


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
    with atomic.stream(path) as file:
        # Empty text is written as an absent value.
        table.with_columns(pl.col(pl.String).replace("", None)).write_csv(file)
    return sha256_of(path)


def _describe(public: PublicSet, raw: Mapping[str, LocalFile], made: BuiltTables) -> dict[str, Any]:
    counts = {
        "users": made.interactions["user_id"].n_unique(),
        "items": made.interactions["item_id"].n_unique(),
        "interactions": made.interactions.height,
        **made.counts,
    }
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
        "counts": counts,
        "published": dict(public.published),
        "as_published": all(counts.get(name) == count for name, count in public.published.items()),
    }
